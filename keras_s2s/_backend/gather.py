"""Takes rows of tensors at indices that are known to be valid.

`keras.ops.take` looks for negative indices first, which was a tenth of the operations of a search.
"""

import keras
from keras import ops


def take_rows(x, rows):
    """`x (size, ...)` at `rows`, of any shape: `rows.shape + (...)`, also if x is empty.

    Args:
        x: A tensor.
        rows: Tensor of integers from 0 to `size - 1`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(x, rows)
    # JAX returns an empty x unchanged, whatever the shape of `rows`.
    taken = ops.take(x, rows, axis=0)
    return ops.reshape(taken, tuple(ops.shape(rows)) + tuple(ops.shape(x)[1:]))


def select(x, indices):
    """`x (batch, size, ...)` at `indices (batch, n)`, from 0 to `size - 1`: `(batch, n, ...)`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(x, indices, axis=1, batch_dims=1)
    batch, size = ops.shape(x)[:2]
    row = ops.expand_dims(ops.arange(batch, dtype="int32"), -1)
    merged = ops.reshape(x, (batch * size, *ops.shape(x)[2:]))
    return take_rows(merged, row * size + indices)
