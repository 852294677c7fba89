"""A differentiable loop over time, for every backend.

`keras.ops.scan` needs outputs that look like the carry on TensorFlow and fails
under XLA; `keras.ops.while_loop` with `slice_update` has no gradient.
"""

import contextlib
import contextvars

import keras
from keras import ops

from keras_s2s._backend.shapes import product

_with_gradient = contextvars.ContextVar("with_gradient", default=True)


@contextlib.contextmanager
def no_gradient():
    """Loops that are run or traced within this context keep no tensors for their gradient."""
    token = _with_gradient.set(False)
    try:
        yield
    finally:
        _with_gradient.reset(token)


class Matrix:
    """A constant of `scan` that each step multiplies by, once, with `multiply`.

    Its gradient is computed by one product after the loop. The gradient of any other constant is a
    sum that each step adds to.

    Args:
        tensor: `(dim, units)`, for factors `(rows, dim)`, or `(rows, dim, units)`, for factors
            `(rows, 1, dim)`, where the state has `rows` rows.
    """

    def __init__(self, tensor):
        self.tensor = tensor

    def multiply(self, x):
        return product(x, self.tensor)


def multiply(x, matrix):
    """`x @ matrix`, for a tensor or a `Matrix`."""
    return matrix.multiply(x) if isinstance(matrix, Matrix) else product(x, matrix)


def with_matrices(constants, names):
    """Nested dicts and lists with a `Matrix` for each tensor that has one of the names."""
    if isinstance(constants, dict):
        return {
            key: Matrix(value) if key in names else with_matrices(value, names)
            for key, value in constants.items()
        }
    if isinstance(constants, list):
        return [with_matrices(value, names) for value in constants]
    return constants


def scan(step, state, inputs, like, constants=(), reverse=False):
    """Runs `state, output = step(state, input, constants)` over the leading axis of `inputs`.

    Every tensor with a gradient that a step reads must be among its arguments: on TensorFlow the
    loop has a custom gradient, which does not see other tensors.

    Draw no random numbers inside `step`: they would be the same at each step on
    some backends. Draw them before the loop and pass them as `inputs`.

    Args:
        step: Function of `(state, input, constants)`, nested tensors, returning the new
            state (same structure, shapes and dtypes) and the nested output.
        state: Nested tensors, the state before the first step. The leading axis of the first tensor
            is the rows.
        inputs: Nested tensors of shape `(time, ...)`.
        like: Nested tensors which have the structure, shape and dtype of one
            step's output. Their values are not read.
        constants: Nested tensors and `Matrix` objects, the same for each step.
        reverse: Whether to run from the last step to the first. Outputs stay in
            the order of the inputs.

    Returns:
        Tuple of the last state and the outputs of shape `(time, ...)`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from keras_s2s._backend.scan_tensorflow import scan as scan_tensorflow

        return scan_tensorflow(step, state, inputs, like, constants, reverse, _with_gradient.get())
    if backend == "jax":
        import jax

        return jax.lax.scan(lambda s, x: step(s, x, constants), state, inputs, reverse=reverse)
    return _scan_unrolled(step, state, inputs, like, constants, reverse)


def _scan_unrolled(step, state, inputs, like, constants, reverse):
    times = range(len(keras.tree.flatten(inputs)[0]))
    if not times:
        return state, keras.tree.map_structure(lambda x: ops.zeros_like(x)[None][:0], like)
    outputs = []
    for time in reversed(times) if reverse else times:
        now = keras.tree.map_structure(lambda x, time=time: x[time], inputs)
        state, output = step(state, now, constants)
        outputs.append(output)
    if reverse:
        outputs.reverse()
    return state, keras.tree.map_structure(lambda *steps: ops.stack(steps), *outputs)
