"""Searches for bytes in strings, in TensorFlow ops."""

from keras_s2s._optional import import_tensorflow


def as_bytes(string):
    """The bytes of a scalar `tf.string`, `(length,)` int32."""
    tf = import_tensorflow()
    return tf.cast(tf.io.decode_raw(string, tf.uint8), tf.int32)


def matches(values, pattern, wildcard=None):
    """Whether a pattern begins at each position of `values (length,)` that has room for it.

    Args:
        values: What `as_bytes` returned.
        pattern: Dict from offsets to the bytes that must be there, integers or int32 tensors.
        wildcard: The number in the pattern that matches any byte, or None.
    """
    tf = import_tensorflow()
    room = tf.maximum(tf.size(values) - max(pattern), 0)
    is_match = tf.ones([room], tf.bool)
    for offset, byte in pattern.items():
        equal = values[offset : offset + room] == byte
        is_match &= equal if wildcard is None else equal | (byte == wildcard)
    return is_match


def text(pattern):
    """The pattern of a plain run of bytes."""
    return dict(enumerate(pattern))
