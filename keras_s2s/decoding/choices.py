"""The tokens that may come next in each row: their log-probabilities, bans and forced tokens."""

import numpy as np
from keras import ops

from keras_s2s._backend.gather import select
from keras_s2s._backend.log_zero import IMPOSSIBLE
from keras_s2s._backend.shapes import size
from keras_s2s._backend.top_k import Groups, top_k
from keras_s2s.tokens import END, PAD, UNKNOWN

# Up to this number, banned tokens are removed from the best ones; more are masked in the logits.
_FEW = 16


class Constraints:
    """The constraints on the tokens of a search, the same at all steps.

    Args:
        vocabulary_size: Int.
        banned_tokens: Set of ints, ids that are never chosen.
        min_length: Int, tokens before the end id.
        no_repeat_ngram_size: Int, n of the n-grams that no row has twice, or 0. If that would ban
            every token of a row, repetitions are allowed.
        limits: int32 tensor `(rows,)`, or None: the number, from 1, of the token that must be the
            end id.
        prefix: int32 tensor `(rows, prefix_length)`, or None: the forced ids, 0 where the choice
            is free; ids outside the vocabulary count as unknown. It overrules the other arguments.
    """

    def __init__(
        self, vocabulary_size, banned_tokens, min_length, no_repeat_ngram_size, limits, prefix
    ):
        self.vocabulary_size = vocabulary_size
        self.banned_tokens = sorted(banned_tokens)
        self.min_length = min_length
        self.no_repeat_ngram_size = no_repeat_ngram_size
        self.limits = limits
        self.prefix = None
        if prefix is not None:
            known = ops.logical_and(prefix >= 0, prefix < vocabulary_size)
            # One more column of zeros, which all steps after the prefix read.
            self.prefix = ops.pad(ops.where(known, prefix, UNKNOWN), ((0, 0), (0, 1)))

    def banned(self, step):
        """Whether each token of the vocabulary is banned at a step, `(vocabulary,)`."""
        banned = np.zeros(self.vocabulary_size, "bool")
        banned[self.banned_tokens] = True
        banned = ops.convert_to_tensor(banned)
        if not self.min_length:
            return banned
        is_end = np.arange(self.vocabulary_size) == END
        return ops.logical_or(banned, ops.logical_and(is_end, step < self.min_length))

    def banned_with_ngrams(self, tokens, step):
        """Like `banned` for each row, `(rows, vocabulary)`, or for all, `(1, vocabulary)`.

        `tokens (rows, max_length)` holds the tokens that the rows have so far.
        """
        banned = ops.expand_dims(self.banned(step), 0)
        if self.no_repeat_ngram_size:
            banned = _ban_repeated(banned, tokens, step, self.no_repeat_ngram_size)
        return banned

    def forced(self, step):
        """The token `(rows,)` that each row must take, 0 where it is free; None if all are."""
        forced = None
        if self.limits is not None:
            forced = ops.where(step >= self.limits - 1, END, PAD)
        if self.prefix is not None:
            column = ops.minimum(step, size(self.prefix, 1) - 1)
            prefix = ops.take(self.prefix, column, axis=1)
            forced = prefix if forced is None else ops.where(prefix != PAD, prefix, forced)
        return forced


