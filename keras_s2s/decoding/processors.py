"""What may not come next: small objects that each add to a mask of banned tokens.

Every processor is called as `processor(banned, tokens, step)` and returns the new mask:

- `banned`: bool tensor, `(rows, vocabulary)` or `(1, vocabulary)`, True where a token is banned,
- `tokens`: int32 tensor `(rows, max_length)`, what was produced so far, zeros from `step` on,
- `step`: int32 scalar tensor, how many tokens were produced so far.

Masks, not altered scores: a hypothesis keeps the log-probability that the model gives it.
"""

import numpy as np
from keras import ops

from keras_s2s.decoding.ids import END, PAD


class BannedTokens:
    """Bans the same tokens at every step.

    Args:
        token_ids: Ints, the ids to ban.
        vocabulary_size: Int.
    """

    def __init__(self, token_ids, vocabulary_size):
        self.mask = np.zeros((1, vocabulary_size), "bool")
        self.mask[0, list(token_ids)] = True

    def __call__(self, banned, tokens, step):
        return ops.logical_or(banned, self.mask)


class MinLength:
    """Bans the end id until `min_length` tokens were produced.

    Args:
        min_length: Int, tokens before the end id.
        vocabulary_size: Int.
    """

    def __init__(self, min_length, vocabulary_size):
        self.min_length = min_length
        self.mask = np.arange(vocabulary_size)[None] == END

    def __call__(self, banned, tokens, step):
        return ops.logical_or(banned, ops.logical_and(self.mask, step < self.min_length))


class EndAtLimit:
    """Bans all but the end id for the last token that a row may have.

    Args:
        limits: int32 tensor `(rows,)`, tokens, the end id counted.
        vocabulary_size: Int.
    """

    def __init__(self, limits, vocabulary_size):
        self.limits = ops.expand_dims(limits, -1)
        self.others = np.arange(vocabulary_size)[None] != END

    def __call__(self, banned, tokens, step):
        return ops.where(step >= self.limits - 1, self.others, banned)


class NoRepeatNgram:
    """Bans tokens that would complete an n-gram the row already has.

    Where that would leave nothing to continue with, the repetition is let through.

    Args:
        size: Int, the n of the n-grams, in tokens.
    """

    def __init__(self, size):
        self.size = size

    def __call__(self, banned, tokens, step):
        rows, length = ops.shape(tokens)
        # Zeros on the right let every window slice start at 0..length - 1, however short `tokens`.
        padded = ops.pad(tokens, ((0, 0), (0, self.size)))
        start = ops.arange(length, dtype="int32")
        repeats = ops.expand_dims(start + self.size - 1 < step, 0)
        for offset in range(self.size - 1):
            # Clamped for the first steps only, where `repeats` is False everywhere.
            recent = ops.take(tokens, ops.maximum(step - self.size + 1 + offset, 0), axis=1)
            window = padded[:, offset : offset + length]
            repeats = ops.logical_and(repeats, window == ops.expand_dims(recent, -1))
        last = padded[:, self.size - 1 : self.size - 1 + length]
        # The pad id is banned anyhow, so windows that do not match may point at it.
        last = ops.where(repeats, last, PAD)
        row = ops.broadcast_to(ops.expand_dims(ops.arange(rows, dtype="int32"), -1), (rows, length))
        indices = ops.reshape(ops.stack([row, last], axis=-1), (rows * length, 2))
        vocabulary = ops.shape(banned)[1]
        before = ops.broadcast_to(banned, (rows, vocabulary))
        after = ops.scatter_update(before, indices, ops.ones((rows * length,), dtype="bool"))
        return ops.where(ops.all(after, axis=-1, keepdims=True), before, after)


class ForcedPrefix:
    """Bans everything but the prefix's token, wherever the prefix has one.

    Comes last: a forced token is let through even if another processor banned it.

    Args:
        prefix: int32 tensor `(batch, prefix_length)`, 0 where the choice is free.
        rows_per_example: Int, decoder rows per example.
        vocabulary_size: Int.
    """

    def __init__(self, prefix, rows_per_example, vocabulary_size):
        prefix = ops.repeat(ops.cast(prefix, "int32"), rows_per_example, axis=0)
        # One free column more: all steps after the prefix read it.
        self.prefix = ops.pad(prefix, ((0, 0), (0, 1)))
        self.token_ids = np.arange(vocabulary_size, dtype="int32")[None]

    def __call__(self, banned, tokens, step):
        column = ops.minimum(step, ops.shape(self.prefix)[1] - 1)
        forced = ops.expand_dims(ops.take(self.prefix, column, axis=1), -1)
        return ops.where(forced != PAD, ops.not_equal(forced, self.token_ids), banned)
