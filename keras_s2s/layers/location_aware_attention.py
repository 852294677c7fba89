import keras
from keras import ops

from keras_s2s._checks import check_sizes
from keras_s2s.layers.attention import additive_scores
from keras_s2s.layers.bahdanau_attention import BahdanauAttention


@keras.saving.register_keras_serializable("keras_s2s")
class LocationAwareAttention(BahdanauAttention):
    """Additive attention that sees where it looked before: `v . tanh(W s + U h + V f + b)`.

    The features f of a position are a convolution of the weights of the step before, around that
    position. So the attention can learn to go on from where it was, as speech does.

    Args:
        units: Integer, the size of the projected query and keys.
        filters: Integer, the number of features of a position.
        kernel_size: Integer, odd, the number of positions that a feature sees.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        query: `(batch, queries, query_dim)`, the decoder's states, step by step.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and weights `(batch, queries, source)`.

    Raises:
        ValueError: If a size is no positive integer, or `kernel_size` is even.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    attention = keras_s2s.layers.LocationAwareAttention(8, filters=4, kernel_size=5)
    query, values = np.ones((2, 3, 4), "float32"), np.ones((2, 7, 6), "float32")
    context, weights = attention(query, values)
    assert context.shape == (2, 3, 6) and weights.shape == (2, 3, 7)
    ```

    Reference:
        Chorowski et al., 2015, Attention-Based Models for Speech Recognition, section 2.1,
        equations 8 and 9, https://arxiv.org/abs/1506.07503. Before the first step the weights
        are zero.
    """

    def __init__(self, units, filters=10, kernel_size=31, **kwargs):
        super().__init__(units, **kwargs)
        check_sizes(filters=filters, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(
                "`kernel_size` must be odd, so that the window is centred on a position. "
                f"Received: {kernel_size}"
            )
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, query_shape, values_shape, values_mask_shape=None):
        super().build(query_shape, values_shape)
        self.convolution = self.add_weight(
            (self.kernel_size, 1, self.filters), initializer="glorot_uniform", name="convolution"
        )
        self.location_projection = self.add_weight(
            (self.filters, self.units), initializer="glorot_uniform", name="location_projection"
        )
        self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def prepare(self, memory, dtype=None, onto=None):
        prepared = super().prepare(memory, dtype, onto)
        dtype = prepared["keys"].dtype
        prepared["additive"]["bias"] = ops.cast(self.bias, dtype)
        # Convolution and projection are both linear, so one convolution does both.
        kernel = ops.matmul(
            ops.convert_to_tensor(self.convolution), ops.convert_to_tensor(self.location_projection)
        )
        return {**prepared, "location_kernel": ops.cast(kernel, "float32")}

    def start(self, prepared, rows_per_example=1):
        batch, source = ops.shape(prepared["mask"])
        return {"weights": ops.zeros((batch * rows_per_example, source), dtype="float32")}

    def score(self, query, state, prepared):
        batch, queries, source = ops.shape(state["weights"])
        rows = ops.reshape(state["weights"], (batch * queries, source, 1))
        features = ops.conv(rows, prepared["location_kernel"], padding="same")
        features = ops.reshape(features, (batch, queries, source, self.units))
        features = ops.cast(features, query.dtype)
        return additive_scores(query, prepared["keys"], prepared["additive"], features)

    def update(self, state, weights, prepared):
        return {"weights": weights}

    def get_config(self):
        config = super().get_config()
        del config["normalize"]
        return {**config, "filters": self.filters, "kernel_size": self.kernel_size}
