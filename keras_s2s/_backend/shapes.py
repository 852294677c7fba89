"""Sizes and products in few operations.

Most of the time of a model's first call, first training step and export goes to making the
operations of TensorFlow's graphs, and `keras.ops` makes many if sizes are unknown: the product of
`(batch, steps, dim)` and a matrix takes 34 operations, `product` takes 12.
"""

import keras
from keras import ops


def size(x, axis):
    """The size of one axis: an integer if it is known, else a scalar tensor.

    `keras.ops.shape` makes a tensor for each unknown axis.
    """
    known = x.shape[axis]
    if known is not None or keras.backend.backend() != "tensorflow":
        return known
    import tensorflow as tf

    return tf.shape(x)[axis] if tf.is_tensor(x) else known


def product(x, matrix):
    """`x (..., dim) @ matrix (dim, units)`, or the products of a batch of matrices."""
    if keras.backend.backend() != "tensorflow" or len(matrix.shape) > 2 or len(x.shape) <= 2:
        return ops.matmul(x, matrix)
    import tensorflow as tf

    sizes = x.shape[:-1].as_list()
    rows = tf.matmul(tf.reshape(x, (-1, matrix.shape[0])), matrix)
    if sizes.count(None) == 1 and 0 not in sizes:
        return tf.reshape(rows, [-1 if n is None else n for n in sizes] + [matrix.shape[1]])
    if None not in sizes:
        return tf.reshape(rows, (*sizes, matrix.shape[1]))
    shaped = tf.reshape(rows, tf.concat([tf.shape(x)[:-1], [matrix.shape[1]]], axis=0))
    shaped.set_shape((*sizes, matrix.shape[1]))
    return shaped


def add(first, *others):
    """The sum of tensors of one shape.

    The gradient of TensorFlow's `+` allows for shapes that differ, which takes seven operations
    if sizes are unknown.
    """
    if keras.backend.backend() != "tensorflow":
        return sum(others, start=first)
    import tensorflow as tf

    return tf.add_n([first, *others])


def add_bias(x, bias):
    """`x (..., units) + bias (units,)`."""
    if keras.backend.backend() != "tensorflow":
        return x + bias
    import tensorflow as tf

    return tf.nn.bias_add(x, bias)


def repeat_rows(x, times):
    """`x (rows, ...)` with each row `times` times, side by side."""
    if not isinstance(times, int):
        return ops.repeat(x, times, axis=0)
    if times == 1:
        return x
    repeated = ops.stack([x] * times, axis=1)
    rest = tuple(x.shape[1:])
    if None in rest or 0 in rest:
        rest = tuple(ops.shape(x)[1:])
        return ops.reshape(repeated, (size(x, 0) * times, *rest))
    return ops.reshape(repeated, (-1, *rest))
