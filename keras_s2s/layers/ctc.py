import keras
from keras import ops

from keras_s2s._backend.log_zero import IMPOSSIBLE
from keras_s2s._backend.shapes import repeat_rows, size
from keras_s2s._checks import check_number, check_rate, check_sizes
from keras_s2s.layers._dropout import dropout_mask
from keras_s2s.layers._parts import KeepsParts
from keras_s2s.layers.attention import count_rows_per_example
from keras_s2s.tokens import END, PAD, START

#: The name of the log-probabilities in the memory.
LOG_PROBS = "ctc_log_probs"


@keras.saving.register_keras_serializable("keras_s2s")
class CTC(KeepsParts, keras.layers.Layer):
    """Connectionist temporal classification of a memory: a loss, and log-probabilities to read.

    Pass it as the `auxiliary_loss` of a model whose outputs are in the order of its inputs, such as
    speech recognition. In training it adds to the loss of the tokens: `weight` times the mean over
    outputs of minus the log-probability of all tokens together, divided by their number. The
    decoder then has an encoder that knows what is said where. `evaluate` and `val_loss` leave it
    out, and it ignores sample weights.

    Each position of the memory gets a distribution over the blank, which has the id of padding, 0,
    and the tokens but start and end. The probability of an output is the sum over all ways to put
    its tokens onto positions in their order, where a token may last for several positions, and
    equal tokens need a blank between them. An output with more tokens than its input has positions
    cannot be put there, and adds 0.

    Args:
        vocabulary_size: Integer, the tokens of the decoder, including padding.
        weight: Float, at least 0. Where papers minimise `w * ctc + (1 - w) * attention`, their `w`
            is `w / (1 - w)` here: 0.5 is 1.
        dropout: Float in [0, 1), rate on the values that it reads.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        memory: What an encoder returned.
        targets: `(rows, target)` token ids that enter the decoder's steps: the start token, then
            the output without its end; 0 is padding. The rows of one example lie side by side.
            Without targets there is no loss.
        training: Whether to apply dropout and to add the loss.

    Returns:
        Log-probabilities `(batch, source, vocabulary_size)` in float32.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    ctc = keras_s2s.layers.CTC(5)
    memory = {"values": np.ones((1, 3, 8), "float32"), "mask": np.ones((1, 3), "bool")}
    log_probs = ctc(memory)
    assert log_probs.shape == (1, 3, 5)
    # A token may be at one position or several, with blanks around it.
    probs = np.exp(log_probs[0])
    assert probs[:, 4].min() > 0 and probs[:, [2, 3]].max() == 0  # neither start nor end
    ```

    References:
        Graves et al., 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf;
        Kim, Hori and Watanabe, 2017, https://arxiv.org/abs/1609.06773 (beside an attention decoder)
    """

    def __init__(self, vocabulary_size, weight=1.0, dropout=0.0, **kwargs):
        # Without casts, since 16 bits do not hold logarithms of small probabilities.
        super().__init__(autocast=False, **kwargs)
        check_sizes(vocabulary_size=vocabulary_size)
        check_rate("dropout", dropout)
        self.vocabulary_size = vocabulary_size
        self.weight = check_number("weight", weight, lambda x: x >= 0, "a number, at least 0")
        self.dropout = dropout
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, memory_shape):
        self.projection = keras.layers.Dense(
            self.vocabulary_size, dtype=self.dtype_policy, name="projection"
        )
        self.projection.build((None, None, memory_shape["values"][-1]))

    def call(self, memory, targets=None, training=False):
        values = memory["values"]
        if training and self.dropout:
            values = values * dropout_mask(
                ops.shape(values), self.dropout, values.dtype, self.seed_generator
            )
        logits = ops.cast(self.projection(values), "float32")
        token_ids = ops.arange(self.vocabulary_size, dtype="int32")
        is_output = ops.logical_and(token_ids != START, token_ids != END)
        log_probs = ops.log_softmax(ops.where(is_output, logits, IMPOSSIBLE), axis=-1)
        if training and targets is not None:
            self.add_loss(self.weight * mean_loss(log_probs, memory["mask"], targets))
        return log_probs

    def compute_output_shape(self, memory_shape, targets_shape=None):
        return (*memory_shape["mask"], self.vocabulary_size)

    def compute_output_spec(self, memory, targets=None, training=False):
        return keras.KerasTensor((*memory["mask"].shape, self.vocabulary_size), dtype="float32")

    def compute_mask(self, *args, **kwargs):
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "weight": self.weight,
            "dropout": self.dropout,
        }


def losses(log_probs, mask, labels):
    """Minus the log-probability of each output; 0 where it has more tokens than there is room for.

    Args:
        log_probs: `(batch, source, vocabulary)`, of which id 0 is the blank.
        mask: `(batch, source)` bool, False at padding, which is behind the rest.
        labels: `(rows, target)` token ids, 0 at padding. The rows of one example lie side by side.

    Returns:
        Float32 `(rows,)`.
    """
    rows = size(labels, 0)
    rows_per_example = count_rows_per_example(rows, size(mask, 0))
    log_probs, mask = repeat_rows(log_probs, rows_per_example), repeat_rows(mask, rows_per_example)
    # One label more, since no backend takes none.
    labels = ops.pad(ops.cast(labels, "int32"), ((0, 0), (0, 1)))
    is_label = labels != PAD
    lengths = ops.sum(ops.cast(is_label, "int32"), axis=1)
    positions = ops.sum(ops.cast(mask, "int32"), axis=1)
    repeated = ops.logical_and(labels[:, 1:] == labels[:, :-1], is_label[:, 1:])
    needed = lengths + ops.sum(ops.cast(repeated, "int32"), axis=1)
    has_room = ops.logical_and(needed <= positions, positions > 0)
    # Where there is no room, of no label in one position, so that gradients are finite.
    values = ops.ctc_loss(
        labels, log_probs, ops.where(has_room, lengths, 0), ops.maximum(positions, 1)
    )
    return ops.where(has_room, values, 0.0)


def mean_loss(log_probs, mask, targets):
    """The mean over outputs of their `losses`, each divided by the number of its tokens.

    Args:
        log_probs: As in `losses`.
        mask: As in `losses`.
        targets: `(rows, target)`: the start token, then the output. Rows of padding do not count.

    Returns:
        A float32 scalar.
    """
    labels = targets[:, 1:]
    lengths = ops.sum(ops.cast(labels != PAD, "float32"), axis=1)
    per_token = ops.divide_no_nan(losses(log_probs, mask, labels), lengths)
    counts = ops.cast(ops.any(targets != PAD, axis=1), "float32")
    return ops.divide_no_nan(ops.sum(per_token), ops.sum(counts))
