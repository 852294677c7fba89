import keras
from keras import ops

from keras_s2s._backend.cumulative_logsumexp import cumulative_logsumexp
from keras_s2s._backend.log_zero import IMPOSSIBLE, TINY
from keras_s2s._backend.shapes import repeat_rows, size
from keras_s2s._checks import check_sizes
from keras_s2s.layers._by_steps import by_steps
from keras_s2s.layers.attention import count_rows_per_example
from keras_s2s.layers.ctc import LOG_PROBS
from keras_s2s.layers.decoder import Decoder
from keras_s2s.tokens import END, PAD, START


@keras.saving.register_keras_serializable("keras_s2s")
class CTCPrefixScorer(Decoder):
    """How probable `keras_s2s.layers.CTC` finds it that an output goes on with each token.

    Among the `scorers` of a model it corrects a decoder with attention, which may repeat or leave
    out a part of the input: what it has written must fit the input from its beginning on. A step is
    a product of matrices and four cumulative sums, whatever the number of positions.

    It gives the logarithm of p(g c ...) / p(g ...), where p(g ...) is the probability of all
    outputs that begin with the tokens g; for the end p(g) / p(g ...). It has no weights.

    Args:
        vocabulary_size: Integer, that of the decoder and the `CTC`.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        As in `keras_s2s.layers.Decoder`. The memory holds `"ctc_log_probs"`, as that of a model
        with a `CTC` does.

    Returns:
        Log-probabilities `(rows, target, vocabulary_size)` in float32.

    Raises:
        ValueError: If the memory lacks log-probabilities, or has those of another vocabulary.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    # Two positions: first 4 or blank (0), then 4 or 5.
    probs = np.array([[[0.4, 0, 0, 0, 0.6, 0], [0, 0, 0, 0, 0.5, 0.5]]])
    mask = np.ones((1, 2), "bool")
    log_probs = np.log(np.maximum(probs, 1e-30)).astype("float32")
    memory = {"values": np.zeros((1, 2, 1)), "mask": mask, "ctc_log_probs": log_probs}
    scores = keras_s2s.layers.CTCPrefixScorer(6)(np.array([[2]]), memory)
    # 4 begins the output if it is at the first position, or blank and then 4.
    np.testing.assert_allclose(np.exp(scores)[0, 0, 4:], [0.6 + 0.4 * 0.5, 0.4 * 0.5], atol=1e-5)
    ```

    Reference:
        Watanabe et al., 2017, https://doi.org/10.1109/JSTSP.2017.2763455, section III.C
    """

    def __init__(self, vocabulary_size, **kwargs):
        # Without casts: 16 bits hold neither the logarithms nor their differences.
        super().__init__(autocast=False, **kwargs)
        check_sizes(vocabulary_size=vocabulary_size)
        self.vocabulary_size = vocabulary_size

    def build(self, targets_shape, memory_shape):
        pass

    def start(self, memory, rows_per_example=1, max_length=None):
        """Computes once what all steps need.

        Returns:
            Tuple of the memory with `"ctc"`, and the state: `"ends"` and `"ends_blank"`
            `(rows, positions)`, the log-probabilities that all tokens so far are put onto positions
            up to this one, the last of which is the last token or a blank; `"last"` `(rows,)`, the
            last token, and `"score"` `(rows,)`, the log-probability of what begins so.
        """
        log_probs = self._log_probs(memory)
        blank = log_probs[..., PAD]
        blanks = repeat_rows(ops.cumsum(blank, axis=-1), rows_per_example)
        rows = size(blanks, 0)
        state = {
            "ends": ops.full_like(blanks, IMPOSSIBLE),
            "ends_blank": blanks,
            "last": ops.full((rows,), START, dtype="int32"),
            "score": ops.zeros((rows,), dtype="float32"),
        }
        return {**memory, "ctc": {"log_probs": log_probs, "blank": blank}}, state

    def _log_probs(self, memory):
        """Log-probabilities which at padding are certain of the blank."""
        if LOG_PROBS not in memory:
            raise ValueError(
                f"CTCPrefixScorer reads {LOG_PROBS!r}, which the memory lacks. Give the model "
                "auxiliary_loss=keras_s2s.layers.CTC(vocabulary_size), and train it."
            )
        log_probs = ops.cast(memory[LOG_PROBS], "float32")
        if log_probs.shape[-1] != self.vocabulary_size:
            raise ValueError(
                f"CTCPrefixScorer was made with vocabulary_size={self.vocabulary_size}, and the "
                f"memory has log-probabilities of {log_probs.shape[-1]} tokens. Give both the same."
            )
        is_blank = ops.arange(self.vocabulary_size) == PAD
        mask = ops.expand_dims(memory["mask"], -1)
        return ops.where(mask, log_probs, ops.where(is_blank, 0.0, IMPOSSIBLE))

    def step(self, tokens, state, memory):
        ctc = memory["ctc"]
        state = _appended(ops.cast(tokens, "int32"), state, ctc)
        before, before_blank = _before(state)
        rows, batch = size(before, 0), size(ctc["blank"], 0)
        rows_per_example = count_rows_per_example(rows, batch)
        either = ops.logaddexp(before, before_blank)
        mask = repeat_rows(memory["mask"], rows_per_example)

        def sums(before):
            """The logarithm of sum_t before_t p_t(c), for each token c: `(rows, vocabulary)`."""
            before = ops.where(mask, before, IMPOSSIBLE)
            largest = ops.max(before, axis=-1, keepdims=True)
            weights = ops.reshape(ops.exp(before - largest), (batch, rows_per_example, -1))
            summed = ops.matmul(weights, ops.exp(ctc["log_probs"]))
            summed = ops.reshape(summed, (rows, self.vocabulary_size))
            return ops.log(ops.maximum(summed, TINY)) + largest

        token_ids = ops.arange(self.vocabulary_size, dtype="int32")
        # The last token again is another one only after a blank.
        is_last = ops.expand_dims(state["last"], -1) == token_ids
        begins = ops.where(is_last, sums(before_blank), sums(either))
        ended = ops.logaddexp(state["ends"][:, -1:], state["ends_blank"][:, -1:])
        begins = ops.where(token_ids == END, ended, begins)
        begins = ops.where(token_ids == PAD, IMPOSSIBLE, begins)
        return ops.minimum(begins - ops.expand_dims(state["score"], -1), 0.0), state

    def call(self, targets, memory, training=False, rows_per_example=1):
        return by_steps(self, targets, memory, rows_per_example)

    def compute_output_shape(self, targets_shape, memory_shape):
        return (*targets_shape, self.vocabulary_size)

    def compute_output_spec(self, targets, memory, training=False, rows_per_example=1):
        return keras.KerasTensor((*targets.shape, self.vocabulary_size), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size}


