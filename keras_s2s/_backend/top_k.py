"""An exact top-k, in two stages, that is fast in plain graphs and under XLA alike."""

import functools

import keras
from keras import ops

from keras_s2s._backend.gather import select, take_rows

# 16 to 128 were tried for (64..320, 8000..32000) and k = 5..20; 32 is best or near it.
_GROUP = 32


def top_k(x, k):
    """The `k` largest entries of the last axis.

    Three to five times faster than `keras.ops.top_k` on a CPU (plain TensorFlow graph, XLA and
    JAX), in loops too.

    Args:
        x: Tensor of shape `(rows, size)`, any float dtype; compared in float32. `size` must be
            known statically.
        k: Python int, `1 <= k <= size`.

    Returns:
        A tuple `(values, indices)` of shape `(rows, k)`, float32 and int32, largest first. Among
        equal entries the lowest index comes first, on every backend.

    Example:
    ```python
    from keras import ops
    from keras_s2s._backend.top_k import top_k

    values, indices = top_k(ops.convert_to_tensor([[0.1, 0.7, 0.7, 0.2]]), 2)
    print(ops.convert_to_numpy(indices))  # [[1 2]]
    ```
    """
    return Groups(x).top_k(k)


class Groups:
    """The last axis of `x (rows, size)` cut into groups, whose maxima are computed once.

    An entry of the top k can only lie in one of the `k` groups with the largest maxima, so a
    small top-k over the maxima and another over those groups replace the one over the whole axis.
    """

    def __init__(self, x):
        self._x = ops.cast(x, "float32")
        self._count = -(-x.shape[1] // _GROUP)

    @functools.cached_property
    def _grouped(self):
        x, missing = self._x, self._count * _GROUP - self._x.shape[1]
        if missing:
            # Padding has the highest indices, so it loses even against entries that are -inf.
            x = ops.pad(x, ((0, 0), (0, missing)), constant_values=float("-inf"))
        return ops.reshape(x, (-1, self._count, _GROUP))

    @functools.cached_property
    def _maxima(self):
        return ops.max(self._grouped, axis=-1)

    def log_sum_exp(self, softmax):
        """`log(sum(exp(x)))` of each row, `(rows, 1)`, from the softmax of `x`.

        A softmax is one operation on all threads of a CPU, while exponentials and their sum are
        separate passes over memory. The most probable entry of a softmax never rounds to 0.
        """
        largest, index = self.top_k(1)
        return largest - ops.log(select(softmax, index))

    def top_k(self, k, banned=None, at_most=(), fill=float("-inf"), shift=None, together=1):
        """The `k` largest entries, see the function `top_k`.

        Args:
            k: Python int.
            banned: Bool tensor `(size,)`, True for the entries of all rows that count as `fill`,
                or None.
            at_most: Python ints, the indices among which `banned` is True.
            fill: Float.
            shift: `(rows,)`, what is added to the entries of each row, or None.
            together: Python int, how many neighbouring rows count as one row of `together * size`
                entries; results are `(rows // together, k)`.
        """
        size = self._x.shape[1]
        # A group with banned indices may be among the best only because of those: take one more.
        number = k + together * len({index // _GROUP for index in at_most})
        count = together * self._count
        if shift is not None:
            shift = ops.expand_dims(shift, -1)
        if count <= number:
            x = self._x
            if banned is not None:
                x = ops.where(ops.expand_dims(banned, 0), fill, x)
            if shift is not None:
                x = x + shift
            return _top_k(ops.reshape(x, (-1, together * size)), k)
        maxima = self._maxima if shift is None else self._maxima + shift
        _, best = _top_k(ops.reshape(maxima, (-1, count)), number)
        # Sorted, so that the first of equal candidates, which wins, has the lowest index.
        best = ops.sort(best, axis=-1)
        candidates = select(ops.reshape(self._grouped, (-1, count, _GROUP)), best)
        if banned is not None:
            banned = ops.pad(banned, ((0, self._count * _GROUP - size),))
            of_groups = ops.reshape(banned, (self._count, _GROUP))
            of_candidates = take_rows(of_groups, best % self._count)
            candidates = ops.where(of_candidates, fill, candidates)
        if shift is not None:
            shift = select(ops.reshape(shift, (-1, together)), best // self._count)
            candidates = candidates + ops.expand_dims(shift, -1)
        values, position = _top_k(ops.reshape(candidates, (-1, number * _GROUP)), k)
        best = select(best, position // _GROUP)
        index = best % self._count * _GROUP + position % _GROUP
        return values, index if together == 1 else best // self._count * size + index


def _top_k(x, k):
    if keras.backend.backend() == "torch":  # torch.topk leaves the order of ties open
        indices = ops.argsort(-x, axis=-1)[:, :k]
        return ops.take_along_axis(x, indices, axis=-1), ops.cast(indices, "int32")
    values, indices = ops.top_k(x, k)
    return values, ops.cast(indices, "int32")
