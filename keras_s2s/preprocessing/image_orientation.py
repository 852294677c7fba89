"""How a camera was held, as the Exif data of JPEG files tell it, in TensorFlow ops.

The data are a TIFF file within the segment APP1: byte order, place of a list of entries, entries of
12 bytes (Exif 2.3, https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf, section 4.6).
"""

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import byte_search

# One segment of at most 64 KiB, with small ones at most before it.
_LENGTH = 2 * 65536
# The marker of the segment, its length in two bytes, and what it begins with.
_SEGMENT = {0: 0xFF, 1: 0xE1, **{4 + i: byte for i, byte in enumerate(b"Exif\0\0")}}
_TIFF_OFFSET = 10
_ORIENTATION = 0x0112
_MOST_ENTRIES = 64


def orientation(contents):
    """The orientation of a JPEG file.

    Args:
        contents: Scalar `tf.string`.

    Returns:
        Scalar int32, 1 to 8; 1, as it is, where the file says nothing or nonsense.
    """
    tf = import_tensorflow()
    values = byte_search.as_bytes(tf.strings.substr(contents, 0, _LENGTH))
    segment = byte_search.matches(values, _SEGMENT)
    start = tf.argmax(segment, output_type=tf.int32) + _TIFF_OFFSET
    # What is read behind the end is 0.
    last = tf.size(values)
    values = tf.concat([values, [0]], axis=0)

    def byte(at):
        return tf.gather(values, tf.clip_by_value(at, 0, last))

    little = byte(start) == ord("I")

    def short(at):
        low, high = byte(at), byte(at + 1)
        return tf.where(little, low + 256 * high, 256 * low + high)

    # The upper half of these 32 bits is 0, or the place lies outside of the segment.
    entries = start + short(start + 4 + tf.where(little, 0, 2))
    number = tf.range(tf.minimum(short(entries), _MOST_ENTRIES))
    places = entries + 2 + 12 * number
    found = short(places) == _ORIENTATION
    # The one place, or 0 if there is none.
    value = short(tf.reduce_sum(tf.where(found, places, 0)) + 8)
    valid = tf.reduce_any(segment) & tf.reduce_any(found) & (value >= 1) & (value <= 8)
    return tf.where(valid, value, 1)


def is_turned(orientation):
    """Whether height and width change places."""
    return orientation >= 5


def turn(pixels, orientation):
    """Turns and mirrors `(height, width, channels)` so that it is upright."""
    tf = import_tensorflow()
    turned = tf.cond(
        is_turned(orientation), lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels
    )

    def one_of(*values):
        return tf.reduce_any(orientation == tf.constant(values))

    for axis, mirrored in ((1, one_of(2, 3, 6, 7)), (0, one_of(3, 4, 7, 8))):
        turned = tf.where(mirrored, tf.reverse(turned, [axis]), turned)
    return turned
