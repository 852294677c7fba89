"""What users pass as images, made one thing: a list of items, checked."""

import os
from typing import NamedTuple

import numpy as np

from keras_s2s.preprocessing import image_files
from keras_s2s.preprocessing.columns import as_column, is_collection, plain

#: The numbers of channels that are understood: grey, grey and alpha, RGB, RGBA.
CHANNELS = (1, 2, 3, 4)


class ImageItem(NamedTuple):
    """One image.

    Attributes:
        value: `bytes` of an image file, `str` path of one, or `(height, width, channels)` array.
        name: What error messages call it.
    """

    value: object
    name: str


def as_items(images, name="images", failures=None):
    """Returns the images as a list of `ImageItem`, and whether it was one image.

    Args:
        images: One image or several. One is a path (`str` or `os.PathLike`), the `bytes` of a JPEG,
            PNG, GIF or WebP file, an array or tensor `(height, width)` or `(height, width,
            channels)` in 0..255, or a PIL image. Several are a column of these as
            `keras_s2s.preprocessing.columns.as_column` takes it, an array `(batch, height, width,
            channels)`, or an array or tensor of strings, which are contents of files or paths.
        name: What error messages call the argument.
        failures: None, or a dict which gets the errors of single images by their index, where the
            list has None then.

    Raises:
        TypeError: If an image is something else. The message names it.
        ValueError: If an array has another rank, number of channels, or values outside 0..255.
        FileNotFoundError: If there is no file at a path.

    Example:
    ```python
    import numpy as np
    from keras_s2s.preprocessing.image_items import as_items

    items, single = as_items(np.zeros((2, 8, 8, 3), "uint8"))
    assert [item.name for item in items] == ["images[0]", "images[1]"] and not single
    ```
    """
    images = plain(images)
    if is_one(images):
        return [_item_or_failure(images, name, 0, failures)], True
    if not is_collection(images):
        raise TypeError(
            f"`{name}` must be an image or a list of images: paths, contents of files, arrays or "
            f"PIL images. Received: {_describe(images)}"
        )
    images = np.asarray(images) if _is_array(images) else as_column(images, name)
    if isinstance(images, np.ndarray):
        if images.ndim not in (1, 4) or (images.ndim == 1) != (images.dtype.kind in "OSTU"):
            raise ValueError(
                f"`{name}` must be (height, width, channels) for one image, (batch, height, width, "
                f"channels) for several, or an array of strings. Received: {images.dtype.name} of "
                f"shape {images.shape}"
            )
    return [
        _item_or_failure(image, f"{name}[{i}]", i, failures) for i, image in enumerate(images)
    ], False


def is_one(image):
    """Whether this is one image, and not several."""
    if isinstance(image, (ImageItem, str, bytes, os.PathLike)) or hasattr(image, "getexif"):
        return True
    return _is_array(image) and len(image.shape) in (0, 2, 3)


def _is_array(x):
    return hasattr(x, "__array__") and hasattr(x, "shape") and hasattr(x, "dtype")


def _item_or_failure(image, name, index, failures):
    if failures is None:
        return _item(image, name)
    try:
        return _item(image, name)
    except (TypeError, ValueError, OSError) as error:
        failures[index] = error
        return None


def _item(image, name):
    image = plain(image)
    if isinstance(image, ImageItem):
        return image
    if hasattr(image, "getexif"):
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
        alpha = "A" in image.getbands() or "transparency" in image.info
        return ImageItem(np.asarray(image.convert("RGBA" if alpha else "RGB")), name)
    if _is_array(image):
        image = np.asarray(image)
        if image.ndim == 0:
            image = image.item()
    if isinstance(image, bytes):
        if image_files.is_image_file(image):
            return ImageItem(image, name)
        path = image.decode("utf-8", "surrogateescape")
        if "\0" in path or not os.path.isfile(path):
            raise ValueError(
                f"`{name}` is no {image_files.FORMATS} file, and no path of one: it begins with "
                f"{image[:20]!r}."
            )
        image = path
    if isinstance(image, (str, os.PathLike)):
        return _file(os.fspath(image), name)
    if isinstance(image, np.ndarray):
        return ImageItem(_checked(image, name), name)
    raise TypeError(
        f"`{name}` must be the path of an image, the contents of a file, an array or a PIL image. "
        f"Received: {_describe(image)}"
    )


def _file(path, name):
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`{name}`: there is no file {path!r}.")
    with open(path, "rb") as file:
        head = file.read(16)
    if not image_files.is_image_file(head):
        raise ValueError(
            f"`{name}`: the file {path!r} is no {image_files.FORMATS} image; it begins with "
            f"{head!r}."
        )
    return ImageItem(path, f"{name}: {path}")


def _checked(image, name):
    """The array as `(height, width, channels)`, in 0..255."""
    if image.dtype.kind not in "uif":
        raise TypeError(f"`{name}` must hold numbers in 0..255. Received: {image.dtype.name}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in CHANNELS or 0 in image.shape:
        raise ValueError(
            f"`{name}` must be (height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB) "
            f"or 4 (RGBA) channels, the channels last. Received: shape {image.shape}"
        )
    lowest, highest = image.min(), image.max()
    # Also where one is NaN.
    if not (lowest >= 0 and highest <= 255):
        raise ValueError(
            f"`{name}` must hold pixels in 0..255. Received: values from {lowest} to {highest}"
        )
    if image.dtype.kind == "f" and 0 < highest <= 1:
        raise ValueError(
            f"`{name}` must hold pixels in 0..255, but has none above {highest}: it seems to be "
            "scaled to 0..1. Multiply by 255."
        )
    return image


def _describe(value):
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