class Choices:
    """The tokens that each row has to choose from at one step.

    Log-probabilities come from the model alone: a ban does not make other tokens more probable.

    Args:
        logits: `(rows, vocabulary)`.
        constraints: `Constraints`.
        tokens: int32 tensor `(rows, max_length)`, what was produced so far, zeros from `step` on.
        step: int32 scalar tensor, how many tokens were produced so far.
        are_scores: Whether the logits are scores, which stand for log-probabilities as they are.
    """

    def __init__(self, logits, constraints, tokens, step, are_scores=False):
        self.logits = ops.cast(logits, "float32")
        self._constraints = constraints
        self._tokens, self._step = tokens, step
        self._forced = constraints.forced(step)
        self._groups = Groups(self.logits)
        if are_scores:
            self._normalizer = ops.zeros_like(self.logits[:, :1])
        else:
            self._normalizer = self._groups.log_sum_exp(ops.softmax(self.logits))

    def best(self, k):
        """The k best: log-probabilities and ids `(rows, k)`.

        If fewer tokens are allowed, the others have log-probabilities below `IMPOSSIBLE / 2`. If a
        token is forced, the others have id 0, so that no row seems to end twice.
        """
        values, token_ids = self._top_k(k)
        if self._forced is not None:
            forced = ops.expand_dims(self._forced, -1)
            is_first = ops.expand_dims(ops.arange(k) == 0, 0)
            logit = ops.maximum(select(self.logits, forced), IMPOSSIBLE)
            values = ops.where(forced != PAD, ops.where(is_first, logit, IMPOSSIBLE), values)
            alone = ops.where(is_first, forced, PAD)
            token_ids = ops.where(forced != PAD, alone, token_ids)
        return values - self._normalizer, token_ids

    def best_extensions(self, log_probs, k):
        """The k best ways to go on with the beams of each example.

        Args:
            log_probs: `(batch, beams)`, log-probabilities of the tokens that the rows have so far.
            k: Python int, at least `beams`.

        Returns:
            Log-probabilities with the token added, beams and ids, `(batch, k)`. If there are fewer
            than k, see `best`.
        """
        batch, beams = ops.shape(log_probs)
        shift = ops.reshape(log_probs, (-1,)) - ops.squeeze(self._normalizer, -1)
        values, index = self._top_k(k, shift, together=log_probs.shape[1])
        vocabulary = self._constraints.vocabulary_size
        beam, token_ids = index // vocabulary, index % vocabulary
        if self._forced is not None:
            forced = ops.reshape(self._forced, (batch, beams))
            logit = select(self.logits, ops.expand_dims(self._forced, -1))
            alone = ops.maximum(logit, IMPOSSIBLE) + ops.expand_dims(shift, -1)
            missing = ((0, 0), (0, k - log_probs.shape[1]))
            alone = ops.pad(ops.reshape(alone, (batch, beams)), missing, constant_values=IMPOSSIBLE)
            alone, order = top_k(alone, k)
            is_forced = forced[:, :1] != PAD
            values = ops.where(is_forced, alone, values)
            beam = ops.where(is_forced, order % log_probs.shape[1], beam)
            token_ids = ops.where(is_forced, select(ops.pad(forced, missing), order), token_ids)
        return values, beam, token_ids

    def _top_k(self, k, shift=None, together=1):
        """Logits and ids of the tokens that are not banned, see `Groups.top_k`."""
        constraints = self._constraints
        if constraints.no_repeat_ngram_size or len(constraints.banned_tokens) > _FEW:
            return Groups(self._masked()).top_k(k, shift=shift, together=together)
        at_most = [*constraints.banned_tokens, END]
        banned = constraints.banned(self._step)
        return self._groups.top_k(k, banned, at_most, IMPOSSIBLE, shift, together)

    def scores(self):
        """The logits of all tokens, `(rows, vocabulary)`; `IMPOSSIBLE` for those not allowed."""
        scores = self._masked()
        if self._forced is not None:
            forced = ops.expand_dims(self._forced, -1)
            token_ids = ops.arange(self._constraints.vocabulary_size, dtype="int32")
            alone = ops.where(token_ids == forced, self.logits, IMPOSSIBLE)
            scores = ops.where(forced != PAD, alone, scores)
        return scores

    def log_probs(self, token_ids):
        """Log-probabilities of `token_ids (rows, n)`."""
        return select(self.logits, token_ids) - self._normalizer

    def _masked(self):
        banned = self._constraints.banned_with_ngrams(self._tokens, self._step)
        return ops.where(banned, IMPOSSIBLE, self.logits)


def _ban_repeated(banned, tokens, step, size):
    """Adds to `banned (1, vocabulary)` what would repeat an n-gram, for each row: `(rows, ...)`."""
    rows, length = ops.shape(tokens)
    # With zeros on the right, every slice below has `length` columns, however short `tokens` is.
    padded = ops.pad(tokens, ((0, 0), (0, size)))
    start = ops.arange(length, dtype="int32")
    repeats = ops.expand_dims(start + size - 1 < step, 0)
    for offset in range(size - 1):
        # Clamped for the first steps only, where `repeats` is False everywhere.
        recent = ops.take(tokens, ops.maximum(step - size + 1 + offset, 0), axis=1)
        window = padded[:, offset : offset + length]
        repeats = ops.logical_and(repeats, window == ops.expand_dims(recent, -1))
    last = padded[:, size - 1 : size - 1 + length]
    # Windows that do not match ban the pad id, which is banned anyway.
    last = ops.where(repeats, last, PAD)
    row = ops.broadcast_to(ops.expand_dims(ops.arange(rows, dtype="int32"), -1), (rows, length))
    indices = ops.reshape(ops.stack([row, last], axis=-1), (rows * length, 2))
    before = ops.broadcast_to(banned, (rows, ops.shape(banned)[1]))
    after = ops.scatter_update(before, indices, ops.ones((rows * length,), dtype="bool"))
    return ops.where(ops.all(after, axis=-1, keepdims=True), before, after)
