import keras
from keras import ops

from keras_s2s._checks import check_choice, check_sizes
from keras_s2s.layers.luong_attention import LuongAttention

ALIGNMENTS = ("monotonic", "predictive")


@keras.saving.register_keras_serializable("keras_s2s")
class LocalAttention(LuongAttention):
    """Multiplicative attention to only a window of the memory.

    | `alignment` | the middle p of the window at step t |
    |---|---|
    | `"monotonic"` (local-m) | `t`, but at most the last position |
    | `"predictive"` (local-p) | `S . sigmoid(v . tanh(W s))`, S being the length of the source |

    The window reaches from `p - window` to `p + window`. In `"predictive"` the weights are
    multiplied by a Gaussian around p with a standard deviation of half of `window`, so they sum
    to less than 1. The predicted middle is hard to train: in the short training of
    `docs/results.md` the window stayed at the end of the sentence.

    Args:
        alignment: `"monotonic"` or `"predictive"`.
        window: Integer, the positions on each side of the middle.
        score_type: `"dot"` or `"general"`, as in `keras_s2s.layers.LuongAttention`.
        scale: Whether to multiply the scores by a trained scalar, at first 1.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        query: `(batch, queries, query_dim)`, the decoder's states, step by step.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and weights `(batch, queries, source)`.

    Raises:
        ValueError: If an argument is none of its choices, or `window` is no positive integer.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    attention = keras_s2s.layers.LocalAttention("monotonic", window=1)
    query, values = np.ones((1, 3, 4), "float32"), np.ones((1, 5, 6), "float32")
    _, weights = attention(query, values)
    np.testing.assert_array_equal(weights[0, 0], [0.5, 0.5, 0, 0, 0])
    ```

    Reference:
        Luong, Pham and Manning, 2015, Effective Approaches to Attention-based Neural
        Machine Translation, section 3.2, equations 9 and 10, https://arxiv.org/abs/1508.04025
    """

    def __init__(
        self, alignment="monotonic", window=10, score_type="general", scale=False, **kwargs
    ):
        super().__init__(check_choice("score_type", score_type, ("dot", "general")), **kwargs)
        check_sizes(window=window)
        self.scale = scale
        self.alignment = check_choice("alignment", alignment, ALIGNMENTS)
        self.window = window

    def build(self, query_shape, values_shape, values_mask_shape=None):
        super().build(query_shape, values_shape)
        if self.alignment == "predictive":
            dim = query_shape[-1]
            self.position_projection = self.add_weight(
                (dim, dim), initializer="glorot_uniform", name="position_projection"
            )
            self.position_vector = self.add_weight(
                (dim,), initializer="glorot_uniform", name="position_vector"
            )

    def prepare(self, memory, dtype=None, onto=None):
        prepared = super().prepare(memory, dtype, onto)
        # Number the positions without counting padding, wherever it is.
        numbers = ops.cumsum(ops.cast(memory["mask"], "float32"), axis=1)
        prepared["positions"] = numbers - 1
        prepared["lengths"] = numbers[:, -1:]
        if self.alignment == "predictive":
            prepared["position_projection"] = ops.cast(self.position_projection, "float32")
            prepared["position_vector"] = ops.cast(self.position_vector, "float32")
        return prepared

    def start(self, prepared, rows_per_example=1):
        if self.alignment == "predictive":
            return {}
        rows = ops.shape(prepared["mask"])[0] * rows_per_example
        return {"time": ops.zeros((rows, 1), dtype="float32")}

    def _middle(self, query, state, prepared):
        """The middle of the window, float32 `(batch, queries, 1)`."""
        lengths = ops.expand_dims(prepared["lengths"], 1)
        if self.alignment == "monotonic":
            return ops.minimum(state["time"], lengths - 1)
        hidden = ops.tanh(ops.matmul(ops.cast(query, "float32"), prepared["position_projection"]))
        share = ops.sigmoid(ops.sum(hidden * prepared["position_vector"], -1, keepdims=True))
        return lengths * share

    def glimpse(self, query, state, prepared, dtype):
        distance = ops.expand_dims(prepared["positions"], 1) - self._middle(query, state, prepared)
        is_near = ops.abs(distance) <= self.window
        mask = ops.logical_and(ops.expand_dims(prepared["mask"], 1), is_near)
        weights = self.weigh(self.score(query, state, prepared), mask)
        if self.alignment == "predictive":
            weights *= ops.exp(-ops.square(distance) / (2 * (self.window / 2) ** 2))
        context, weights = self.look(weights, prepared, dtype)
        return context, weights, {name: time + 1 for name, time in state.items()}

    def get_config(self):
        config = super().get_config()
        del config["units"]
        return {**config, "alignment": self.alignment, "window": self.window}
