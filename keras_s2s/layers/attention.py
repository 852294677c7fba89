"""What all attentions over a memory share: mask, softmax, weighted sum."""

import keras
from keras import ops

from keras_s2s.layers._parts import KeepsParts


class Attention(KeepsParts, keras.layers.Layer):
    """Base of the attentions: from queries and a memory to contexts and weights.

    The work is split in two. `project_keys` depends on the memory alone and is done
    once per batch; a call with its result as `keys` does what depends on the query.
    Both the steps of a sequence and the beams of a search go into the query axis,
    so that the memory is never repeated.

    A subclass implements `project_keys(values)` and `score(query, keys)`, and sets
    `query_projection` if it has one. A decoder calls these by themselves, so where
    they read weights of their own they cast them to the dtype of the query.

    Args:
        **kwargs: Keras's own layer arguments, such as `name` and `dtype`.

    Call arguments:
        query: `(batch, queries, query_dim)`.
        values: `(batch, source, dim)`, the memory.
        keys: `(batch, source, units)`, what `project_keys(values)` returned. Computed
            when not given.
        values_mask: `(batch, source)` bool, False at padding. Taken from the mask that
            Keras attaches to `values` when not given.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and attention weights
        `(batch, queries, source)`. The weights of a row whose memory is all padding
        are zero.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        #: A `Dense` without bias that the query goes through before `score`, or None.
        self.query_projection = None

    def project_keys(self, values):
        """Returns the keys `(batch, source, units)` of `values` `(batch, source, dim)`."""
        raise NotImplementedError

    def score(self, query, keys):
        """Returns the scores `(batch, queries, source)` of every projected query with every key."""
        raise NotImplementedError

    def call(self, query, values, keys=None, values_mask=None):
        if keys is None:
            keys = self.project_keys(values)
        if self.query_projection is not None:
            query = per_query(self.query_projection, query)
        weights = ops.cast(self.weigh(query, keys, values_mask), values.dtype)
        return ops.matmul(weights, values), weights

    def weigh(self, query, keys, values_mask=None):
        """The softmax of the scores.

        Args:
            query: `(batch, queries, units)`, projected if there is a `query_projection`.
            keys: `(batch, source, units)`.
            values_mask: `(batch, source)` bool, or None.

        Returns:
            Float32 weights `(batch, queries, source)`.
        """
        # A float16 sum over the source would lose digits, so the softmax is float32.
        scores = ops.cast(self.score(query, keys), "float32")
        if values_mask is not None:
            valid = ops.expand_dims(ops.cast(values_mask, "bool"), 1)
            scores = ops.where(valid, scores, -1e9)
        # Not `ops.softmax`, which warns where the source has one position.
        weights = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
        if values_mask is not None:
            weights = ops.where(valid, weights, 0.0)
        return weights

    def compute_mask(self, *args, **kwargs):
        return None

    def compute_output_shape(self, query_shape, values_shape, **kwargs):
        weights = (*query_shape[:2], values_shape[1])
        return (*query_shape[:2], values_shape[2]), weights

    def compute_output_spec(self, query, values, keys=None, values_mask=None):
        shapes = self.compute_output_shape(query.shape, values.shape)
        return tuple(keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes)


def per_query(dense, query):
    """`dense(query)` for `query (batch, queries, dim)`: as rows, one plain product suffices."""
    rows = dense(ops.reshape(query, (-1, query.shape[-1])))
    return ops.reshape(rows, (*ops.shape(query)[:-1], dense.units))


class AdditiveScore(keras.layers.Layer):
    """`v . tanh(query + key)`, for projected queries and keys of the same size.

    Args:
        normalize: Whether to use `g v / |v|`, with a trained scalar g, in place of v and
            to add a trained bias inside the tanh (Salimans and Kingma, 2016,
            https://arxiv.org/abs/1602.07868).
    """

    def __init__(self, units, normalize=False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.normalize = normalize

    def build(self, query_shape, keys_shape):
        self.vector = self.add_weight((self.units,), initializer="glorot_uniform", name="vector")
        if self.normalize:
            self.gain = self.add_weight(
                (), initializer=keras.initializers.Constant(self.units**-0.5), name="gain"
            )
            self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def call(self, query, keys):
        query, vector = ops.expand_dims(query, 2), ops.convert_to_tensor(self.vector)
        if self.normalize:
            vector = self.gain * vector * ops.rsqrt(ops.sum(ops.square(vector)))
            query = query + self.bias
        hidden = ops.tanh(query + ops.expand_dims(keys, 1))
        rows = ops.reshape(hidden, (-1, self.units))
        return ops.reshape(ops.matmul(rows, ops.expand_dims(vector, -1)), ops.shape(hidden)[:-1])
