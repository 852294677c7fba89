import keras
from keras import ops

from keras_s2s._checks import check_choice
from keras_s2s.layers.attention import AdditiveScore, Attention, additive_scores

SCORES = ("dot", "general", "concat")


@keras.saving.register_keras_serializable("keras_s2s")
class LuongAttention(Attention):
    """Multiplicative attention, and its authors' concat form.

    | `score_type` | score of query s with memory h |
    |---|---|
    | `"dot"` | `s . h` (sizes must agree) |
    | `"general"` | `s . W h` |
    | `"concat"` | `v . tanh(W [s; h])` |

    Args:
        score_type: One of `"dot"`, `"general"`, `"concat"`.
        units: Integer, the size of v. Only for `"concat"`; `"general"` takes it from the
            query.
        scale: Whether to multiply the scores by a trained scalar, at first 1. Not for
            `"concat"`.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        query: `(batch, queries, query_dim)`, the decoder's states.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and weights `(batch, queries, source)`.

    Raises:
        ValueError: If `score_type` is unknown, `units` or `scale` do not fit it, or with
            `"dot"` the sizes of query and values differ.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    attention = keras_s2s.layers.LuongAttention("general", scale=True)
    query, values = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 6), "float32")
    context, weights = attention(query, values)
    assert context.shape == (2, 3, 6) and weights.shape == (2, 3, 5)
    ```

    Reference:
        Luong, Pham and Manning, 2015, Effective Approaches to Attention-based Neural
        Machine Translation, section 3.1, https://arxiv.org/abs/1508.04025
    """

    order = "luong"

    def __init__(self, score_type="general", units=None, scale=False, **kwargs):
        super().__init__(**kwargs)
        check_choice("score_type", score_type, SCORES)
        if (score_type == "concat") != (units is not None):
            raise ValueError(
                '`units` is the size of v in the "concat" score: give it there and only '
                f"there. Received: score_type={score_type!r}, units={units!r}"
            )
        if scale and score_type == "concat":
            raise ValueError(
                '`scale=True` is redundant with the "concat" score, which its trained vector v '
                "scales already. Pass scale=False."
            )
        self.score_type = score_type
        self.units = units
        self.scale = scale

    def build(self, query_shape, values_shape, values_mask_shape=None):
        query_dim, dim = query_shape[-1], values_shape[-1]
        if self.score_type == "dot":
            if query_dim != dim:
                raise ValueError(
                    "The dot score needs queries and values of the same size; use "
                    f'"general" for others. Received: {query_dim} and {dim}'
                )
        else:
            units = self.units or query_dim
            self.key_projection = keras.layers.Dense(
                units, use_bias=False, dtype=self.dtype_policy, name="key_projection"
            )
            self.key_projection.build(values_shape)
        if self.score_type == "concat":
            self.query_projection = keras.layers.Dense(
                self.units, use_bias=False, dtype=self.dtype_policy, name="query_projection"
            )
            self.query_projection.build(query_shape)
            self.additive = AdditiveScore(self.units, dtype=self.dtype_policy, name="additive")
            self.additive.build((*query_shape[:-1], units), (*values_shape[:-1], units))
        if self.scale:
            self.gain = self.add_weight((), initializer="ones", name="gain")

    def project_keys(self, values):
        return values if self.score_type == "dot" else self.key_projection(values)

    def prepare(self, memory, dtype=None, onto=None):
        prepared = super().prepare(memory, dtype, onto)
        dtype = prepared["keys"].dtype
        if self.score_type == "concat":
            prepared["additive"] = self.additive.prepare(dtype)
        if self.scale:
            prepared["gain"] = ops.cast(self.gain, dtype)
        return prepared

    def score(self, query, state, prepared):
        keys = prepared["keys"]
        if self.score_type == "concat":
            # W [s; h] is W_1 s + W_2 h, and W_2 h, the keys, does not depend on the query.
            return additive_scores(query, keys, prepared["additive"])
        scores = ops.matmul(query, ops.transpose(keys, (0, 2, 1)))
        return scores * prepared["gain"] if self.scale else scores

    def get_config(self):
        return {
            **super().get_config(),
            "score_type": self.score_type,
            "units": self.units,
            "scale": self.scale,
        }
