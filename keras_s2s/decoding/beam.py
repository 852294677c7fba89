"""Beam search with frozen finished hypotheses."""

import copy

import keras
from keras import ops

from keras_s2s._backend.gather import select, take_rows
from keras_s2s._backend.log_zero import IMPOSSIBLE
from keras_s2s._backend.shapes import repeat_rows, size
from keras_s2s._backend.top_k import top_k
from keras_s2s._checks import check_int, check_number
from keras_s2s.decoding._tensors import concatenate, merge_rows, split_rows, write
from keras_s2s.decoding.penalties import coverage_penalty, length_penalty
from keras_s2s.decoding.sampler import Sampler, make_result
from keras_s2s.tokens import END


@keras.saving.register_keras_serializable("keras_s2s")
class Beam(Sampler):
    """Beam search, ranked by length- and coverage-normalised log-probability.

    A hypothesis is scored as in [Wu et al., 2016](https://arxiv.org/abs/1609.08144), equation 14:

        score = log_prob / ((5 + length) / 6) ** length_penalty
                + coverage_penalty * sum_i log(min(sum_j attention_ji, 1))

    with `length` in tokens, the end id counted, and `i` over the source positions that are not
    padding.

    Each step extends the `num_beams` most probable unfinished hypotheses. Of the best
    `num_beams` extensions, those that end leave the beam for a pool that keeps the
    `num_return_sequences` best scores; nothing changes them any more. An example stops when its
    pool is full and no hypothesis in the beam can still score better than the worst in the pool,
    whatever follows (log-probabilities only fall, and the length penalty is largest at
    `max_length`), so stopping never changes the result. Hypotheses that reach `max_length` without
    the end id compete with the score they have.

    With `num_beams=1` and no penalties this is `Greedy`. Ties go to the hypothesis that finished
    first, then to the lower id.

    With `spellings`, and more than one hypothesis to return, hypotheses that spell the same text
    in different pieces count as one: the pool keeps the best of each text, and the search goes on
    until the pool is full. Without `spellings`, different sequences of ids count separately.

    The decoder's state is reordered with the beam; the memory is neither copied nor reordered.

    Args:
        num_beams: Int, hypotheses per example that are extended at every step.
        length_penalty: Float, at least 0: the exponent above; larger values favour longer
            hypotheses.
        coverage_penalty: Float, at least 0: the weight of the coverage term. It needs a decoder
            whose attention weights sum to one over the source.
        num_return_sequences: Int, at most `num_beams`: hypotheses returned, best first. Where
            fewer exist, the rest have length 0 and score -inf.
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
    sampler = keras_s2s.decoding.Beam(num_beams=4, num_return_sequences=2)
    result = sampler(decoder, memory, max_length=20, return_attention=True)
    print(result["token_ids"].shape, result["scores"].shape)  # (2, 2, 20) (2, 2)
    ```
    """

    def __init__(
        self,
        num_beams=5,
        length_penalty=0.6,
        coverage_penalty=0.0,
        num_return_sequences=1,
        min_length=0,
        banned_tokens=(),
        no_repeat_ngram_size=0,
    ):
        super().__init__(min_length, banned_tokens, no_repeat_ngram_size)
        self.num_beams = check_int("num_beams", num_beams, 1)
        self.num_return_sequences = check_int("num_return_sequences", num_return_sequences, 1)
        if self.num_return_sequences > self.num_beams:
            raise ValueError(
                "`num_return_sequences` must not exceed `num_beams`. Received: "
                f"num_return_sequences={num_return_sequences}, num_beams={num_beams}"
            )
        self.length_penalty = check_number(
            "length_penalty", length_penalty, lambda x: 0 <= x < float("inf"), "a number >= 0"
        )
        self.coverage_penalty = check_number(
            "coverage_penalty", coverage_penalty, lambda x: 0 <= x < float("inf"), "a number >= 0"
        )
        self._spellings = None

    def __call__(
        self,
        decoder,
        memory,
        max_length,
        prefix=None,
        limits=None,
        return_attention=False,
        drop_finished=True,
        spellings=None,
    ):
        """Decodes a batch.

        Args:
            decoder: As in `Sampler`.
            memory: As in `Sampler`.
            max_length: As in `Sampler`.
            prefix: As in `Sampler`.
            limits: As in `Sampler`.
            return_attention: As in `Sampler`.
            drop_finished: As in `Sampler`.
            spellings: Optional `keras_s2s.decoding.Spellings` of the decoder's vocabulary.

        Returns:
            As in `Sampler`.
        """
        configured = copy.copy(self)
        # The best of all hypotheses is the best of its text anyway.
        configured._spellings = spellings if self.num_return_sequences > 1 else None
        return super(Beam, configured).__call__(
            decoder, memory, max_length, prefix, limits, return_attention, drop_finished
        )

    _of_examples = ("done", "limits", "pool")

    @property
    def rows_per_example(self):
        return self.num_beams

    @property
    def _uses_attention(self):
        return self.coverage_penalty > 0

    def _start(self, batch, max_length, memory):
        beams, n = self.num_beams, self.num_return_sequences
        # All beams start equal. The others start impossible, or they would be copies of the first.
        others = ops.arange(beams, dtype="int32") > 0
        log_probs = ops.tile(ops.cast(others, "float32") * IMPOSSIBLE, (batch,))
        search = {
            "done": ops.zeros((batch,), dtype="bool"),
            "log_probs": log_probs,
            "tokens": ops.zeros((batch * beams, max_length), dtype="int32"),
            # For each step of a hypothesis, the row that computed it, which has its attention.
            "origin": ops.zeros((batch * beams, max_length), dtype="int32"),
            "pool": {
                "scores": ops.full((batch, n), IMPOSSIBLE, dtype="float32"),
                "log_probs": ops.full((batch, n), IMPOSSIBLE, dtype="float32"),
                "tokens": ops.zeros((batch, n, max_length), dtype="int32"),
                "origin": ops.zeros((batch, n, max_length), dtype="int32"),
            },
        }
        if self._uses_attention:
            padding = 1.0 - ops.cast(memory["mask"], "float32")
            search["coverage"] = repeat_rows(padding, beams)
        if self._spellings is not None:
            search["texts"] = self._spellings.start(batch * beams)
            search["pool"]["texts"] = self._spellings.start(batch, n)
        return search

    def _advance(self, step, choices, weights, search):
        beams = self.num_beams
        batch = size(search["done"], 0)
        # At most one extension per beam ends, so `beams` of the best 2 * beams do not.
        log_probs, beam, token_ids = choices.best_extensions(
            split_rows(search["log_probs"], beams), 2 * beams
        )
        rows = beam + beams * ops.expand_dims(ops.arange(batch, dtype="int32"), -1)
        ended = token_ids == END
        if self._uses_attention:
            search = {**search, "coverage": search["coverage"] + weights}

        # An end must be among the best `beams` to count, or 1 beam would differ from greedy.
        pool = self._add_to_pool(
            search,
            step + 1,
            self._extend(search, rows[:, :beams], step, log_probs[:, :beams], token_ids[:, :beams]),
            ended[:, :beams],
        )
        rank = ops.expand_dims(ops.arange(2 * beams, dtype="int32"), 0)
        _, going_on = top_k(-(rank + 2 * beams * ops.cast(ended, "int32")), beams)
        log_probs, token_ids, rows = (select(x, going_on) for x in (log_probs, token_ids, rows))
        beam = self._extend(search, rows, step, log_probs, token_ids)
        # The greatest length, at which the length penalty is largest.
        limits = search.get("limits", size(search["tokens"], -1))
        done = ops.logical_or(search["done"], self._is_decided(log_probs[:, 0], pool, limits))
        beam = keras.tree.map_structure(merge_rows, beam)
        search = {**search, **beam, "done": done, "pool": pool}
        return merge_rows(token_ids), merge_rows(rows), search

    def _extend(self, search, rows, step, log_probs, token_ids):
        """The hypotheses `(batch, m, ...)` that continue `rows (batch, m)` with `token_ids`."""
        hypotheses = {
            "log_probs": log_probs,
            "tokens": write(take_rows(search["tokens"], rows), step, token_ids, axis=2),
            "origin": write(take_rows(search["origin"], rows), step, rows, axis=2),
        }
        if "coverage" in search:
            hypotheses["coverage"] = take_rows(search["coverage"], rows)
        if self._spellings is not None:
            texts = take_rows(search["texts"], rows)
            hypotheses["texts"] = self._spellings.add(texts, token_ids)
        return hypotheses

    def _add_to_pool(self, search, length, hypotheses, ended):
        """The best of the pool and of those `hypotheses (batch, m, ...)` that `ended`."""
        scores = hypotheses["log_probs"] / length_penalty(length, self.length_penalty)
        if self._uses_attention:
            scores = scores + coverage_penalty(hypotheses["coverage"], self.coverage_penalty)
        eligible = ops.logical_and(ended, hypotheses["log_probs"] > IMPOSSIBLE / 2)
        # The pool of a done example is frozen, so as not to depend on how long others take.
        eligible = ops.logical_and(eligible, ops.logical_not(search["done"])[:, None])
        scores = ops.where(eligible, scores, IMPOSSIBLE)
        pool = search["pool"]
        new = {**{key: hypotheses[key] for key in pool if key != "scores"}, "scores": scores}
        both = concatenate(pool, new)
        scores = both["scores"]
        if self._spellings is not None:
            # Rank repeated texts below empty places, which remain if there are too few texts.
            scores = ops.where(_is_worse_of_text(both), 2 * IMPOSSIBLE, scores)
        _, best = top_k(scores, self.num_return_sequences)
        return keras.tree.map_structure(lambda x: select(x, best), both)

    def _is_decided(self, log_probs, pool, max_length):
        """Whether no unfinished hypothesis, the best with `log_probs`, can enter the pool."""
        bound = log_probs / length_penalty(max_length, self.length_penalty)
        return ops.logical_or(bound <= pool["scores"][:, -1], log_probs <= IMPOSSIBLE / 2)

    def _finish(self, search, max_length, attention):
        beams = self.num_beams
        beam = {
            key: split_rows(value, beams)
            for key, value in search.items()
            if key not in ("done", "pool", "limits")
        }
        # Hypotheses that reached `max_length` without an end compete, unless an example is done.
        pool = self._add_to_pool(search, max_length, beam, ops.ones_like(beam["log_probs"], "bool"))
        missing = pool["scores"] <= IMPOSSIBLE / 2
        scores, log_probs = (
            ops.where(missing, -float("inf"), pool[key]) for key in ("scores", "log_probs")
        )
        if attention is not None:
            rows, length, source = ops.shape(attention)
            index = pool["origin"] * length + ops.arange(length, dtype="int32")
            attention = take_rows(ops.reshape(attention, (rows * length, source)), index)
        return make_result(pool["tokens"], scores, log_probs, attention)

    def get_config(self):
        return {
            "num_beams": self.num_beams,
            "length_penalty": self.length_penalty,
            "coverage_penalty": self.coverage_penalty,
            "num_return_sequences": self.num_return_sequences,
            **super().get_config(),
        }


def _is_worse_of_text(hypotheses):
    """Which of `hypotheses (batch, m, ...)` spell the text of a better one: `(batch, m)`."""
    texts, scores = hypotheses["texts"], hypotheses["scores"]
    same = ops.all(ops.expand_dims(texts, 2) == ops.expand_dims(texts, 1), axis=-1)
    mine, other = ops.expand_dims(scores, 2), ops.expand_dims(scores, 1)
    place = ops.arange(scores.shape[1], dtype="int32")
    first = ops.expand_dims(place, 0) < ops.expand_dims(place, 1)
    better = ops.logical_or(other > mine, ops.logical_and(other == mine, first))
    worse = ops.any(ops.logical_and(same, better), axis=2)
    # Empty places of the pool have no text.
    return ops.logical_and(worse, scores > IMPOSSIBLE / 2)
