"""Decodes image files to pixels, in TensorFlow ops, for tf.data, `generate` and exports."""

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import byte_search, gif_transparency, image_orientation

# The first bytes of each format. The order of formats is the same everywhere below.
_BEGINNINGS = {
    "JPEG": {0: b"\xff\xd8\xff"},
    "PNG": {0: b"\x89PNG\r\n\x1a\n"},
    "GIF": {0: b"GIF8"},
    "WebP": {0: b"RIFF", 8: b"WEBP"},
}
FORMATS = "JPEG, PNG, GIF or WebP"
# Images that can be decoded at a smaller size are read at least this many times as large as needed.
_SPARE = 2
_WHITE = 255.0


def is_image_file(contents):
    """Whether a string begins as files of these formats do.

    Args:
        contents: `bytes` or a `tf.string` tensor.

    Returns:
        `bool`, or a bool tensor of the same shape.
    """
    if not isinstance(contents, bytes):
        return import_tensorflow().reduce_any(_kinds(contents), axis=0)
    return any(
        all(contents[at : at + len(part)] == part for at, part in beginning.items())
        for beginning in _BEGINNINGS.values()
    )


def _kinds(contents):
    """Whether strings are of each format, bool `(formats, ...)`, at most one of which is True."""
    tf = import_tensorflow()
    # Padded, since `substr` refuses strings that are too short.
    padded = tf.strings.join([contents, "\0" * 16])

    def has(at, part):
        return tf.strings.substr(padded, at, len(part)) == part

    return tf.stack(
        [
            tf.reduce_all(tf.stack([has(*part) for part in beginning.items()]), axis=0)
            for beginning in _BEGINNINGS.values()
        ]
    )


def decode(contents, size, name, with_webp=True):
    """The pixels of one file, resized; if it has several frames, of the first.

    Transparent parts become white. Pictures are turned as the Exif data of JPEG, PNG and WebP
    files say.

    Args:
        contents: Scalar `tf.string`, the bytes of a JPEG, PNG, GIF or WebP file.
        size: Tuple of height and width of the result. The aspect ratio is not kept.
        name: Scalar `tf.string`, what an error message calls the file.
        with_webp: Whether WebP is understood, for which older TensorFlows have no operation.

    Returns:
        Float32 `(height, width, 3)`, in 0..255.

    Raises:
        tf.errors.InvalidArgumentError: If the file is something else, cut short or damaged.
    """
    tf = import_tensorflow()
    readers = [_read_jpeg, _read_png, _read_gif, _read_webp][: 4 if with_webp else 3]
    kinds = _kinds(contents)[: len(readers)]
    known = tf.reduce_any(kinds)
    complete = tf.reduce_any(kinds & _has_end(contents)[: len(readers)])
    checks = [
        # For animated images, the operation for WebP would write outside of its memory.
        tf.debugging.Assert(
            ~_is_animated_webp(contents), ["This is an animated WebP image; take one frame:", name]
        ),
        tf.debugging.Assert(known, [f"This is no {FORMATS} image:", name]),
        tf.debugging.Assert(complete | ~known, ["This image is cut short:", name]),
    ]
    with tf.control_dependencies(checks):
        contents, kind = tf.identity(contents), tf.argmax(kinds, output_type=tf.int32)
    orientation = image_orientation.orientation(contents, kind)
    turned = image_orientation.is_turned(orientation)
    lying = tf.where(turned, [size[1], size[0]], [size[0], size[1]])
    pixels = tf.switch_case(kind, [lambda read=read: read(contents, lying) for read in readers])
    return tf.ensure_shape(image_orientation.turn(pixels, orientation), (*size, 3))


def _has_end(contents):
    """Bool `(formats,)`: whether the file's end is there, if it is of that format."""
    tf = import_tensorflow()
    length = tf.strings.length(contents)
    # Some cameras and programs write more data after the end.
    count = tf.minimum(length, 65536)
    tail = byte_search.as_bytes(tf.strings.substr(contents, length - count, count))
    jpeg, png = (
        tf.reduce_any(byte_search.matches(tail, byte_search.text(end)))
        for end in (b"\xff\xd9", b"IEND")
    )
    # The end of a GIF also occurs by chance within it, so it must be last, apart from zeros.
    filled = tf.concat([[0, 0], tf.boolean_mask(tail, tf.cumsum(tail, reverse=True) > 0)], axis=0)
    gif = tf.reduce_all(filled[-2:] == [0, 0x3B])
    # A WebP file has its length in its header.
    head = byte_search.as_bytes(tf.strings.substr(contents, 0, 8))
    head = tf.concat([head, tf.zeros([8], tf.int32)], axis=0)[4:8]
    declared_size = tf.reduce_sum(tf.cast(head, tf.int64) * [1, 256, 65536, 16777216])
    return tf.stack([jpeg, png, gif, declared_size + 8 <= tf.cast(length, tf.int64)])


