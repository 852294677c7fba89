"""Which examples share a batch: plans for `Batches`."""

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s.data.buckets import choose_buckets


class Plan:
    """Base of the plans.

    Lengths are integer arrays `(examples, columns)`, the end id included, of the columns that are
    token ids, outputs last. A batch is a tuple `(size, widths, rows)`: its number of rows, the
    width of each column, and the indices of its examples; the rows after these are padding.
    """

    #: The widths that every example must fit, once `prepare` has chosen them; None for no limit.
    widest = None

    def prepare(self, lengths, longest):
        """Chooses what stays the same in all epochs.

        Args:
            lengths: Lengths of all examples.
            longest: The largest length that may occur in each column.
        """

    def draw(self, rng, count):
        """Random numbers that make epochs differ, one for each of `count` examples.

        Args:
            rng: `numpy.random.Generator`.
            count: Integer.
        """
        raise NotImplementedError

    def batches(self, lengths, draws=None):
        """The batches of one epoch, each example in one of them.

        Args:
            lengths: Lengths of all examples.
            draws: What `draw` returned, or None for the same batches in all epochs.

        Returns:
            List of `(size, widths, rows)`.
        """
        raise NotImplementedError


class SortedPlan(Plan):
    """Base of the plans that sort by length, so that little of a batch is padding.

    Without `max_buckets` each batch is as wide as its longest rows. With it there are at most as
    many shapes, batch size included, so that XLA and JAX compile no more programs: examples that do
    not fill a batch move to the next wider bucket, and the last batch of all is filled with rows
    of zeros whose sample weight is 0.

    Args:
        max_buckets: Largest number of shapes, or None. Small sets get fewer, so that batches fill.
            `"auto"`: 12 on JAX, which compiles each, and None on other backends. Give a number
            for `jit_compile=True` too.
    """

    def __init__(self, max_buckets="auto"):
        if max_buckets == "auto":
            max_buckets = 12 if keras.backend.backend() == "jax" else None
        if max_buckets is not None:
            check_int("max_buckets", max_buckets, 1)
        self.max_buckets = max_buckets
        self._buckets = None

    def size(self, width):
        """The number of rows of a batch whose rows have `width` positions, all columns together."""
        raise NotImplementedError

    def most_buckets(self, lengths):
        """The most buckets that fill four batches each, so that few rows move to wider buckets."""
        raise NotImplementedError

    def prepare(self, lengths, longest):
        if self.max_buckets is None:
            return
        count = min(max(self.most_buckets(lengths), 1), self.max_buckets)
        buckets = choose_buckets(*_two_sides(lengths), count)
        if lengths.shape[1] != 2:
            # A bucket has one width for sources and one for targets: all sources get the former.
            buckets = np.repeat(buckets, [lengths.shape[1] - 1, 1], axis=1)
        buckets[-1] = np.maximum(buckets[-1], longest)
        self._buckets = buckets
        self.widest = buckets[-1]

    def shapes(self, count):
        """The shapes `(size, *widths)` of the buckets, from narrow to wide, or None.

        Args:
            count: The number of examples.
        """
        if self._buckets is None:
            return None
        return [(min(self.size(int(w.sum())), count), *w.tolist()) for w in self._buckets]

    def draw(self, rng, count):
        return rng.permutation(count)

    def batches(self, lengths, draws=None):
        order = np.arange(len(lengths)) if draws is None else draws
        if self._buckets is None:
            return self._sorted(lengths, order)
        bucket = np.max([np.searchsorted(w, n) for w, n in zip(self._buckets.T, lengths.T)], axis=0)
        # Put each example into the narrowest bucket that has room in a batch.
        plan, spilled = [], order[:0]
        for index, (size, *widths) in enumerate(self.shapes(len(lengths))):
            rows = np.concatenate([spilled, order[bucket[order] == index]])
            full = len(rows) // size * size
            plan += [(size, widths, rows[at : at + size]) for at in range(0, full, size)]
            spilled = rows[full:]
        return plan + [(size, widths, spilled)] if len(spilled) else plan

    def _sorted(self, lengths, order):
        *source, target = lengths[order].T
        source = np.sum(source, axis=0) if source else np.zeros_like(target)
        # Sort by target, which costs more, then by source, in turns upwards and downwards, so that
        # neighbours are similar everywhere.
        order = order[np.lexsort((np.where(target % 2, source, -source), target))]
        widths, plan, at = lengths[order], [], 0
        while at < len(order):
            size = self.size(int(widths[at].sum()))
            while True:
                shape = widths[at : at + size].max(axis=0)
                if self.size(int(shape.sum())) >= size:
                    break
                size = self.size(int(shape.sum()))
            rows = order[at : at + size]
            plan.append((len(rows), shape.tolist(), rows))
            at += size
        return plan


