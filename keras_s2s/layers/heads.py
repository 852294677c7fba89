"""Heads: layers that compute the scores of tokens from a decoder's readout."""

import keras
from keras import ops

from keras_s2s.layers._parts import KeepsParts
from keras_s2s.tokens import UNKNOWN


class Head(KeepsParts, keras.layers.Layer):
    """Base of the heads: from the readout of a decoder to the logits of its next token.

    A decoder uses its head in four ways:

    - `output_size(vocabulary_size)` says how many ids have a logit. It is the same for all batches.
    - `embed(tokens, embedding)` reads the tokens that enter the steps.
    - `prepare(memory, dtype)` computes once for a batch what depends on the memory alone.
    - A call gives the logits, of one step, or of all steps at once outside of the recurrence.

    The embedding is the decoder's and comes as an argument, so that the decoder's
    `vocabulary_size`, `embedding_dim` and `tie_embeddings` hold for every head. Ids from
    `vocabulary_size` on are known to the head alone, such as words of the source that it copies.

    A subclass implements `call`. One with weights makes them in `build(readout_shape)`.

    Args:
        **kwargs: Keras's own layer arguments, such as `name` and `dtype`.

    Call arguments:
        readout: `(rows, embedding_dim)` of one step, `(rows, target, embedding_dim)` of all. The
            rows of one example (its beams, or several outputs to learn) lie side by side.
        weights: The attention weights of the same steps, `(rows, source)` or `(rows, target,
            source)`; None where the decoder has no attention.
        prepared: What `prepare` returned. Its tensors have an entry for each example, not for each
            row.
        embedding: The decoder's `keras.layers.ReversibleEmbedding`.

    Returns:
        Logits `(rows, output_size)` or `(rows, target, output_size)`.

    Example:
    ```python
    import keras
    import keras_s2s


    @keras.saving.register_keras_serializable("my_package")
    class SharpHead(keras_s2s.layers.Head):
        def build(self, readout_shape):
            self.sharpness = self.add_weight((), initializer="ones", name="sharpness")

        def call(self, readout, weights, prepared, embedding):
            return self.sharpness * embedding(readout, reverse=True)


    decoder = keras_s2s.layers.RNNDecoder(100, 16, head=SharpHead())
    ```
    """

    #: Names of the features that `prepare` reads in the memory, such as the ids of the source.
    input_names = ()
    #: Whether a call reads the attention weights.
    reads_attention = False

    def check_columns(self, columns, target_tokenizer):
        """As `keras_s2s.layers.Decoder.check_columns`."""

    def output_size(self, vocabulary_size):
        """How many ids have a logit: an integer, at least `vocabulary_size`."""
        return vocabulary_size

    def embed(self, tokens, embedding):
        """The vectors of tokens. Ids that are not in the vocabulary are read as unknown.

        Args:
            tokens: Integer ids, `(rows,)` or `(rows, target)`, below `output_size`.
            embedding: The decoder's `keras.layers.ReversibleEmbedding`.

        Returns:
            `(rows, embedding_dim)` or `(rows, target, embedding_dim)`.
        """
        vocabulary_size = embedding.input_dim
        if self.output_size(vocabulary_size) > vocabulary_size:
            tokens = ops.where(tokens < vocabulary_size, tokens, UNKNOWN)
        return embedding(tokens)

    def prepare(self, memory, dtype):
        """Computes once what all steps need.

        Args:
            memory: What an encoder returned.
            dtype: The dtype of the readout.

        Returns:
            Dict of tensors whose first axis is the batch of the memory.
        """
        return {}

    def call(self, readout, weights, prepared, embedding):
        raise NotImplementedError


@keras.saving.register_keras_serializable("keras_s2s")
class VocabularyHead(Head):
    """The readout times the output embedding: a logit for each token of the vocabulary.

    Args:
        **kwargs: Keras's own layer arguments, such as `name` and `dtype`.

    Reference:
        Press and Wolf, 2017, https://arxiv.org/abs/1608.05859 (tied embeddings)
    """

    def call(self, readout, weights, prepared, embedding):
        return embedding(readout, reverse=True)
