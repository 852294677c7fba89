"""Tensor helpers of the search loop: writing, choosing and shaping without scatter or slices."""

import keras
from keras import ops

from keras_s2s._backend.shapes import size


def write(buffer, step, values, axis=1):
    """`buffer` with `values` at position `step` of `axis`; `values` lacks that axis.

    A `where` over the whole buffer: `slice_update` would export as an XLA op.
    """
    position = ops.arange(size(buffer, axis), dtype="int32")
    position = ops.reshape(position, (-1,) + (1,) * (len(buffer.shape) - axis - 1))
    return ops.where(position == step, ops.expand_dims(values, axis), buffer)


def merge_rows(x):
    """`(batch, beams, ...)` as `(batch * beams, ...)`."""
    rest = tuple(x.shape[2:])
    if _is_known(rest):
        return ops.reshape(x, (-1, *rest))
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0] * shape[1], *shape[2:]))


def split_rows(x, beams):
    """`(batch * beams, ...)` as `(batch, beams, ...)`."""
    rest = tuple(x.shape[1:])
    if _is_known(rest):
        return ops.reshape(x, (-1, beams, *rest))
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0] // beams, beams, *shape[1:]))


def _is_known(sizes):
    """Whether -1 can stand for the only unknown size, which spares a graph computing shapes."""
    return None not in sizes and 0 not in sizes


def concatenate(first, second):
    """Two nested structures of tensors, joined along axis 1."""
    return keras.tree.map_structure(lambda x, y: ops.concatenate([x, y], axis=1), first, second)


def same_static_shape(new, old):
    """`new` with the static shapes of `old`, which TensorFlow's loop needs in each iteration."""

    def restore(new, old):
        if tuple(new.shape) == tuple(old.shape):
            return new
        return ops.reshape(new, ops.shape(old))

    return keras.tree.map_structure(restore, new, old)
