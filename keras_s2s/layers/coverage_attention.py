import keras
from keras import ops

from keras_s2s.layers.attention import additive_scores
from keras_s2s.layers.bahdanau_attention import BahdanauAttention


@keras.saving.register_keras_serializable("keras_s2s")
class CoverageAttention(BahdanauAttention):
    """Additive attention that knows what it has attended to: `v . tanh(W s + U h + w c + b)`.

    The coverage c of a position is the sum of the weights that it got in the steps before. So the
    attention can learn not to come back, and a decoder says nothing twice.

    Args:
        units: Integer, the size of the projected query and keys.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        query: `(batch, queries, query_dim)`, the decoder's states, step by step.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and weights `(batch, queries, source)`.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    attention = keras_s2s.layers.CoverageAttention(8)
    query, values = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 6), "float32")
    context, weights = attention(query, values)
    assert context.shape == (2, 3, 6) and weights.shape == (2, 3, 5)
    ```

    Reference:
        See, Liu and Manning, 2017, Get To The Point: Summarization with Pointer-Generator
        Networks, section 2.3, equations 10 and 11, https://arxiv.org/abs/1704.04368
    """

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)

    def build(self, query_shape, values_shape, values_mask_shape=None):
        super().build(query_shape, values_shape)
        self.coverage_vector = self.add_weight(
            (self.units,), initializer="glorot_uniform", name="coverage_vector"
        )
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def prepare(self, memory, dtype=None, onto=None):
        prepared = super().prepare(memory, dtype, onto)
        dtype = prepared["keys"].dtype
        prepared["additive"]["bias"] = ops.cast(self.bias, dtype)
        prepared["coverage_vector"] = ops.cast(self.coverage_vector, dtype)
        return prepared

    def start(self, prepared, rows_per_example=1):
        batch, source = ops.shape(prepared["mask"])
        # In float32, so that a sum over many steps keeps its digits.
        return {"coverage": ops.zeros((batch * rows_per_example, source), dtype="float32")}

    def score(self, query, state, prepared):
        vector = prepared["coverage_vector"]
        coverage = ops.expand_dims(ops.cast(state["coverage"], vector.dtype), -1)
        return additive_scores(query, prepared["keys"], prepared["additive"], coverage * vector)

    def update(self, state, weights, prepared):
        return {"coverage": state["coverage"] + weights}

    def get_config(self):
        config = super().get_config()
        del config["normalize"]
        return config
