"""Finds the folder of the images or clips that a file of texts names."""

import os
import warnings
from pathlib import Path

from keras_s2s.recipes.typed_config import RecipeError

# The names of folders in published data sets.
_NAMES = {
    "images": ("Images", "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images"),
    "clips": ("clips", "wavs", "wav", "audio", "recordings"),
}
# Number of names that are looked up in each candidate folder.
_SAMPLE = 50


def find(path, names, folder=None, kind="images"):
    """The folder of the images or clips that a file names.

    Args:
        path: `pathlib.Path` of the file.
        names: List of the names of images or clips.
        folder: The folder, if the caller knows it.
        kind: `"images"` or `"clips"`.

    Returns:
        `pathlib.Path`.

    Raises:
        RecipeError: If there is no folder, or more than half of the files are not in it.
    """
    if folder is None:
        guesses = _guesses(path, _NAMES[kind])
        folder = max(guesses, key=lambda guess: _count(guess, names[:_SAMPLE]))
        if not _count(folder, names[:_SAMPLE]):
            raise RecipeError(
                f"{path}: its {kind}, such as {names[0]!r}, are neither beside it nor in a folder "
                f"{', '.join(_NAMES[kind])} there. Name their folder with --{kind} FOLDER."
            )
    folder = Path(folder)
    if not folder.is_dir():
        raise RecipeError(f"There is no folder {str(folder)!r} of {kind}.")
    missing = [name for name in names if not (folder / name).is_file()]
    if len(missing) > len(names) / 2:
        raise RecipeError(
            f"{path} names {len(names):,} {kind}, of which {len(missing):,} are not in "
            f"{str(folder)!r}, first {missing[0]!r}. Unpack all of them, or name another folder "
            f"with --{kind} FOLDER."
        )
    return folder


def those_there(path, names, folder, kind):
    """The names of the files that are in the folder; a warning says how many are not.

    Args:
        path: Path of the file that names them.
        names: Iterable of names.
        folder: As `find` returned it.
        kind: As in `find`.
    """
    names = list(names)
    there = [name for name in names if (folder / name).is_file()]
    missing = set(names) - set(there)
    if missing:
        warnings.warn(
            f"{str(path)!r}: {len(missing):,} of {len(names):,} {kind} left out, for they are not "
            f"in {str(folder)!r}: first {min(missing)!r}.",
            stacklevel=3,
        )
    return there


def _guesses(path, names):
    # COCO's captions_val2014.json lies in annotations/ beside val2014/.
    coco = path.name.split(".")[0].removeprefix("captions_")
    for above in (path.parent, path.parent.parent):
        yield from (above / name for name in (*names, coco, f"images/{coco}"))
    yield path.parent


def _count(folder, names):
    return sum(os.path.isfile(folder / name) for name in names)
