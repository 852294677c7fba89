"""The clips of recipes for speech."""

import os

from keras_s2s import data
from keras_s2s.data.speech_readers import read_speech_values
from keras_s2s.recipes.typed_config import RecipeError


class Clips(list):
    """Clips in any form that models take, with a name for each.

    Args:
        clips: Iterable of clips.
        names: List of as many strings.
    """

    def __init__(self, clips, names):
        super().__init__(clips)
        self.names = list(names)


def read_set(data_set, columns, folder, clips_folder=None):
    """Reads the clips and transcripts of a set.

    Args:
        data_set: A `keras_s2s.recipes.data_sets.DataSet` of one file: a table, an archive `.npz` or
            a folder in the layout of LibriSpeech.
        columns: Columns of clip and transcript.
        folder: `pathlib.Path` of the data.
        clips_folder: Folder of the clips that a table names; by default that of the table.

    Returns:
        Tuple of `Clips` and a list of strings.
    """
    if len(data_set.files) > 1:
        raise RecipeError(
            f"a set of speech is one file or folder. Received: {data_set.files}. Several sets are "
            'tables: [{ files = ["a.tsv"] }, { files = ["b.tsv"] }].'
        )
    [file] = data_set.files
    path = folder / file
    is_archive = path.suffix == ".npz"
    if (data_set.where or data_set.joined) and not is_archive:
        key = "where" if data_set.where else "joined"
        raise RecipeError(f"{key!r} is for an archive, whose name ends in '.npz'. Received: {file}")
    if path.is_dir():
        clips, texts = data.read_librispeech(path)
        return Clips(clips, clips), texts
    if not is_archive:
        clips, texts = data.read_clips(path, clips_folder, *columns)
        missing = [clip for clip in clips if not os.path.isfile(clip)]
        if missing:
            raise RecipeError(
                f"{len(missing):,} of the {len(clips):,} clips that {str(path)!r} names are not "
                f"there, the first {missing[0]!r}. Say where they are: clips = 'FOLDER' in [data]."
            )
        return Clips(clips, clips), texts
    text = columns[1] if isinstance(columns[1], str) else "text"
    clips, texts = data.read_speech_archive(path, data_set.where, text)
    names = [f"{file}[{i}]" for i in range(len(clips))]
    if data_set.joined:
        options = {"count": len(clips), **data_set.joined}
        groups = read_speech_values(path, data_set.where, options.pop("group"))
        clips, texts, _ = data.join_clips(clips, texts, groups, **options)
        names = [f"{file}, put together, {i}" for i in range(len(clips))]
    return Clips(clips, names), texts


def join_clips_of_sets(parts, times):
    """The `Clips` of several sets, each as often as an epoch has them."""
    joined = [(part, count) for part, count in zip(parts, times)]
    clips = [clip for part, count in joined for clip in part * count]
    return Clips(clips, [name for part, count in joined for name in part.names * count])