class TokensPerBatch(SortedPlan):
    """Batches of examples of similar lengths, with about the same number of positions each.

    Args:
        tokens: Positions of a batch, all columns together, padding included.
        max_buckets: See `SortedPlan`.

    Example:
    ```python
    from keras_s2s.data import Batches, TokensPerBatch

    sources, targets = [[5, 6], [7], [5, 6, 7, 8]] * 20, [[9], [9, 8, 7], [6, 5, 4]] * 20
    columns = {"encoder_token_ids": sources, "decoder_token_ids": targets}
    batches = Batches(columns, TokensPerBatch(64))
    assert all(size * (source + target) <= 64 for size, source, target in batches.shapes)
    ```
    """

    def __init__(self, tokens=4096, max_buckets="auto"):
        super().__init__(max_buckets)
        self.tokens = check_int("tokens", tokens, 1)

    def size(self, width):
        rows = max(self.tokens // width, 1)
        # Matrix units of accelerators work on multiples of 8 rows.
        return rows - rows % 8 if rows > 8 else rows

    def most_buckets(self, lengths):
        return int(np.sum(lengths)) // (4 * self.tokens)


class ExamplesPerBatch(SortedPlan):
    """Batches of a fixed number of examples, of similar lengths.

    Args:
        batch_size: Examples of a batch, however long.
        max_buckets: See `SortedPlan`.

    Example:
    ```python
    from keras_s2s.data import Batches, ExamplesPerBatch

    columns = {"encoder_token_ids": [[5, 6]] * 9, "decoder_token_ids": [[7]] * 9}
    assert len(Batches(columns, ExamplesPerBatch(3))) == 3
    ```
    """

    def __init__(self, batch_size=32, max_buckets="auto"):
        super().__init__(max_buckets)
        self.batch_size = check_int("batch_size", batch_size, 1)

    def size(self, width):
        return self.batch_size

    def most_buckets(self, lengths):
        return len(lengths) // (4 * self.batch_size)


class SimilarLengths(Plan):
    """Batches of a fixed number of examples, whose longest outputs differ by a few tokens.

    They are mixed anew in each epoch, for small sets of images with captions. Without shuffling
    batches are in the order given.

    Args:
        batch_size: Examples of a batch.
        spread: Float, the most tokens that are added to a length, or taken from it, at random
            before examples are sorted.

    Example:
    ```python
    import numpy as np
    from keras_s2s.data import Batches, Features, SimilarLengths

    columns = {"images": Features(np.zeros((6, 7, 7, 4))), "decoder_token_ids": [[[5, 6], [7]]] * 6}
    assert len(Batches(columns, SimilarLengths(batch_size=2))) == 3
    ```
    """

    def __init__(self, batch_size=32, spread=1.5):
        self.batch_size = check_int("batch_size", batch_size, 1)
        self.spread = spread

    def draw(self, rng, count):
        return rng.uniform(-self.spread, self.spread, count)

    def batches(self, lengths, draws=None):
        order = np.arange(len(lengths))
        if draws is not None:
            order = np.argsort(lengths[:, -1] - 1 + draws)
        parts = [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]
        return [(len(rows), lengths[rows].max(axis=0).tolist(), np.sort(rows)) for rows in parts]


def _two_sides(lengths):
    """The length of the longest source of each example, and the length of its target."""
    *source, target = lengths.T
    return (np.max(source, axis=0) if source else np.ones_like(target)), target
