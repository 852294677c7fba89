"""One hypothesis per row, one token at a time."""

import keras
from keras import ops

from keras_s2s.decoding._tensors import split_rows, write
from keras_s2s.decoding.sampler import Sampler, make_result
from keras_s2s.tokens import END, PAD


@keras.saving.register_keras_serializable("keras_s2s")
class Greedy(Sampler):
    """Takes the most probable token at every step.

    Among equally probable tokens the lowest id is taken. `"scores"` of the result are its
    `"log_probs"`; there is one hypothesis per example.

    Args:
        min_length: Int, how many tokens must come before the end id.
        banned_tokens: Ints, ids that are never produced.
        no_repeat_ngram_size: Int, no hypothesis has any n-gram of this many tokens twice; 0 for
            no limit.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.RNNEncoder(16, vocabulary_size=100)
    decoder = keras_s2s.layers.RNNDecoder(90, 32)
    memory = encoder(np.array([[5, 7, 3], [8, 3, 0]]))
    sampler = keras_s2s.decoding.Greedy(banned_tokens=[1])
    result = sampler(decoder, memory, max_length=20)
    print(result["token_ids"].shape)  # (2, 1, 20)
    ```
    """

    def _start(self, batch, max_length, memory):
        rows = batch * self.rows_per_example
        return {
            "done": ops.zeros((rows,), dtype="bool"),
            "log_probs": ops.zeros((rows,), dtype="float32"),
            "tokens": ops.zeros((rows, max_length), dtype="int32"),
        }

    def _advance(self, step, choices, weights, search):
        done = search["done"]
        log_probs, chosen = self._choose(step, choices, search)
        tokens = ops.where(done, PAD, ops.squeeze(chosen, -1))
        search = {
            **search,
            "done": ops.logical_or(done, tokens == END),
            "log_probs": search["log_probs"] + ops.where(done, 0.0, ops.squeeze(log_probs, -1)),
            "tokens": write(search["tokens"], step, tokens),
        }
        return tokens, None, search

    def _choose(self, step, choices, search):
        """The log-probability and the id of the token of every row, `(rows, 1)`."""
        return choices.best(1)

    def _finish(self, search, max_length, attention):
        n = self.rows_per_example
        log_probs = split_rows(search["log_probs"], n)
        if attention is not None:
            attention = split_rows(attention, n)
        return make_result(split_rows(search["tokens"], n), log_probs, log_probs, attention)
