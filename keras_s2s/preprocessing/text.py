"""What users pass as text, made one thing: strings, checked."""

import numpy as np

from keras_s2s._optional import import_tensorflow


def as_list(inputs, name="inputs"):
    """Returns the strings of `inputs` as a list of `bytes`, and whether it was one string.

    Args:
        inputs: `str`, `bytes`, or a list, tuple, NumPy array, eager string tensor or any other
            iterable of them, of rank 1.
        name: What error messages call the argument.

    Returns:
        `(strings, is_scalar)`. Unpaired surrogates of a `str` become bytes which are not UTF-8:
        whoever reads the bytes repairs them.

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
    if isinstance(inputs, (str, bytes, np.str_, np.bytes_)):
        return [_as_bytes(inputs)], True
    if not isinstance(inputs, (list, tuple)):
        inputs = _unwrap(inputs, name)
        if isinstance(inputs, (str, bytes)):
            return [_as_bytes(inputs)], True
    strings = []
    for index, value in enumerate(inputs):
        if not isinstance(value, (str, bytes)):
            raise TypeError(
                f"`{name}` must hold strings. Element {index} is {_describe(value)}. "
                + _advice(value, name)
            )
        strings.append(_as_bytes(value))
    return strings, False


def as_strings(inputs, name="inputs"):
    """Returns `inputs` as a `tf.string` tensor of rank 0 or 1.

    Works eagerly on whatever `as_list` takes, and inside a `tf.function` or `tf.data` map on
    string tensors.

    Args:
        inputs: A string, an iterable of strings, or a string tensor of rank 0 or 1.
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
    if isinstance(inputs, tf.RaggedTensor):
        raise ValueError(f"`{name}` must be one string or a flat batch of strings, not ragged.")
    if tf.is_tensor(inputs):
        if inputs.dtype != tf.string:
            raise TypeError(f"`{name}` must be strings. Received a {inputs.dtype.name} tensor.")
        if inputs.shape.rank not in (0, 1):
            raise ValueError(_rank_message(name, inputs.shape))
        return inputs
    strings, is_scalar = as_list(inputs, name)
    return tf.constant(strings[0] if is_scalar else strings, tf.string)


def _as_bytes(value):
    if isinstance(value, bytes):
        return bytes(value)
    return value.encode("utf-8", "surrogatepass")


def _unwrap(inputs, name):
    """The plain Python value of an array, tensor or iterable of strings."""
    if hasattr(inputs, "__array__"):
        array = np.asarray(inputs)
        if array.dtype.kind not in "OSTU":
            raise TypeError(f"`{name}` must be strings. Received an array of {array.dtype.name}.")
        if array.ndim > 1:
            raise ValueError(_rank_message(name, array.shape))
        return array.tolist()
    if inputs is None or isinstance(inputs, dict) or not hasattr(inputs, "__iter__"):
        raise TypeError(
            f"`{name}` must be a string or a list of strings. "
            f"Received {_describe(inputs)}. " + _advice(inputs, name)
        )
    return inputs


def _rank_message(name, shape):
    return f"`{name}` must be one string or a flat batch of strings. Received shape {tuple(shape)}."


def _describe(value):
    if value is None:
        return "None"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _advice(value, name):
    if value is None or isinstance(value, (float, np.floating)):
        return "Remove missing values, or replace them with an empty string, before the call."
    if isinstance(value, (list, tuple, np.ndarray)):
        return f"Pass `{name}` as one flat list, one string per example."
    return "Convert it with `str(...)` if it is meant as text."
