import keras

from keras_s2s.layers.attention import AdditiveScore, Attention, additive_scores


@keras.saving.register_keras_serializable("keras_s2s")
class BahdanauAttention(Attention):
    """Additive attention: `score(s, h) = v . tanh(W s + U h)`.

    Keras's own `AdditiveAttention` has neither W nor U and no form for one step.

    Args:
        units: Integer, the size of the projected query and keys.
        normalize: Whether to use the weight-normalised form
            `g v / |v| . tanh(W s + U h + b)`.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        query: `(batch, queries, query_dim)`, the decoder's states.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and weights `(batch, queries, source)`.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    attention = keras_s2s.layers.BahdanauAttention(8)
    query, values = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 6), "float32")
    context, weights = attention(query, values)
    assert context.shape == (2, 3, 6) and weights.shape == (2, 3, 5)
    ```

    Reference:
        Bahdanau, Cho and Bengio, 2015, Neural Machine Translation by Jointly Learning
        to Align and Translate, appendix A.1.2, https://arxiv.org/abs/1409.0473
    """

    def __init__(self, units, normalize=False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.normalize = normalize
        dense = {"use_bias": False, "dtype": self.dtype_policy}
        self.query_projection = keras.layers.Dense(units, name="query_projection", **dense)
        self.key_projection = keras.layers.Dense(units, name="key_projection", **dense)
        self.additive = AdditiveScore(units, normalize, dtype=self.dtype_policy, name="additive")

    def build(self, query_shape, values_shape, values_mask_shape=None):
        for layer, shape in (
            (self.query_projection, query_shape),
            (self.key_projection, values_shape),
        ):
            if not layer.built:
                layer.build(shape)
        if not self.additive.built:
            self.additive.build((*query_shape[:-1], self.units), (*values_shape[:-1], self.units))

    def project_keys(self, values):
        return self.key_projection(values)

    def prepare(self, memory, dtype=None, onto=None):
        prepared = super().prepare(memory, dtype, onto)
        return {**prepared, "additive": self.additive.prepare(prepared["keys"].dtype)}

    def score(self, query, state, prepared):
        return additive_scores(query, prepared["keys"], prepared["additive"])

    def get_config(self):
        return {**super().get_config(), "units": self.units, "normalize": self.normalize}
