"""Turns images in any form that users pass into a list of checked items."""

import os
from typing import NamedTuple

import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import image_files, image_pixels
from keras_s2s.preprocessing.as_column import (
    as_column,
    describe,
    is_array,
    is_collection,
    item_or_failure,
    plain,
)


class ImageItem(NamedTuple):
    """One image.

    Attributes:
        value: `bytes` of an image file, `str` path of one, or `(height, width, channels)` array.
        name: Its name in error messages.
    """

    value: object
    name: str


def as_items(images, name="images", failures=None):
    """Returns the images as a list of `ImageItem`, and whether a single image was passed.

    Args:
        images: One image or several. One is a path (`str`, `bytes` or `os.PathLike`), the `bytes`
            of a JPEG, PNG, GIF or WebP file, an array or tensor `(height, width)` or `(height,
            width, channels)` in 0..255, of uint16 in 0..65535, or a PIL image. Several are a
            column of these as `keras_s2s.preprocessing.as_column.as_column` takes it, an array
            `(batch, height, width, channels)`, a `tf.RaggedTensor` of such pictures, or an array
            or tensor of strings, which are contents of files or paths.
        name: What error messages call the argument.
        failures: None, or a dict which gets the errors of single images by their index; the list
            has None there.

    Raises:
        TypeError: If an image is something else. The message names it.
        ValueError: If an array has another rank, number of channels, or values outside of its
            range, or seems to be scaled to 0..1.
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
    if _is_ragged(images):
        is_batch = len(images.shape) == 4
        images = (
            [images[i] for i in range(int(images.nrows()))] if is_batch else _dense(images, name)
        )
    if is_one(images):
        return [item_or_failure(_item, images, name, 0, failures)], True
    if not is_collection(images):
        raise TypeError(
            f"`{name}` must be an image or a list of images: paths, contents of files, arrays or "
            f"PIL images. Received: {describe(images)}"
        )
    images = _as_numpy(images) if is_array(images) else as_column(images, name)
    if isinstance(images, np.ndarray):
        if images.ndim not in (1, 4) or (images.ndim == 1) != (images.dtype.kind in "OSTU"):
            raise ValueError(
                f"`{name}` must be (height, width, channels) for one image, (batch, height, width, "
                f"channels) for several, or an array of strings. Received: {images.dtype.name} of "
                f"shape {images.shape}"
            )
    return [
        item_or_failure(_item, image, f"{name}[{i}]", i, failures) for i, image in enumerate(images)
    ], False


def is_one(image):
    """Whether this is one image, and not several."""
    if isinstance(image, (ImageItem, str, bytes, os.PathLike)) or hasattr(image, "getexif"):
        return True
    return is_array(image) and len(image.shape) in (0, 2, 3)


def _is_ragged(x):
    return hasattr(x, "ragged_rank") and hasattr(x, "to_tensor")


def _dense(image, name):
    """A ragged picture as an array."""
    if len(np.unique(image.row_lengths())) > 1:
        raise ValueError(f"`{name}`: all rows of a picture must be equally wide.")
    return image.to_tensor()


def _as_numpy(x):
    """An array of a dtype that NumPy knows."""
    if hasattr(x, "detach"):
        # NumPy takes PyTorch's tensors only from the CPU, without gradients, and not of all dtypes.
        x = x.detach().cpu()
        x = x.float() if x.is_floating_point() else x
    x = np.asarray(x)
    return x.astype("float32") if x.dtype.name == "bfloat16" else x


def _item(image, name):
    image = plain(image)
    if isinstance(image, ImageItem):
        return image
    if hasattr(image, "getexif"):
        return ImageItem(_checked(_of_pillow(image, name), name), name)
    if _is_ragged(image):
        image = _dense(image, name)
    if is_array(image):
        image = _as_numpy(image)
        if image.ndim == 0:
            image = image.item()
    if isinstance(image, bytes):
        if image_files.is_image_file(image):
            return ImageItem(image, name)
        path = os.fsdecode(image)
        if "\0" in path or not os.path.isfile(path):
            raise ValueError(
                f"`{name}` is neither the contents nor the path of a {image_files.FORMATS} file: "
                f"it begins with {image[:20]!r}."
            )
        image = path
    if isinstance(image, (str, os.PathLike)):
        return _file(os.fsdecode(image), name)
    if isinstance(image, np.ndarray):
        return ImageItem(_checked(image, name), name)
    raise TypeError(
        f"`{name}` must be the path of an image, the contents of a file, an array or a PIL image. "
        f"Received: {describe(image)}"
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


def _of_pillow(image, name):
    """The pixels that the file of the image would give."""
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            return np.asarray(image)
        if image.mode.startswith("I"):
            return _of_16_bits(image, name)
        if image.mode == "La":
            image = image.convert("LA")
        # Only the last band can be alpha: "LAB" has a band "A", too.
        alpha = image.getbands()[-1] in ("A", "a") or "transparency" in image.info
        return np.asarray(image.convert("RGBA" if alpha else "RGB"))
    except (OSError, SyntaxError) as error:
        raise ValueError(f"`{name}` cannot be read by Pillow: {error}.") from error


def _of_16_bits(image, name):
    """Grey pixels of 16 bits, as Pillow would write them to a file."""
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > 65535:
        raise ValueError(
            f"`{name}` is a PIL image of mode {image.mode}, which must hold pixels in 0..65535. "
            f"Received: values from {grey.min()} to {grey.max()}."
        )
    grey = grey.astype("uint16")
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey
    return np.stack([grey, np.where(grey == transparent, 0, 65535).astype("uint16")], axis=-1)


def _checked(image, name):
    """The array as `(height, width, channels)`, after a check of its range."""
    if image.ndim == 2:
        image = image[..., None]
    image_pixels.check_form(image.dtype.name, image.shape, f"`{name}`")
    if image.dtype != np.uint8:
        tensor = import_tensorflow().convert_to_tensor(image)
        fault = image_pixels.fault(tensor, f"`{name}`").numpy().decode()
        if fault:
            raise ValueError(fault)
    return image
