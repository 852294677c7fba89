"""Sequences of different lengths in one flat array, so that batches are cut without a loop."""

import numpy as np

from keras_s2s.tokens import END, UNKNOWN


class RaggedIds:
    """Integer sequences of different lengths.

    Args:
        values: int32 array, all sequences one after the other.
        lengths: int64 array, the length of each.

    Example:
    ```python
    from keras_s2s.data.ragged import as_ragged

    ids = as_ragged([[5, 6, 7], [], [8]])
    assert ids.padded([2, 0], width=4).tolist() == [[8, 0, 0, 0], [5, 6, 7, 0]]
    ```
    """

    def __init__(self, values, lengths):
        self.values = values
        self.lengths = lengths
        self.starts = np.cumsum(lengths) - lengths

    def __len__(self):
        return len(self.lengths)

    def select(self, indices):
        """The sequences at `indices`, in that order."""
        return self._gather(self.starts[indices], self.lengths[indices])

    def cut(self, length):
        """All sequences, each cut to at most `length`."""
        return self._gather(self.starts, np.minimum(self.lengths, length))

    def where(self, condition, other):
        """These sequences where `condition`, else the other's."""
        both = RaggedIds(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.lengths, other.lengths]),
        )
        return both.select(np.arange(len(self)) + np.where(condition, 0, len(self)))

    def padded(self, indices, width):
        """The sequences at `indices` as int32 `(len(indices), width)`, zeros on the right."""
        position = np.arange(width)
        inside = position < self.lengths[indices][:, None]
        padded = np.zeros((len(indices), width), "int32")
        padded[inside] = self.values[(self.starts[indices][:, None] + position)[inside]]
        return padded

    def _gather(self, starts, lengths):
        ends = np.cumsum(lengths)
        return RaggedIds(
            self.values[np.arange(lengths.sum()) + np.repeat(starts - ends + lengths, lengths)],
            lengths,
        )


def as_ragged(ids, name="ids"):
    """Makes `RaggedIds` of token ids without special ones.

    Args:
        ids: Sequence of 1-D integer sequences, a `tf.RaggedTensor` `(sequences, None)` as
            `SentencePieceTokenizer.tokenize` returns it, or `RaggedIds`.
        name: What error messages call the argument.

    Returns:
        `RaggedIds`.

    Raises:
        TypeError: If an element is not a 1-D sequence of integers.
        ValueError: If a padding, start or end id (0, 2, 3) is among the ids.
    """
    if isinstance(ids, RaggedIds):
        return ids
    if hasattr(ids, "row_lengths"):
        values, lengths = np.asarray(ids.values), np.asarray(ids.row_lengths()).astype("int64")
    else:
        rows = [np.asarray(row) for row in ids]
        for index, row in enumerate(rows):
            if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
                raise TypeError(
                    f"`{name}` must hold one-dimensional sequences of integers. Element {index} "
                    f"has shape {row.shape} and dtype {row.dtype.name}."
                )
        lengths = np.array([len(row) for row in rows], "int64")
        rows = [row for row in rows if row.size]
        values = np.concatenate(rows) if rows else np.zeros(0)
    values = values.astype("int32")
    special = np.flatnonzero((values <= END) & (values != UNKNOWN))
    if len(special):
        at = np.searchsorted(np.cumsum(lengths), special[0], side="right")
        raise ValueError(
            f"`{name}` must hold ids of text only, but element {at} has the special id "
            f"{values[special[0]]}. Start, end and padding are added when batches are made."
        )
    return RaggedIds(values, lengths)
