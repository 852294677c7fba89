import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.products import loop_product, product
from keras_s2s._backend.scan import scan

STEPS, ROWS, DIM = 4, 3, 5
own_gradient = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends use the gradient they have"
)


@pytest.mark.parametrize("make", [product, loop_product])
def test_values(make):
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(ROWS, DIM)), rng.normal(size=(DIM, 2))
    multiply = make(ops.convert_to_tensor(kernel, "float32"))
    result = ops.convert_to_numpy(multiply(ops.convert_to_tensor(x, "float32")))
    np.testing.assert_allclose(result, x @ kernel, rtol=1e-5, atol=1e-6)


def run(x, kernel):
    """`x` times `kernel`, again and again, squashed."""
    multiply = loop_product(kernel)

    def step(state, _):
        state = ops.tanh(multiply(state))
        return state, state

    _, states = scan(step, x, ops.zeros((STEPS, 1)), like=x)
    return ops.sum(ops.sin(states))


def numeric(x, kernel):
    """The gradients of `run` by differences, in NumPy and float64."""

    def value(x, kernel):
        total = 0
        for _ in range(STEPS):
            x = np.tanh(x @ kernel)
            total += np.sin(x).sum()
        return total

    found = []
    for which, array in enumerate((x, kernel)):
        gradient = np.zeros_like(array)
        for index in np.ndindex(*array.shape):
            both = []
            for change in (1e-6, -1e-6):
                arguments = [x.copy(), kernel.copy()]
                arguments[which][index] += change
                both.append(value(*arguments))
            gradient[index] = (both[0] - both[1]) / 2e-6
        found.append(gradient)
    return found


@own_gradient
@pytest.mark.parametrize("graph", [False, True])
def test_gradients_in_a_loop(graph):
    import tensorflow as tf

    rng = np.random.default_rng(2)
    arrays = rng.normal(size=(ROWS, DIM)), rng.normal(size=(DIM, DIM)) / 2

    def gradients(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            result = run(*tensors)
        return tape.gradient(result, tensors)

    tensors = [tf.constant(a, tf.float32) for a in arrays]
    for a, b in zip((tf.function(gradients) if graph else gradients)(*tensors), numeric(*arrays)):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@own_gradient
def test_second_derivative():
    import tensorflow as tf

    rng = np.random.default_rng(3)
    x, kernel = (tf.constant(rng.normal(size=(DIM, DIM)), tf.float32) for _ in range(2))
    found = []
    for make in (product, loop_product):
        with tf.GradientTape() as outer:
            outer.watch((x, kernel))
            with tf.GradientTape() as inner:
                inner.watch((x, kernel))
                result = tf.reduce_sum(tf.sin(make(kernel)(x)))
            first = inner.gradient(result, (x, kernel))
            penalty = sum(tf.reduce_sum(tf.square(g)) for g in first)
        found.append(outer.gradient(penalty, (x, kernel)))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