def _before(state):
    """`"ends"` and `"ends_blank"` up to the position before each; of nothing at the first."""
    shifted = [
        ops.pad(state[name][:, :-1], ((0, 0), (1, 0)), constant_values=IMPOSSIBLE)
        for name in ("ends", "ends_blank")
    ]
    # Before the first position there is nothing, which is what an empty output has there.
    is_first = ops.arange(size(shifted[0], 1)) == 0
    is_empty = ops.expand_dims(state["last"] == START, -1)
    shifted[1] = ops.where(ops.logical_and(is_first, is_empty), 0.0, shifted[1])
    return shifted


def _appended(tokens, state, ctc):
    """The state with a token more; as it was where that is the start, the end or padding."""
    before, before_blank = _before(state)
    rows, batch = size(before, 0), size(ctc["blank"], 0)
    rows_per_example = count_rows_per_example(rows, batch)
    blank = repeat_rows(ctc["blank"], rows_per_example)
    chosen = ops.one_hot(tokens, ctc["log_probs"].shape[-1], dtype="float32")
    chosen = ops.reshape(chosen, (batch, rows_per_example, -1))
    log_probs = ops.matmul(chosen, ops.transpose(ctc["log_probs"], (0, 2, 1)))
    log_probs = ops.reshape(log_probs, ops.shape(before))
    again = ops.expand_dims(tokens == state["last"], -1)
    begins = ops.where(again, before_blank, ops.logaddexp(before, before_blank))
    # e_t = (e_(t-1) + begins_t) p_t, and for blanks b_t = (b_(t-1) + e_(t-1)) p_t(blank).
    ends = _recurrence(begins, log_probs)
    after = ops.pad(ends[:, :-1], ((0, 0), (1, 0)), constant_values=IMPOSSIBLE)
    new = {
        "ends": ends,
        "ends_blank": _recurrence(after, blank),
        "last": tokens,
        "score": ops.logsumexp(begins + log_probs, axis=-1),
    }
    is_token = ops.logical_and(tokens != START, ops.logical_and(tokens != END, tokens != PAD))
    return {
        name: ops.where(
            is_token if len(value.shape) == 1 else ops.expand_dims(is_token, -1),
            value,
            state[name],
        )
        for name, value in new.items()
    }


def _recurrence(added, log_factors):
    """`x_t = (x_(t-1) + added_t) * factor_t` from x_0 = 0 on, all in logarithms."""
    products = ops.cumsum(log_factors, axis=-1)
    return ops.maximum(
        products + cumulative_logsumexp(added - (products - log_factors)), IMPOSSIBLE
    )
