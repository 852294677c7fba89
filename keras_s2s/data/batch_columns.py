"""The columns that batches are made of: token ids, and features such as images."""

import numpy as np

from keras_s2s.data.ragged import RaggedIds, as_ragged
from keras_s2s.preprocessing.as_column import as_column, describe
from keras_s2s.tokens import END


class Ids:
    """A column of token ids, a text for each example.

    Args:
        ids: Sequence of 1-D integer sequences, or `RaggedIds`, without start and end ids.
        name: What error messages call them.
    """

    def __init__(self, ids, name="ids"):
        self.ids = as_ragged(ids, name)

    def __len__(self):
        return len(self.ids)

    @property
    def lengths(self):
        """Integer array `(examples,)`, the end id included."""
        return self.ids.lengths + 1

    def fits(self, length):
        """For each example whether it and the end id fit `length`; None is no limit."""
        return np.full(len(self), True) if length is None else self.lengths <= length

    def cut(self, length):
        return Ids(self.ids.cut(length - 1))

    def select(self, rows):
        return Ids(self.ids.select(rows))

    def where(self, condition, other):
        """The texts of this column where `condition` holds, else the other column's."""
        return Ids(self.ids.where(condition, other.ids))

    def batch(self, rows, size, width):
        """The texts at `rows`, ended and padded, int32 `(size, width)`."""
        ids = np.zeros((size, width), "int32")
        row = np.arange(len(rows))
        ids[row] = self.ids.padded(rows, width)
        ids[row, self.ids.lengths[rows]] = END
        return ids

    @property
    def tokens(self):
        """The number of ids in all texts, end ids included."""
        return int(self.lengths.sum())


class SeveralIds:
    """A column of token ids, several texts for each example.

    Args:
        ids: For each example a list of texts, each a list of integers without start and end ids.
            Examples may have different numbers of texts; missing texts become padding.
        name: What error messages call them.
    """

    def __init__(self, ids, name="ids"):
        self.ids = [
            [_integers(text, f"{name}[{i}]") for text in texts] for i, texts in enumerate(ids)
        ]
        self.most = max(map(len, self.ids), default=0)
        longest = [max(map(len, texts), default=0) for texts in self.ids]
        #: Integer array `(examples,)`, the longest text of each, the end id included.
        self.lengths = np.array(longest, "int64") + 1

    def __len__(self):
        return len(self.ids)

    def fits(self, length):
        return np.full(len(self), True) if length is None else self.lengths <= length

    def cut(self, length):
        return SeveralIds([[text[: length - 1] for text in texts] for texts in self.ids])

    def select(self, rows):
        return SeveralIds([self.ids[row] for row in rows])

    def batch(self, rows, size, width):
        """The texts at `rows`, ended and padded, int32 `(size, texts, width)`."""
        ids = np.zeros((size, self.most, width), "int32")
        for i, row in enumerate(rows):
            for j, text in enumerate(self.ids[row]):
                ids[i, j, : len(text)] = text
                ids[i, j, len(text)] = END
        return ids

    @property
    def tokens(self):
        return sum(len(text) + 1 for texts in self.ids for text in texts)


class Features:
    """A column of inputs that are not text, such as images.

    Args:
        values: Array-like `(examples, ...)`, which need not be in memory, such as what
            `cached_features` returned. With a `converter` anything that it takes.
        converter: Function of the values of a batch, such as a
            `keras_s2s.preprocessing.ImageConverter`, or None.
        shape: The shape of what it returns for one value, with None where that varies; by default
            the same in all batches.
    """

    def __init__(self, values, converter=None, shape=None):
        self.values, self.converter = as_column(values, "values"), converter
        self.shape = shape

    def __len__(self):
        return len(self.values)

    def select(self, rows):
        values = self.values
        if isinstance(values, np.ndarray):
            return Features(values[rows], self.converter, self.shape)
        return Features([values[int(row)] for row in rows], self.converter, self.shape)

    def batch(self, rows, size):
        """The values at `rows`, `(size, ...)`."""
        if self.converter is not None:
            batch = np.asarray(self.converter([self.values[row] for row in rows]))
        elif hasattr(self.values, "shape"):
            batch = np.asarray(self.values[rows])
        else:
            batch = np.stack([self.values[row] for row in rows])
        padding = [(0, size - len(rows))] + [(0, 0)] * (batch.ndim - 1)
        return np.pad(batch, padding) if size > len(rows) else batch


def as_batch_column(values, name):
    """A column of the values that a user gave for one input or for the outputs."""
    if isinstance(values, (Ids, SeveralIds, Features)):
        return values
    if isinstance(values, RaggedIds) or hasattr(values, "row_lengths"):
        return Ids(values, name)
    values = as_column(values, name)
    rows = [row for row in values if not hasattr(row, "__len__") or len(row)]
    is_nested = bool(rows) and all(map(_is_nested, rows))
    return SeveralIds(values, name) if is_nested else Ids(values, name)


def _is_nested(row):
    is_list = hasattr(row, "__len__") and not isinstance(row, (str, bytes))
    return is_list and np.ndim(row[0]) == 1


def _integers(ids, name):
    """One text as a list of integers."""
    values = np.asarray(ids)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise TypeError(
            f"`{name}` must hold lists of token ids, such as `tokenizer.encode(texts)` gives "
            f"them. Received {describe(ids)}."
        )
    return values.tolist()