def _is_animated_webp(contents):
    tf = import_tensorflow()
    head = byte_search.as_bytes(tf.strings.substr(contents, 0, 21))
    head = tf.concat([head, tf.zeros([21], tf.int32)], axis=0)
    animated = head[20] // 2 % 2 == 1  # the second bit of the flags
    return animated & tf.reduce_all(head[8:16] == list(b"WEBPVP8X"))


def _read_jpeg(contents, size):
    tf = import_tensorflow()
    # Large images are decoded at 1/2, 1/4 or 1/8 of their size, which is far cheaper.
    shape = tf.io.extract_jpeg_shape(contents)[:2]
    spare = tf.reduce_min(shape // (_SPARE * size))
    ratios = (1, 2, 4, 8)
    index = tf.reduce_sum(tf.cast(spare >= tf.constant(ratios[1:]), tf.int32))
    pixels = tf.switch_case(
        index,
        [
            lambda ratio=ratio: tf.io.decode_jpeg(
                contents, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
            )
            for ratio in ratios
        ],
    )
    return resize(pixels, size)


def _read_png(contents, size):
    tf = import_tensorflow()
    # Alpha is read only if the file has it: for pixels of one bit, TensorFlow would make up an
    # alpha of 1 in place of 255.
    head = byte_search.as_bytes(tf.strings.substr(contents, 0, 65536))
    header = tf.concat([head, tf.zeros([26], tf.int32)], axis=0)
    data, transparency = (
        byte_search.matches(head, byte_search.text(name)) for name in (b"IDAT", b"tRNS")
    )
    before_data = tf.cumsum(tf.cast(data, tf.int32)) == 0
    has_alpha = (header[25] >= 4) | tf.reduce_any(transparency & before_data)
    return tf.cond(
        has_alpha,
        lambda: _resize_over_white(tf.io.decode_png(contents, channels=4), size),
        lambda: resize(tf.io.decode_png(contents, channels=3), size),
    )


def _read_gif(contents, size):
    tf = import_tensorflow()
    opaque = gif_transparency.on_white(contents)
    pixels = tf.io.decode_image(opaque, channels=3, expand_animations=False)
    pixels.set_shape((None, None, 3))
    return resize(pixels, size)


def _read_webp(contents, size):
    tf = import_tensorflow()
    first = tf.io.decode_webp(contents)[0]
    # Add an opaque alpha channel if the file has none.
    opaque = tf.pad(first, [[0, 0], [0, 0], [0, 4 - tf.shape(first)[2]]], constant_values=255)
    return _resize_over_white(tf.ensure_shape(opaque, (None, None, 4)), size)


def _resize_over_white(pixels, size):
    """`(height, width, 4)` to `(*size, 3)`."""
    tf = import_tensorflow()

    def blend():
        alpha = tf.cast(pixels[..., 3:], tf.float32) / 255.0
        return resize(tf.cast(pixels[..., :3], tf.float32) * alpha + _WHITE * (1 - alpha), size)

    # Most images have no transparent part.
    opaque = tf.reduce_all(pixels[..., 3] == 255)
    return tf.cond(opaque, lambda: resize(pixels[..., :3], size), blend)


def resize(pixels, size):
    """Resizes `([batch,] height, width, channels)` bilinearly, without aliasing, to float32.

    Nearly black images become black: if they were passed in again, floats of which none is above 1
    would seem to be scaled to 0..1.
    """
    tf = import_tensorflow()
    # Clipped, since rounded weights may sum to a little more than 1.
    resized = tf.clip_by_value(tf.image.resize(pixels, size, antialias=True), 0.0, 255.0)
    highest = tf.reduce_max(resized, axis=(-3, -2, -1), keepdims=True)
    return tf.where(highest > 1, resized, 0.0)
