"""A decoder and others whose scores are added to its own."""

from keras import ops

from keras_s2s._checks import check_number


class Fusion:
    """A decoder for searches whose scores are a weighted sum of those of several decoders.

    The score of a token is the decoder's log-probability of it, plus for each scorer its weight
    times the scorer's log-probability. A scorer is any `keras_s2s.layers.Decoder` with as many
    tokens: a `keras_s2s.layers.CTCPrefixScorer`, or a language model, which is an `RNNDecoder`
    without attention and with `bridge="zero"`, so that it reads nothing of the memory. Such a sum
    is no distribution, so searches do not normalise it; each score is at most 0.

    It has no weights of its own. A model makes one of its `scorers`.

    Args:
        decoder: `keras_s2s.layers.Decoder`. Attention weights are its own.
        scorers: List of `keras_s2s.layers.Decoder`s.
        weights: Floats, at least 0, one for each scorer.

    Raises:
        ValueError: If a weight is negative, there are too many or few, or a scorer has another
            number of tokens.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    decoder = keras_s2s.layers.RNNDecoder(9, 4)
    language_model = keras_s2s.layers.RNNDecoder(9, 4, attention=None, bridge="zero")
    fused = keras_s2s.decoding.Fusion(decoder, [language_model], [0.3])
    memory = {"values": np.ones((1, 3, 6), "float32"), "mask": np.ones((1, 3), "bool")}
    result = keras_s2s.decoding.Beam(num_beams=2)(fused, memory, max_length=5)
    assert result["token_ids"].shape == (1, 1, 5)
    ```

    References:
        Gulcehre et al., 2015, https://arxiv.org/abs/1503.03535 (shallow fusion);
        Watanabe et al., 2017, https://doi.org/10.1109/JSTSP.2017.2763455, equation 43
    """

    gives_scores = True

    def __init__(self, decoder, scorers, weights):
        self.decoder = decoder
        self.scorers = list(scorers)
        self.weights = [
            check_number("weights", weight, lambda x: x >= 0, "numbers, at least 0")
            for weight in weights
        ]
        if len(self.weights) != len(self.scorers):
            raise ValueError(
                f"`weights` must hold one number for each scorer. Received: {len(self.weights)} "
                f"for {len(self.scorers)} scorers"
            )
        for scorer in self.scorers:
            if scorer.output_size != decoder.output_size:
                raise ValueError(
                    f"The {type(scorer).__name__} scores {scorer.output_size} tokens, and the "
                    f"decoder {decoder.output_size}. Give both the same vocabulary."
                )

    @property
    def vocabulary_size(self):
        return self.decoder.vocabulary_size

    @property
    def output_size(self):
        return self.decoder.output_size

    @property
    def attends(self):
        return self.decoder.attends

    def start(self, memory, rows_per_example=1, max_length=None):
        """As `keras_s2s.layers.Decoder.start`; each decoder has its own memory and state."""
        started = [
            decoder.start(memory, rows_per_example, max_length)
            for decoder in (self.decoder, *self.scorers)
        ]
        memories, states = zip(*started)
        return {**memory, "fused": list(memories)}, list(states)

    def step(self, tokens, state, memory, return_attention=False):
        """As `keras_s2s.layers.Decoder.step`, with scores in place of logits."""
        options = {"return_attention": True} if return_attention else {}
        first, *memories = memory["fused"]
        outputs = self.decoder.step(tokens, state[0], first, **options)
        others = [
            scorer.step(tokens, one, prepared)
            for scorer, one, prepared in zip(self.scorers, state[1:], memories, strict=True)
        ]
        scores = self._sum(outputs[0], [logits for logits, _ in others])
        return scores, [outputs[1], *(new for _, new in others)], *outputs[2:]

    def __call__(self, targets, memory, rows_per_example=1):
        """All steps at once, as `keras_s2s.layers.Decoder`: scores `(rows, target, output_size)`.

        Without dropout: what trains is the decoder.
        """
        logits, *others = (
            decoder(targets, memory, training=False, rows_per_example=rows_per_example)
            for decoder in (self.decoder, *self.scorers)
        )
        return self._sum(logits, others)

    def _sum(self, logits, others):
        scores = _log_probs(logits)
        for weight, one in zip(self.weights, others, strict=True):
            scores = scores + weight * _log_probs(one)
        return scores


def _log_probs(logits):
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
