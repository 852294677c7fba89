"""Turns text in any form that users pass into checked strings."""

import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.as_column import (
    as_column,
    check_eager,
    check_table,
    describe,
    is_collection,
    is_missing,
    is_numeric,
    is_tensor,
    plain,
)


def as_list(inputs, name="inputs", failures=None):
    """Returns the strings of `inputs` as a list of `bytes`, and whether it is a single string.

    Args:
        inputs: `str`, `bytes`, or whatever `keras_s2s.preprocessing.as_column.as_column` takes of
            them: a list, a NumPy array, a column of a table, a dataset, a generator ...
        name: What error messages call the argument.
        failures: None, or a dict which gets the errors of single elements by their index; the list
            has None there.

    Returns:
        `(strings, is_scalar)`. Unpaired surrogates of a `str` become bytes that are not UTF-8,
        which code that reads the bytes has to repair.

    Raises:
        TypeError: If an element is not a string. The message names it and its index.
        ValueError: If `inputs` is an array of rank 2 or more.

    Example:
    ```python
    from keras_s2s.preprocessing.text import as_list

    assert as_list("Grüße") == (["Grüße".encode()], True)
    assert as_list(["a", b"b"]) == ([b"a", b"b"], False)
    ```
    """
    check_eager(inputs, name)
    inputs = plain(inputs)
    if isinstance(inputs, (str, bytes)):
        return [_as_bytes(inputs)], True
    strings = []
    for index, value in enumerate(_flat(inputs, name)):
        if not isinstance(value, (str, bytes)):
            value = plain(value)
        if isinstance(value, (str, bytes)):
            strings.append(_as_bytes(value))
            continue
        error = TypeError(
            f"`{name}` must hold strings. Element {index} is {describe(value)}. "
            + _advice(value, name)
        )
        if failures is None:
            raise error
        failures[index] = error
        strings.append(None)
    return strings, False


def as_strings(inputs, name="inputs"):
    """Returns `inputs` as a `tf.string` tensor of rank 0 or 1.

    Works eagerly on whatever `as_list` takes, and inside a `tf.function` or `tf.data` map on
    string tensors.

    Args:
        inputs: A string, a column of strings, or a string tensor of rank 0 or 1.
        name: What error messages call the argument.

    Returns:
        `tf.string` tensor, `()` for one string, else `(batch,)`.

    Raises:
        TypeError: If an element is not a string. The message names it and its index.
        ValueError: If `inputs` has rank 2 or more.

    Example:
    ```python
    from keras_s2s.preprocessing import as_strings

    assert as_strings("one sentence").shape == ()
    assert as_strings(["two", "sentences"]).shape == (2,)
    assert as_strings([]).shape == (0,)
    ```
    """
    tf = import_tensorflow()
    if tf.is_tensor(inputs):
        _check_tensor(inputs, name)
        return inputs
    strings, is_scalar = as_list(inputs, name)
    return tf.constant(strings[0] if is_scalar else strings, tf.string)


def as_batch(inputs, name="inputs"):
    """Returns strings as an array; a string tensor stays one.

    Args:
        inputs: A string, a column of strings, or a string tensor of rank 0 or 1.
        name: What error messages call the argument.

    Returns:
        NumPy array of `bytes`, `()` for one string, else `(batch,)`; or the tensor.

    Raises:
        TypeError: If an element is not a string. The message names it and its index.
        ValueError: If `inputs` has rank 2 or more.
    """
    if is_tensor(inputs):
        _check_tensor(inputs, name)
        return inputs
    strings, is_scalar = as_list(inputs, name)
    return np.array(strings, object).reshape(() if is_scalar else -1)


def as_rows(inputs, name="inputs"):
    """Returns for each element of `inputs` one string, or a list of several, as `bytes`.

    Captions and references come in both forms: one for each example, or several.

    Args:
        inputs: What `keras_s2s.preprocessing.as_column.as_column` takes: of strings, or of such
            columns of strings.
        name: What error messages call the argument.

    Returns:
        List of `bytes` and of lists of `bytes`.

    Raises:
        TypeError: If something is neither. The message names it and its index.

    Example:
    ```python
    from keras_s2s.preprocessing.text import as_rows

    assert as_rows(["a", ("b", "c")]) == [b"a", [b"b", b"c"]]
    ```
    """
    rows = []
    for index, value in enumerate(as_column(inputs, name)):
        value = plain(value)
        if isinstance(value, (str, bytes)):
            rows.append(_as_bytes(value))
        elif not is_collection(value):
            raise TypeError(
                f"`{name}` must hold strings, or lists of strings. Element {index} is "
                f"{describe(value)}. " + _advice(value, name)
            )
        else:
            rows.append(as_list(value, f"{name}[{index}]")[0])
    return rows


def as_references(texts, name="references"):
    """Like `as_texts`, of references: for each example a list of texts."""
    return [[text] if isinstance(text, str) else text for text in as_texts(texts, name)]


def as_texts(inputs, name="inputs"):
    """Like `as_rows`, but of `str`: for metrics, and to be shown."""
    return [
        _as_str(row) if isinstance(row, bytes) else [_as_str(string) for string in row]
        for row in as_rows(inputs, name)
    ]


def _as_bytes(value):
    if isinstance(value, bytes):
        return bytes(value)
    return value.encode("utf-8", "surrogatepass")


def _as_str(value):
    return value.decode("utf-8", "replace")


def _flat(inputs, name):
    """The elements of a column that should hold strings."""
    check_table(inputs, name)
    if hasattr(inputs, "dtype") and hasattr(inputs, "shape"):
        _check_tensor(inputs, name)
    elif not is_collection(inputs):
        raise TypeError(
            f"`{name}` must be a string or a list of strings. "
            f"Received {describe(inputs)}. " + _advice(inputs, name)
        )
    column = as_column(inputs, name)
    # Python's strings are checked faster than NumPy's.
    return column.tolist() if isinstance(column, np.ndarray) else column


def _check_tensor(inputs, name):
    """Refuses tensors and arrays by their dtype and rank."""
    if hasattr(inputs, "row_lengths"):
        raise ValueError(
            f"`{name}` must be one string or a flat batch of strings, not ragged. Received shape "
            f"{tuple(inputs.shape)}."
        )
    if is_numeric(inputs.dtype):
        raise TypeError(
            f"`{name}` must be strings. Received {type(inputs).__name__} of {inputs.dtype}. "
            "Convert numbers with `str(...)` if they are meant as text."
        )
    if len(inputs.shape) > 1:
        raise ValueError(
            f"`{name}` must be one string or a flat batch of strings. Received shape "
            f"{tuple(inputs.shape)}."
        )


def _advice(value, name):
    if is_missing(value):
        return "Remove missing values, or replace them with an empty string, before the call."
    if isinstance(value, (list, tuple, np.ndarray)):
        return f"Pass `{name}` as one flat list, one string per example."
    return "Convert it with `str(...)` if it is meant as text."
