import keras
from keras import ops

from keras_s2s._checks import check_sizes
from keras_s2s.layers._quantized import matrix
from keras_s2s.layers.attention import Attention


@keras.saving.register_keras_serializable("keras_s2s")
class MultiHeadAttention(Attention):
    """Several scaled dot products at once, each with projections of its own.

    Head i is `softmax(q W_i . h K_i / sqrt(key_dim)) (h V_i)`; the context is all heads side by
    side, times an output matrix. Keras's own `MultiHeadAttention` has no form for one step of a
    decoder, and multiplies the memory by K and V again in each.

    Args:
        num_heads: Integer.
        key_dim: Integer, the size of each head's queries and keys.
        value_dim: Integer, the size of each head's values; `key_dim` when not given.
        output_dim: Integer, the size of contexts; by default the size of the memory.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        query: `(batch, queries, query_dim)`.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding.

    Returns:
        Tuple of contexts `(batch, queries, output_dim)` and weights `(batch, queries, source)`,
        the mean of the heads.

    Raises:
        ValueError: If a size is no positive integer.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    attention = keras_s2s.layers.MultiHeadAttention(num_heads=2, key_dim=8)
    query, values = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 6), "float32")
    context, weights = attention(query, values)
    assert context.shape == (2, 3, 6) and weights.shape == (2, 3, 5)
    ```

    Reference:
        Vaswani et al., 2017, Attention Is All You Need, section 3.2.2,
        https://arxiv.org/abs/1706.03762
    """

    order = "luong"
    matrices = ("query", "output")

    def __init__(self, num_heads, key_dim, value_dim=None, output_dim=None, **kwargs):
        super().__init__(**kwargs)
        value_dim = key_dim if value_dim is None else value_dim
        check_sizes(num_heads=num_heads, key_dim=key_dim, value_dim=value_dim)
        if output_dim is not None:
            check_sizes(output_dim=output_dim)
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, value_dim
        self.output_dim = output_dim
        self.query_projection = self._dense(num_heads * key_dim, "query_projection")
        self.key_projection = self._dense(num_heads * key_dim, "key_projection")
        self.value_projection = self._dense(num_heads * value_dim, "value_projection")

    def _dense(self, units, name):
        return keras.layers.Dense(units, use_bias=False, dtype=self.dtype_policy, name=name)

    def build(self, query_shape, values_shape, values_mask_shape=None):
        self.output_projection = self._dense(
            self.output_dim or values_shape[-1], "output_projection"
        )
        for layer, shape in (
            (self.query_projection, query_shape),
            (self.key_projection, values_shape),
            (self.value_projection, values_shape),
            (self.output_projection, (None, None, self.num_heads * self.value_dim)),
        ):
            if not layer.built:
                layer.build(shape)

    def project_keys(self, values):
        return self.key_projection(values)

    def prepare(self, memory, dtype=None, onto=None):
        prepared = super().prepare(memory, dtype)
        dtype = prepared["values"].dtype
        prepared["values"] = ops.cast(self.value_projection(memory["values"]), dtype)
        kernel = matrix(self.output_projection, dtype)
        prepared["output"] = kernel if onto is None else ops.matmul(kernel, onto)
        return prepared

    def glimpse(self, query, state, prepared, dtype):
        # (batch, heads, queries or source, size)
        query, keys, values = (
            self._heads(x, size)
            for x, size in (
                (query, self.key_dim),
                (prepared["keys"], self.key_dim),
                (prepared["values"], self.value_dim),
            )
        )
        scores = ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2))) * self.key_dim**-0.5
        batch, heads, queries, source = ops.shape(scores)
        scores = ops.reshape(scores, (batch, heads * queries, source))
        weights = ops.reshape(self.weigh(scores, prepared["mask"]), (batch, heads, queries, source))
        contexts = ops.matmul(ops.cast(weights, dtype), values)
        contexts = ops.reshape(
            ops.transpose(contexts, (0, 2, 1, 3)), (batch, queries, heads * self.value_dim)
        )
        return contexts, ops.cast(ops.mean(weights, axis=1), dtype), state

    def _heads(self, x, size):
        batch, length, _ = ops.shape(x)
        return ops.transpose(ops.reshape(x, (batch, length, self.num_heads, size)), (0, 2, 1, 3))

    def compute_output_shape(self, query_shape, values_shape, **kwargs):
        _, weights = super().compute_output_shape(query_shape, values_shape)
        return (*query_shape[:2], self.output_dim or values_shape[-1]), weights

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_dim": self.output_dim,
        }
