"""Which pixel values are valid: one rule for images in every form, on every backend."""

WHITE = 255
TEXT = (
    "Images must hold pixels in 0..255, and not be scaled to 0..1: the encoder scales them itself. "
    "Multiply by 255; if they really are that dark, cast them to uint8. Index of the first such "
    "image:"
)


def is_outside(pixels, all_of, white=WHITE):
    """Whether a pixel of a picture is below 0, above `white` or not a number.

    Args:
        pixels: A tensor of any backend.
        all_of: Function that reduces a bool tensor to one value for each picture.
        white: The largest value allowed.
    """
    return ~all_of((pixels >= 0) & (pixels <= white))


def seems_scaled(pixels, all_of, unit=1):
    """Whether a picture seems to be scaled to `0..unit`.

    A black picture is the same in every range. Any other picture without a pixel above `unit` is
    taken for a scaled one: in 0..255 it would be too dark to show anything.

    Args:
        pixels: As in `is_outside`.
        all_of: As in `is_outside`.
        unit: White in the smaller range.
    """
    return all_of(pixels <= unit) & ~all_of(pixels <= 0)


def check(images, start=0):
    """Raises a `ValueError` if images, an array `(batch, height, width, 3)`, are not in 0..255.

    Args:
        images: A NumPy array.
        start: The number that the message gives to the first image.
    """
    if images.dtype == "uint8":
        return

    def all_of(values):
        return values.all(axis=(1, 2, 3))

    bad = is_outside(images, all_of)
    if images.dtype.kind not in "ui":
        bad |= seems_scaled(images, all_of)
    if bad.any():
        raise ValueError(f"{TEXT} {start + bad.argmax()}.")
