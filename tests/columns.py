"""Columns as the table libraries have them, which are no dependencies: what matters of each."""

import collections.abc

import numpy as np


class Series:
    """As of pandas: indexed by labels, here the positions in the table before it was shuffled."""

    dtype = np.dtype(object)

    def __init__(self, values, labels=None):
        self.values = np.array([*values, None], object)[:-1]
        self.labels = list(labels or reversed(range(len(self.values))))
        self.shape = self.values.shape

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return iter(self.values)

    def __getitem__(self, label):
        if isinstance(label, slice):
            return Series(self.values[label], self.labels[label])
        return self.values[self.labels.index(label)]

    def __array__(self, dtype=None, copy=None):
        return self.values


class Scalar:
    """As of pyarrow: no string."""

    def __init__(self, value):
        self.value = value

    def as_py(self):
        return self.value


class Arrow:
    """As of pyarrow: no dtype, and scalars of its own."""

    def __init__(self, values):
        self.values = list(values)

    def __len__(self):
        return len(self.values)

    def __iter__(self):
        return map(Scalar, self.values)

    def __getitem__(self, index):
        return Scalar(self.values[index])

    def to_pylist(self):
        return list(self.values)


class Polars(Series):
    """As of polars: its dtypes are not like those of NumPy."""

    class dtype:
        @staticmethod
        def is_numeric():
            return False


class Lazy(collections.abc.Sequence):
    """As a column of `datasets`: each value is read when it is asked for, one at a time."""

    def __init__(self, values):
        self.values = list(values)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index.__index__()]


class Frame:
    """As of pandas: iterating gives the names of the columns."""

    columns = ("de", "en")

    def __len__(self):
        return 5

    def __iter__(self):
        return iter(self.columns)

    def __getitem__(self, name):
        return Series("abcde")


class Missing:
    """As `pandas.NA`, which is equal to nothing, nor unequal."""

    def __ne__(self, other):
        raise TypeError("boolean value of NA is ambiguous")

    def __repr__(self):
        return "<NA>"


Missing.__name__ = "NAType"

COLUMNS = {
    "series": Series,
    "arrow": Arrow,
    "scalars": lambda values: list(map(Scalar, values)),
    "polars": Polars,
    "lazy": Lazy,
    "generator": lambda values: (value for value in values),
    "iterator": lambda values: iter(list(values)),
    "values_of_a_dict": lambda values: dict(enumerate(values)).values(),
    "objects": lambda values: np.array([*values, None], object)[:-1],
}
