"""Readers of transcribed speech, in the usual layouts. They read the text, not the sound.

`read_speech_archive` reads sound too, which is in the same file.
"""

import os
import warnings
from pathlib import Path

import numpy as np

from keras_s2s.data.lines_told import Lines
from keras_s2s.data.readers import read_pairs
from keras_s2s.data.text_lines import lines

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SUFFIXES = (".flac", ".wav", ".mp3", ".ogg")


def is_clip_name(text):
    """Whether a text is the name of a file of sound."""
    return text.strip().lower().endswith(_SUFFIXES)


def read_clips(path, folder=None, clip_column=0, text_column=1):
    r"""Reads a table of clips and their transcripts, tab-separated or CSV.

    Args:
        path: Path of the table, as `keras_s2s.data.read_pairs` reads it, such as `validated.tsv` of
            Common Voice.
        folder: Folder of the clips, by default that of the table.
        clip_column: The column of the clips' names: an index from 0, or its name in the first line.
        text_column: The column of transcripts, likewise.

    Returns:
        Tuple of a list of the clips' paths, and a list of transcripts.

    Raises:
        ValueError: As `read_pairs`.

    Example:
    ```python
    from keras_s2s.data import read_clips

    with open("clips.tsv", "w") as file:
        file.write("path\tsentence\n1.wav\tyes\n2.wav\tno\n")
    assert read_clips("clips.tsv", "", "path", "sentence") == (["1.wav", "2.wav"], ["yes", "no"])
    ```
    """
    folder = os.path.dirname(os.fspath(path)) if folder is None else os.fspath(folder)
    names, texts = read_pairs(path, clip_column, text_column)
    return [os.path.join(folder, name) for name in names], texts


def read_librispeech(folder):
    r"""Reads a part of LibriSpeech, such as `LibriSpeech/dev-clean`.

    It holds `<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`, whose lines are the name of a clip
    and its transcript, and the clips beside it (Panayotov et al., 2015,
    https://www.openslr.org/12). A warning says how many clips are missing.

    Args:
        folder: Path of the folder.

    Returns:
        Tuple of a list of the clips' paths, and a list of transcripts.

    Raises:
        FileNotFoundError: If there is no folder, or no transcript in it.
        ValueError: If no clip is there.

    Example:
    ```python
    import os

    from keras_s2s.data import read_librispeech

    os.makedirs("dev-clean/84/121123")
    with open("dev-clean/84/121123/84-121123.trans.txt", "w") as file:
        file.write("84-121123-0000 GO DO YOU HEAR\n")
    open("dev-clean/84/121123/84-121123-0000.flac", "w").close()
    clips, texts = read_librispeech("dev-clean")
    assert texts == ["GO DO YOU HEAR"]
    ```
    """
    tables = sorted(Path(folder).rglob("*.trans.txt"))
    if not tables:
        raise FileNotFoundError(
            f"{os.fspath(folder)!r} is no folder with transcripts, <speaker>/<chapter>/*.trans.txt."
        )
    clips, texts, missing = [], [], Lines()
    for table in tables:
        for number, line in lines(table):
            name, _, text = line.partition(" ")
            files = (table.with_name(name + suffix) for suffix in _SUFFIXES)
            clip = next((file for file in files if name and file.is_file()), None)
            if clip is None or not text.strip():
                missing.add(number)
                continue
            clips.append(str(clip))
            texts.append(text.strip())
    if not clips:
        raise ValueError(f"{os.fspath(folder)!r} has transcripts, but none of their clips.")
    if missing.count:
        warnings.warn(
            f"{os.fspath(folder)!r}: {missing.count:,} lines of transcripts left out, without text "
            "or without a clip beside them.",
            stacklevel=2,
        )
    return clips, texts


def read_speech_archive(path, where=None, text="text"):
    """Reads clips in one NumPy file, as of AN4 and of the Free Spoken Digit Dataset.

    The file holds the samples of all clips, one after the other, as 8-bit codes, `audio_mulaw`, and
    `mulaw_table` `(256,)` with the 16-bit sample of each code; `offsets` `(clips + 1,)`, where each
    clip begins; `sample_rate`; and further arrays with a value for each clip.

    Args:
        path: Path of the `.npz` file.
        where: Dict from names of arrays to a value, or a list of values: which clips to read. By
            default all.
        text: The name of the array of transcripts. Numbers from 0 to 9 become English words.

    Returns:
        Tuple of a list of clips, tuples of int16 samples and their rate, and a list of transcripts.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it lacks an array, or no clip is as `where` says.

    Example:
    ```python
    import numpy as np

    from keras_s2s.data import read_speech_archive

    np.savez(
        "digits.npz",
        audio_mulaw=np.zeros(30, "uint8"),
        mulaw_table=np.arange(256, dtype="int16"),
        offsets=[0, 10, 30],
        sample_rate=8000,
        label=[7, 9],
        split=["train", "test"],
    )
    clips, texts = read_speech_archive("digits.npz", {"split": "test"}, "label")
    assert texts == ["nine"] and clips[0][0].shape == (20,)
    ```
    """
    arrays, rows = _arrays(path, where, ("audio_mulaw", "mulaw_table", "sample_rate", text))
    samples, rate = arrays["mulaw_table"][arrays["audio_mulaw"]], int(arrays["sample_rate"])
    offsets = arrays["offsets"]
    clips = [(samples[offsets[row] : offsets[row + 1]], rate) for row in rows]
    return clips, _strings(arrays[text][rows])


def read_speech_values(path, where, name):
    """The values of an array for the clips that `read_speech_archive` reads, as strings.

    Args:
        path: Path of the `.npz` file.
        where: As in `read_speech_archive`.
        name: The name of the array.
    """
    arrays, rows = _arrays(path, where, (name,))
    return _strings(arrays[name][rows])


def _arrays(path, where, names):
    """Arrays of a file by their names, and the indices of the clips that `where` chooses."""
    where = dict(where or {})
    with np.load(path, allow_pickle=False) as file:
        needed = (*names, "offsets", *where)
        missing = [name for name in needed if name not in file]
        if missing:
            raise ValueError(
                f"{os.fspath(path)!r} has no array {missing[0]!r}. It has {', '.join(file)}."
            )
        arrays = {name: file[name] for name in needed}
    chosen = np.full(len(arrays["offsets"]) - 1, True)
    for name, values in where.items():
        values = values if isinstance(values, (list, tuple)) else [values]
        chosen &= np.isin(arrays[name], values)
    if not chosen.any():
        known = {name: sorted({str(value) for value in arrays[name]})[:9] for name in where}
        raise ValueError(f"{os.fspath(path)!r} has no clip with {where}. There are: {known}")
    return arrays, np.flatnonzero(chosen)


def _strings(values):
    """A list of strings; of numbers from 0 to 9 the English words."""
    if values.dtype.kind in "iu" and np.isin(values, range(10)).all():
        values = np.array(_DIGITS)[values]
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    return [str(value) for value in values]
