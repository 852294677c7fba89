"""Looking for bytes in strings, in TensorFlow ops."""

import functools

from keras_s2s._optional import import_tensorflow


def as_bytes(string):
    """The bytes of a scalar `tf.string`, `(length,)` int32."""
    tf = import_tensorflow()
    return tf.cast(tf.io.decode_raw(string, tf.uint8), tf.int32)


def matches(values, pattern):
    """Where a pattern begins: bool, for each place of `(length,)` where there is room for it.

    Args:
        values: What `as_bytes` returned.
        pattern: Dict from offsets to the byte that must be there, or a tuple of bytes one of which
            must.
    """
    tf = import_tensorflow()
    room = tf.maximum(tf.size(values) - max(pattern), 0)
    found = tf.ones([room], tf.bool)
    for offset, byte in pattern.items():
        part = values[offset : offset + room]
        options = byte if isinstance(byte, tuple) else (byte,)
        found &= functools.reduce(tf.logical_or, [part == option for option in options])
    return found


def text(pattern, offset=0):
    """The pattern of a plain run of bytes, from `offset` on."""
    return dict(enumerate(pattern, offset))
