"""Turns columns of values, such as texts, in any form that users pass into values by position."""

import collections.abc
import sys

import keras
import numpy as np


def as_column(inputs, name="inputs"):
    """Returns the values of `inputs` in their order, indexed by position.

    `[i]` means the label `i` to a pandas Series, gives a scalar of its own type from a pyarrow
    array, and fails on a generator. So call this before indexing what a user passed.

    Args:
        inputs: List, tuple, NumPy array, tensor, Series of pandas or polars, pyarrow array, column
            of a `datasets.Dataset`, `tf.data.Dataset` (batched or not), `keras.utils.PyDataset` of
            batches, generator or any other iterable that has an order.
        name: What error messages call the argument.

    Returns:
        A list, or `inputs` where they are indexed by position already: tuples, NumPy arrays,
        arrays of two or more axes, and other sequences, which may read a value only when asked.

    Raises:
        TypeError: If `inputs` is no collection of values, a table, a dict or a set.
        ValueError: If `inputs` is an iterator that has nothing to give, or a dataset without end.

    Example:
    ```python
    from keras_s2s.preprocessing.as_column import as_column

    assert as_column(word for word in ["a", "b"]) == ["a", "b"]
    ```
    """
    if isinstance(inputs, (list, tuple, np.ndarray)):
        return inputs
    tf = sys.modules.get("tensorflow")
    if tf is not None and isinstance(inputs, tf.data.Dataset):
        return _of_dataset(inputs, name)
    if tf is not None and tf.is_tensor(inputs):
        check_eager(inputs, name)
        return inputs.to_list() if isinstance(inputs, tf.RaggedTensor) else inputs.numpy()
    _check(inputs, name)
    if isinstance(inputs, keras.utils.PyDataset):
        return [value for i in range(len(inputs)) for value in as_column(inputs[i], f"{name}[{i}]")]
    if isinstance(inputs, collections.abc.Sequence):
        return inputs
    if len(getattr(inputs, "shape", ())) > 1:
        return inputs
    if not hasattr(inputs, "__iter__"):
        return _Part(inputs, range(len(inputs)))
    if hasattr(inputs, "to_pylist"):
        return inputs.to_pylist()
    values = list(inputs)
    if not values and iter(inputs) is inputs:
        raise ValueError(
            f"`{name}` is an iterator that has nothing to give: it is empty, or has been read "
            f"before, which works once. Pass a list, such as `{name}=list(...)`."
        )
    return values


def part(column, rows):
    """The values of a column, as `as_column` returns it, at a `range` of positions."""
    if isinstance(column, (list, tuple, np.ndarray)):
        return column[rows.start : rows.stop : rows.step]
    return _Part(column, rows)


def plain(value):
    """Converts one value of a column to Python: pyarrow's scalars, and arrays without axes."""
    if hasattr(value, "as_py"):
        return value.as_py()
    if value is np.ma.masked:
        return None
    if hasattr(value, "__array__") and getattr(value, "shape", None) == ():
        return np.asarray(value).item()
    return value


def is_tensor(value):
    """Whether this is a TensorFlow tensor. If TensorFlow is not imported yet, it is none."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and tf.is_tensor(value)


def is_collection(inputs):
    """Whether this gives values, one after the other, or by their positions."""
    if isinstance(inputs, collections.abc.Mapping):
        return False
    by_position = hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")
    return by_position or hasattr(inputs, "__iter__")


def is_array(value):
    """Whether this is an array or a tensor of any library."""
    return all(hasattr(value, name) for name in ("__array__", "shape", "dtype"))


def item_or_failure(make, value, name, index, failures):
    """`make(value, name)`; or None, with its error in the dict `failures` if there is one."""
    try:
        return make(value, name)
    except (TypeError, ValueError, OSError) as error:
        if failures is None:
            raise
        failures[index] = error
        return None


def utf8(name):
    """The name of a file as a string that is UTF-8, which names of files need not be."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_numeric(dtype):
    """Whether a dtype of NumPy, pandas, polars or TensorFlow rules out texts."""
    if hasattr(dtype, "kind"):
        return dtype.kind not in "OSTU"
    numeric = getattr(dtype, "is_numeric", True)
    return numeric() if callable(numeric) else numeric


def is_missing(value):
    """Whether this stands for a missing value in tables: None, NaN, `pandas.NA`."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def is_table(inputs):
    """Whether this is a DataFrame, a `datasets.Dataset`, a pyarrow Table or the like."""
    if isinstance(inputs, (np.ndarray, collections.abc.Sequence)):
        return False
    return hasattr(inputs, "columns") or hasattr(inputs, "column_names")


def check_table(inputs, name):
    """Raises a `TypeError` for a table."""
    if is_table(inputs):
        names = getattr(inputs, "columns", None)
        if names is None or not all(isinstance(column, str) for column in names):
            names = getattr(inputs, "column_names", None) or ()
        names = list(names)
        first = names[0] if names else "text"
        told = f" Its columns are {names[:10]}." if names else ""
        raise TypeError(
            f"`{name}` is a whole table ({type(inputs).__name__}).{told} Pass one column for each "
            f'argument, such as `table["{first}"]`.'
        )


def check_eager(inputs, name):
    """Raises a `TypeError` for a symbolic tensor of a graph, which has no value."""
    if is_tensor(inputs) and not hasattr(inputs, "numpy"):
        raise TypeError(
            f"`{name}` is a tensor of a `tf.function` or a `tf.data` map, which has no value yet. "
            "Call this outside of it."
        )


def _check(inputs, name):
    check_table(inputs, name)
    if isinstance(inputs, (str, bytes)):
        raise TypeError(f"`{name}` must be a list, not one string. Pass `[...]`.")
    if isinstance(inputs, (set, frozenset)):
        raise TypeError(
            f"`{name}` is a set, which has no order of its own. Pass a list, such as "
            f"`sorted({name})`."
        )
    if not is_collection(inputs):
        raise TypeError(
            f"`{name}` must be a list, or another sequence of values. Received: {describe(inputs)}"
        )


def describe(value):
    """A value and its type, for an error message."""
    if value is None:
        return "None"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _of_dataset(dataset, name):
    if dataset.cardinality() == -1:
        raise ValueError(f"`{name}` is a dataset without end. Pass `{name}.take(...)`.")
    values = []
    for element in dataset.as_numpy_iterator():
        rank = np.ndim(element)
        # Batches are arrays of strings, or of rank 4 for images.
        is_batch = rank == 4 or (rank and np.asarray(element).dtype.kind in "OSTU")
        values.extend(element) if is_batch else values.append(element)
    return values


class _Part(collections.abc.Sequence):
    """The values at some positions of a sequence, which are read only when they are indexed."""

    def __init__(self, values, rows):
        self._values, self._rows = values, rows

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return _Part(self._values, self._rows[index])
        return self._values[self._rows[index]]
