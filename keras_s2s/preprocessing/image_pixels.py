"""Checks pixels in every form by the same rules, and makes them RGB in 0..255, in TensorFlow."""

import functools

from keras_s2s import _pixels
from keras_s2s._optional import import_tensorflow

#: The numbers of channels that are understood: grey, grey and alpha, RGB, RGBA.
CHANNELS = (1, 2, 3, 4)
_CHANNELS_TEXT = "1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels, the channels last."
_KINDS = ("uint", "int", "float", "bfloat")


def check_form(dtype, shape, name):
    """Checks the dtype and the shape of pixels.

    Args:
        dtype: Name of the dtype.
        shape: Shape of one picture or of a batch, with the channels. Sizes may be None.
        name: What error messages call the picture.

    Raises:
        TypeError: If numbers of this dtype are no pixels.
        ValueError: If the shape is no shape of pictures.
    """
    if not dtype.startswith(_KINDS):
        fix = " Multiply by 255, so that True becomes white." if dtype == "bool" else ""
        raise TypeError(f"{name} must hold numbers in 0..255. Received: {dtype}.{fix}")
    shape = tuple(shape)
    if len(shape) in (3, 4) and shape[-1] in (None, *CHANNELS) and 0 not in shape[-3:]:
        return
    fix = ""
    if len(shape) in (3, 4) and shape[-3] in CHANNELS:
        fix = " Where the channels come first, move them: `np.moveaxis(images, -3, -1)`."
    elif len(shape) == 3 and 0 not in shape:
        fix = " A batch of grey pictures needs an axis for the channel: `images[..., None]`."
    raise ValueError(
        f"{name} must be (height, width, channels) with {_CHANNELS_TEXT} Received: shape {shape}."
        + fix
    )


def checked(pixels, names):
    """Returns the pixels, after a check that they are in their range.

    The range is 0..255, for uint16 0..65535. Pixels that seem to be scaled to a smaller range are
    refused, too: floats none of which is above 1, or uint16 none of which is above 255, unless all
    are 0.

    Args:
        pixels: Tensor `([batch,] height, width, channels)`.
        names: String tensor `([batch])`, what error messages call the pictures.

    Raises:
        tf.errors.InvalidArgumentError: When the operations run. The message names the first bad
            picture, and says what is wrong and how to mend it.
    """
    tf = import_tensorflow()
    checks = []
    if pixels.shape[-1] is None:
        count = tf.shape(pixels)[-1]
        known = (count >= CHANNELS[0]) & (count <= CHANNELS[-1])
        received = tf.strings.as_string(count)
        text = ["Images must have ", _CHANNELS_TEXT, " Received: ", received, " channels."]
        checks.append(tf.debugging.Assert(known, [tf.strings.join(text)]))
    if pixels.dtype != tf.uint8:
        bad = functools.reduce(tf.logical_or, _faults(pixels))

        def text():
            if pixels.shape.rank == 3:
                return fault(pixels, names)
            first = tf.argmax(tf.cast(bad, tf.int32))
            return fault(pixels[first], names[first])

        any_bad = tf.reduce_any(bad)
        checks.append(tf.debugging.Assert(~any_bad, [tf.cond(any_bad, text, lambda: "")]))
    with tf.control_dependencies(checks):
        return tf.identity(pixels)


def fault(pixels, name):
    """What is wrong with the pixels of one picture, in words.

    Args:
        pixels: Tensor `(height, width, channels)`.
        name: String, or string tensor.

    Returns:
        Scalar string tensor; empty where nothing is wrong.
    """
    tf = import_tensorflow()
    if pixels.dtype == tf.uint8:
        return tf.constant("")
    outside, scaled = _faults(pixels)
    wide = _widened(pixels)
    shown = {"shortest": True} if wide.dtype.is_floating else {}
    lowest, highest = (
        tf.strings.as_string(reduce(wide), **shown) for reduce in (tf.reduce_min, tf.reduce_max)
    )
    received = tf.strings.join(["values from ", lowest, " to ", highest])
    range_text, fix = " must hold pixels in 0..255.", ""
    if wide.dtype.is_floating:
        received = tf.where(tf.reduce_any(tf.math.is_nan(wide)), "nan (not a number)", received)
    else:
        fix = " Pixels of 16 bits must be uint16."
    outside_text = [name, range_text, " Received: ", received, ".", fix]
    if pixels.dtype == tf.uint16:
        scaled_text = [name, " is uint16, where white is 65535, but has none above ", highest]
        scaled_text.append(": it seems to hold pixels of 8 bits. Cast it to uint8.")
    else:
        scaled_text = [name, " must hold pixels in 0..255, but has none above ", highest]
        scaled_text.append(
            ": it seems to be scaled to 0..1. Multiply by 255. If it really is that dark, cast it "
            "to uint8."
        )
    texts = [tf.strings.join(text) for text in (outside_text, scaled_text)]
    return tf.where(outside, texts[0], tf.where(scaled, texts[1], ""))


def to_rgb(pixels):
    """Pixels as RGB, on white where they are transparent.

    Args:
        pixels: Tensor `([batch,] height, width, channels)`, checked.

    Returns:
        Float32 `([batch,] height, width, 3)`, in 0..255.
    """
    tf = import_tensorflow()
    if pixels.dtype == tf.uint16:
        # As TensorFlow's decoder of files does.
        pixels = tf.cast(pixels, tf.int32) // 256
    pixels = tf.cast(pixels, tf.float32)
    if pixels.shape[-1] == 3:
        return pixels
    colours, alpha = _parts(pixels)
    if alpha is not None:
        # If the number of channels is known only at run time, alpha may have none: then it is 255.
        alpha = tf.concat([alpha, tf.fill(tf.shape(pixels[..., :1]), 255.0)], axis=-1)[..., :1]
        alpha /= 255.0
        colours = colours * alpha + _pixels.WHITE * (1 - alpha)
    return colours + tf.zeros([3])


def _faults(pixels):
    """Two bools for each picture: whether it is outside of its range, and whether it is scaled."""
    tf = import_tensorflow()
    is_16_bit = pixels.dtype == tf.uint16
    white = 65535 if is_16_bit else _pixels.WHITE
    unit = 255 if is_16_bit else 1 if pixels.dtype.is_floating else 0
    all_of = functools.partial(tf.reduce_all, axis=(-3, -2, -1))
    wide = _widened(pixels)
    scaled = [_pixels.seems_scaled(part, all_of, unit) for part in _parts(wide) if part is not None]
    return _pixels.is_outside(wide, all_of, white), functools.reduce(tf.logical_or, scaled)


def _widened(pixels):
    """Casts pixels to a dtype that has all the numbers that they are compared with."""
    tf = import_tensorflow()
    return tf.cast(pixels, tf.float32 if pixels.dtype.is_floating else tf.int64)


def _parts(pixels):
    """Colours, and alpha or None. If the channels are known only later, alpha may have none."""
    tf = import_tensorflow()
    channels = pixels.shape[-1]
    if channels in (1, 3):
        return pixels, None
    if channels is None:
        channels = tf.shape(pixels)[-1]
    colours = channels - 1 + channels % 2
    return pixels[..., :colours], pixels[..., colours:]
