"""Finds the folder of the images that a file of captions names."""

import os
from pathlib import Path

from keras_s2s.recipes.typed_config import RecipeError

# The names of image folders in published data sets.
_NAMES = "Images", "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images"
# Number of image names that are looked up in each candidate folder.
_SAMPLE = 50


def find(path, names, folder=None):
    """The folder of the images that a file names.

    Args:
        path: `pathlib.Path` of the file.
        names: List of the images' names.
        folder: The folder, if the caller knows it.

    Returns:
        `pathlib.Path`.

    Raises:
        RecipeError: If there is no folder, or more than half of the images are not in it.
    """
    if folder is None:
        folder = max(_guesses(path), key=lambda guess: _count(guess, names[:_SAMPLE]))
        if not _count(folder, names[:_SAMPLE]):
            raise RecipeError(
                f"{path}: its images, such as {names[0]!r}, are neither beside it nor in a folder "
                f"{', '.join(_NAMES)} there. Name their folder with --images FOLDER."
            )
    folder = Path(folder)
    if not folder.is_dir():
        raise RecipeError(f"There is no folder {str(folder)!r} of images.")
    missing = [name for name in names if not (folder / name).is_file()]
    if len(missing) > len(names) / 2:
        raise RecipeError(
            f"{path} names {len(names):,} images, of which {len(missing):,} are not in "
            f"{str(folder)!r}, first {missing[0]!r}. Unpack all of them, or name another folder "
            "with --images FOLDER."
        )
    return folder


def _guesses(path):
    # COCO's captions_val2014.json lies in annotations/ beside val2014/.
    coco = path.name.split(".")[0].removeprefix("captions_")
    for above in (path.parent, path.parent.parent):
        yield from (above / name for name in (*_NAMES, coco, f"images/{coco}"))
    yield path.parent


def _count(folder, names):
    return sum(os.path.isfile(folder / name) for name in names)
