import keras
from keras import ops

from keras_s2s._backend.log_zero import IMPOSSIBLE, TINY
from keras_s2s._backend.shapes import size
from keras_s2s._checks import check_int
from keras_s2s.layers.attention import count_rows_per_example
from keras_s2s.layers.heads import Head
from keras_s2s.tokens import UNKNOWN


@keras.saving.register_keras_serializable("keras_s2s")
class CopyHead(Head):
    """Pointer-generator: the next token is written from the vocabulary, or copied from the source.

    With the attention weights `a` over the source, the readout `r` of the decoder and a trained
    switch `g = sigmoid(w . r + b)`, the probability of a token is

        p(token) = g * softmax(logits)[token] + (1 - g) * sum of a[i] where source[i] == token

    The paper's switch reads context, state and embedding; the readout is made of these three.
    Where the weights sum to less than 1, as those of local attention, the rest is written.

    The source and the output share one vocabulary. With slots, words that it lacks can be copied
    too: the ids from `vocabulary_size` to `vocabulary_size + slots - 1` are the source's own words,
    others in each example, see `copy_slots` of `keras_s2s.preprocessing.TextPairPreprocessor`.

    Args:
        slots: Integer, how many different out-of-vocabulary words of one source can be copied; 0
            copies only words of the vocabulary.
        **kwargs: Keras's own layer arguments, such as `name` and `dtype`.

    Call arguments:
        readout: `(rows, embedding_dim)`, or `(rows, target, embedding_dim)`.
        weights: The attention weights, `(rows, source)` or `(rows, target, source)`.
        prepared: What `prepare` returned: the ids `(batch, source)` of the source.
        embedding: The decoder's `keras.layers.ReversibleEmbedding`.

    Returns:
        Logarithms of probabilities, float32: `(rows, vocabulary_size + slots)`, or `(rows, target,
        vocabulary_size + slots)`.

    Raises:
        ValueError: From the decoder, if it has no attention.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.RNNEncoder(16, vocabulary_size=100)
    decoder = keras_s2s.layers.RNNDecoder(100, 16, head=keras_s2s.layers.CopyHead())
    source = np.array([[5, 7, 3], [8, 3, 0]])
    memory = {**encoder(source), "encoder_token_ids": source}
    log_probs = np.array(decoder(np.array([[2, 5], [2, 8]]), memory))
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1, atol=1e-4)
    ```

    References:
        See, Liu and Manning, 2017, https://arxiv.org/abs/1704.04368, section 2.2;
        Vinyals, Fortunato and Jaitly, 2015, https://arxiv.org/abs/1506.03134 (pointers)
    """

    input_names = ("encoder_token_ids",)
    reads_attention = True

    def __init__(self, slots=0, **kwargs):
        super().__init__(**kwargs)
        self.slots = check_int("slots", slots, 0)
        self.switch = keras.layers.Dense(1, dtype=self.dtype_policy, name="switch")

    def check_columns(self, columns, target_tokenizer):
        column = columns["encoder_token_ids"]
        if len(columns) > 1:
            raise ValueError(
                "CopyHead copies from a single input. Received a preprocessor of: "
                f"{', '.join(columns)}. Use one column, or another `head`."
            )
        if column.copy_slots != self.slots:
            raise ValueError(
                f"The preprocessor was made with copy_slots={column.copy_slots}, and CopyHead with "
                f"slots={self.slots}. Give both the same number."
            )
        source = column.tokenizer
        shared = source is target_tokenizer
        if not shared and source.get_vocabulary() != target_tokenizer.get_vocabulary():
            raise ValueError(
                "CopyHead writes ids of the source, so inputs and outputs need the same "
                "vocabulary, and the preprocessor's tokenizers have two. Train one tokenizer on "
                "both, and pass it as `source_tokenizer` alone."
            )

    def output_size(self, vocabulary_size):
        return vocabulary_size + self.slots

    def build(self, readout_shape):
        if not self.switch.built:
            self.switch.build(readout_shape)

    def prepare(self, memory, dtype):
        return {"ids": memory[self.input_names[0]]}

    def call(self, readout, weights, prepared, embedding):
        logits = ops.cast(embedding(readout, reverse=True), "float32")
        switch = ops.cast(self.switch(readout), "float32")
        weights = ops.cast(weights, "float32")
        write, copy = ops.log_sigmoid(switch), ops.log_sigmoid(-switch)
        rest = 1 - ops.sum(weights, axis=-1, keepdims=True)
        written = ops.log_softmax(logits) + ops.logaddexp(write, copy + _log(rest))
        if self.slots:
            before = [(0, 0)] * (len(written.shape) - 1)
            written = ops.pad(written, [*before, (0, self.slots)], constant_values=IMPOSSIBLE)
        copied = _sum_by_id(weights, prepared["ids"], written.shape[-1])
        return ops.logaddexp(written, copy + _log(copied))

    def get_config(self):
        return {**super().get_config(), "slots": self.slots}


def _log(probabilities):
    return ops.log(ops.maximum(probabilities, TINY))


def _sum_by_id(weights, ids, output_size):
    """For each id the sum of the weights of its positions.

    Args:
        weights: `(rows, [target,] source)`, the rows of one example side by side.
        ids: `(batch, source)` integers below `output_size`.
        output_size: Integer.

    Returns:
        `(rows, [target,] output_size)`.
    """
    batch, source = size(ids, 0), size(ids, 1)
    outer = [size(weights, axis) for axis in range(len(weights.shape) - 1)]
    rows_per_example = count_rows_per_example(outer[0], batch)
    for steps in outer[1:]:
        rows_per_example = rows_per_example * steps
    # One segment for each id of each example; an id of no logit is not to be the next example's.
    ids = ops.where(ids < output_size, ids, UNKNOWN)
    columns = ops.transpose(ops.reshape(weights, (batch, rows_per_example, source)), (0, 2, 1))
    segments = ops.cast(ids, "int32") + output_size * ops.expand_dims(
        ops.arange(batch, dtype="int32"), -1
    )
    sums = ops.segment_sum(
        ops.reshape(columns, (batch * source, rows_per_example)),
        ops.reshape(segments, (batch * source,)),
        num_segments=batch * output_size,
    )
    sums = ops.transpose(ops.reshape(sums, (batch, output_size, rows_per_example)), (0, 2, 1))
    return ops.reshape(sums, (*outer, output_size))
