"""Tensor helpers of the search loop: writing, choosing and shaping without scatter or slices."""

import keras
from keras import ops


def write(buffer, step, values, axis=1):
    """`buffer` with `values` at position `step` of `axis`; `values` lacks that axis.

    A `where` over the whole buffer: `slice_update` would export as an XLA op.
    """
    position = ops.arange(ops.shape(buffer)[axis], dtype="int32")
    position = ops.reshape(position, (-1,) + (1,) * (len(buffer.shape) - axis - 1))
    return ops.where(position == step, ops.expand_dims(values, axis), buffer)


def select(x, indices):
    """`x (batch, size, ...)` at `indices (batch, n)`: `(batch, n, ...)`."""
    batch, size = ops.shape(x)[:2]
    row = ops.expand_dims(ops.arange(batch, dtype="int32"), -1)
    return take_rows(merge_rows(x), row * size + indices)


def take_rows(x, rows):
    """`x (size, ...)` at `rows`, of any shape: `rows.shape + (...)`, on JAX too if x is empty."""
    taken = ops.take(x, rows, axis=0)
    return ops.reshape(taken, tuple(ops.shape(rows)) + tuple(ops.shape(x)[1:]))


def merge_rows(x):
    """`(batch, beams, ...)` as `(batch * beams, ...)`."""
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0] * shape[1],) + tuple(shape[2:]))


def split_rows(x, beams):
    """`(batch * beams, ...)` as `(batch, beams, ...)`."""
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0] // beams, beams) + tuple(shape[1:]))


def concatenate(first, second):
    """Two nested structures of tensors, joined along axis 1."""
    return keras.tree.map_structure(lambda x, y: ops.concatenate([x, y], axis=1), first, second)


def same_static_shape(new, old):
    """`new` as the shape of `old` is known: TensorFlow's loop wants it the same each round."""

    def restore(new, old):
        if tuple(new.shape) == tuple(old.shape):
            return new
        return ops.reshape(new, ops.shape(old))

    return keras.tree.map_structure(restore, new, old)
