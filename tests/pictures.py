"""Pictures for tests, drawn and written by Pillow, which is the reference for reading them."""

import io

import numpy as np
from PIL import Image, ImageOps


def picture(width=160, height=120, seed=0):
    """A smooth RGB picture, so that formats which lose details stay close."""
    few = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), "uint8")
    return Image.fromarray(few).resize((width, height), Image.Resampling.BILINEAR)


def encoded(image, kind, **options):
    """The contents of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation, image=None):
    """A JPEG file that says how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture() if image is None else image, "JPEG", quality=95, exif=exif)


def expected(image, size=(32, 40)):
    """Pixels `(height, width, 3)` as Pillow makes them: upright, on white, resized."""
    if isinstance(image, bytes):
        image = Image.open(io.BytesIO(image))
    image = ImageOps.exif_transpose(image).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image).convert("RGB")
    resized = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized, "float32")
