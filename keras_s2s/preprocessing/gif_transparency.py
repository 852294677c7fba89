"""Makes the transparent colour of GIF files white, since TensorFlow's decoder makes it black.

A file is a header, a table of colours, and blocks: extensions, one of which tells the transparent
colour, and images (https://www.w3.org/Graphics/GIF/spec-gif89a.txt).
"""

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import byte_search

_LENGTH = 65536
_COLOURS = 13
_EXTENSION, _CONTROL = 0x21, 0xF9


def on_white(contents):
    """The file with white in place of the transparent colour of its first image.

    Args:
        contents: Scalar `tf.string`, a GIF file.

    Returns:
        Scalar `tf.string`.
    """
    tf = import_tensorflow()
    values = byte_search.as_bytes(tf.strings.substr(contents, 0, _LENGTH))
    last = tf.size(values)
    values = tf.concat([values, [0]], axis=0)

    def byte(at):
        return tf.gather(values, tf.minimum(at, last))

    def has_colours(at):
        return byte(at) // 128 == 1

    def in_extension(place, within, control):
        return (within | (byte(place) == _EXTENSION)) & (place < last)

    def go_on(place, within, control):
        """Skips the beginning of an extension, or one of its parts, of which the last is empty."""
        is_control = ~within & (byte(place + 1) == _CONTROL)
        step = tf.where(within, 1 + byte(place), 2)
        return place + step, ~within | (byte(place) > 0), tf.where(is_control, place, control)

    size = 3 * 2 ** (byte(10) % 8 + 1)
    first = _COLOURS + tf.where(has_colours(10), size, 0)
    state = first, tf.constant(False), tf.constant(0)
    image, _, control = tf.while_loop(in_extension, go_on, state)
    is_transparent = (control > 0) & (byte(control + 3) % 2 == 1)
    colours = tf.where(has_colours(image + 9), image + 10, _COLOURS)

    def replaced():
        opaque = _replace(contents, control + 3, b"\0")
        return _replace(opaque, colours + 3 * byte(control + 6), b"\xff\xff\xff")

    return tf.cond(is_transparent, replaced, lambda: contents)


def _replace(contents, place, new):
    tf = import_tensorflow()
    length = tf.strings.length(contents)
    end = tf.minimum(place + len(new), length)
    before, after = (
        tf.strings.substr(contents, 0, place),
        tf.strings.substr(contents, end, length - end),
    )
    return tf.strings.join([before, new, after])
