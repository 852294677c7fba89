"""Reads how a camera was held from Exif data, and turns images upright, in TensorFlow ops.

The data are a TIFF file: byte order, place of a list of entries, entries of 12 bytes (Exif 2.3,
https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf, section 4.6). JPEG has them in the segment
APP1, PNG in the chunk eXIf, WebP in the chunk EXIF.
"""

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import byte_search

# Bytes to search: the data have at most 64 KiB, with only small parts before or after them.
_LENGTH = 2 * 65536
_ANY = -1
# The bytes before the data: in JPEG the segment's marker and length, and the header of the data;
# else the chunk's length, of less than 64 KiB, and name, or name and length.
_BEGINNINGS = {
    "JPEG": [0xFF, 0xE1, _ANY, _ANY, *b"Exif"],
    "PNG": [0, 0, _ANY, _ANY, *b"eXIf"],
    "GIF": [256] * 8,  # GIF has no Exif data.
    "WebP": [*b"EXIF", _ANY, _ANY, 0, 0],
}
# JPEG always has this header, and some programs write it to other formats, too.
_HEADER = b"Exif\0\0"
_ORIENTATION = 0x0112
_MOST_ENTRIES = 64


def orientation(contents, kind):
    """The orientation of an image file.

    Args:
        contents: Scalar `tf.string`.
        kind: Scalar int32, the number of the format: JPEG, PNG, GIF, WebP.

    Returns:
        Scalar int32, 1 to 8; 1, which is upright, if the file has no valid orientation.
    """
    tf = import_tensorflow()
    is_jpeg = kind == list(_BEGINNINGS).index("JPEG")
    # Other formats may have the data at the end, but other data may follow the end of a JPEG.
    length = tf.strings.length(contents)
    end = tf.where(is_jpeg, 0, tf.clip_by_value(length - _LENGTH, 0, _LENGTH))
    parts = [
        tf.strings.substr(contents, 0, _LENGTH),
        tf.strings.substr(contents, length - end, end),
    ]
    values = byte_search.as_bytes(tf.strings.join(parts))
    beginning = tf.gather(tf.constant(list(_BEGINNINGS.values())), kind)
    size = len(_BEGINNINGS["JPEG"])
    places = byte_search.matches(values, {i: beginning[i] for i in range(size)}, _ANY)
    # In JPEG, the last four bytes of the pattern begin the header of the data.
    start = tf.argmax(places, output_type=tf.int32) + tf.where(is_jpeg, size - 4, size)
    # Bytes read after the end are 0.
    last = tf.size(values)
    values = tf.concat([values, [0]], axis=0)

    def byte(at):
        return tf.gather(values, tf.clip_by_value(at, 0, last))

    start += tf.where(byte(start) == _HEADER[0], len(_HEADER), 0)
    little = byte(start) == ord("I")

    def short(at):
        low, high = byte(at), byte(at + 1)
        return tf.where(little, low + 256 * high, 256 * low + high)

    # Only 16 of 32 bits are read: if the others are not 0, the place is outside of the segment.
    entries = start + short(start + 4 + tf.where(little, 0, 2))
    number = tf.range(tf.minimum(short(entries), _MOST_ENTRIES))
    tags = entries + 2 + 12 * number
    is_orientation = short(tags) == _ORIENTATION
    # The position of the only such tag, or 0 if there is none.
    value = short(tf.reduce_sum(tf.where(is_orientation, tags, 0)) + 8)
    valid = tf.reduce_any(places) & tf.reduce_any(is_orientation) & (value >= 1) & (value <= 8)
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
