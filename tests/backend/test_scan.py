"""The loop over time against a Python loop."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.scan import scan
from tests.layers.helpers import BACKEND, gradients, random, run

TIME, ROWS, DIM = 5, 2, 3


def step(state, x):
    """A nested state, nested inputs, and outputs that look like neither."""
    h = ops.tanh(ops.matmul(state["h"][0], ops.convert_to_tensor(MATRIX)) + x["x"])
    h = ops.where(x["mask"], h, state["h"][0])
    count = state["count"] + 1
    return {"h": [h], "count": count}, {"sum": ops.sum(h, axis=-1), "pair": (h, 2 * h)}


MATRIX = random(DIM, DIM, seed=3)


def arguments(time=TIME):
    mask = np.random.default_rng(1).random((time, ROWS, 1)) < 0.7
    xs = {"x": random(time, ROWS, DIM), "mask": mask}
    state = {"h": [random(ROWS, DIM, seed=2)], "count": np.zeros((), "int32")}
    return state, xs


def like(state):
    h = state["h"][0]
    return {"sum": h[:, 0], "pair": (h, h)}


def reference(state, xs, reverse):
    h, time = state["h"][0], len(xs["x"])
    outputs = np.zeros((time, ROWS, DIM), "float32")
    for t in reversed(range(time)) if reverse else range(time):
        h = np.where(xs["mask"][t], np.tanh(h @ MATRIX + xs["x"][t]), h)
        outputs[t] = h
    return h, outputs


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("time", [1, TIME])
def test_equals_a_loop(time, reverse):
    state, xs = arguments(time)
    after, outputs = run(lambda s, x: scan(step, s, x, like(s), reverse), state, xs)
    h, expected = reference(state, xs, reverse)
    np.testing.assert_allclose(after["h"][0], h, atol=1e-6)
    assert after["count"] == time
    np.testing.assert_allclose(outputs["pair"][0], expected, atol=1e-6)
    np.testing.assert_allclose(outputs["pair"][1], 2 * expected, atol=1e-6)
    np.testing.assert_allclose(outputs["sum"], expected.sum(-1), atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradient_equals_that_of_a_loop(reverse):
    state, xs = arguments()
    matrix = keras.Variable(MATRIX)
    start = keras.Variable(state["h"][0])
    inputs = keras.Variable(xs["x"])
    direction = ops.convert_to_tensor(random(TIME, ROWS, DIM, seed=4))

    def advance(h, x):
        h = ops.tanh(ops.matmul(h, ops.convert_to_tensor(matrix)) + x)
        return h, h

    def scanned():
        h = ops.convert_to_tensor(start)
        _, outputs = scan(advance, h, ops.convert_to_tensor(inputs), like=h, reverse=reverse)
        return ops.sum(outputs * direction)

    def unrolled():
        h, total = ops.convert_to_tensor(start), 0.0
        for t in reversed(range(TIME)) if reverse else range(TIME):
            h, _ = advance(h, inputs[t])
            total = total + ops.sum(h * direction[t])
        return total

    variables = [matrix, start, inputs]
    value, got = gradients(scanned, variables)
    expected_value, expected = gradients(unrolled, variables)
    assert value == pytest.approx(expected_value, abs=1e-5)
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_no_outputs_wanted_and_no_inputs_beside_one():
    """Empty parts of structures are fine: a decoder has no masks when it does not drop."""
    xs = {"x": random(TIME, 2), "masks": []}
    state, outputs = run(
        lambda xs: scan(
            lambda s, x: (s + x["x"], {"none": [], "x": x["x"]}),
            xs["x"][0] * 0,
            xs,
            like={"none": [], "x": xs["x"][0]},
        ),
        xs,
    )
    np.testing.assert_allclose(state, xs["x"].sum(0), atol=1e-6)
    np.testing.assert_array_equal(outputs["x"], xs["x"])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has axes of unknown size")
@pytest.mark.parametrize("jit", [False, True])
def test_unknown_sizes_in_a_graph(jit):
    import tensorflow as tf

    state, xs = arguments()

    # XLA knows the sizes when it compiles, though the graph does not.
    @tf.function(
        jit_compile=jit,
        input_signature=[tf.TensorSpec([None, DIM]), tf.TensorSpec([None, None, DIM])],
    )
    def graph(h, x):
        def advance(h, x):
            h = tf.tanh(h @ MATRIX + x)
            return h, h

        with tf.GradientTape() as tape:
            tape.watch(x)
            last, outputs = scan(advance, h, x, like=h)
            loss = tf.reduce_sum(outputs**2)
        assert outputs.shape.as_list() == [None, None, DIM]
        return last, outputs, tape.gradient(loss, x)

    last, outputs, gradient = graph(state["h"][0], xs["x"])
    always = {**xs, "mask": np.ones_like(xs["mask"])}
    h, expected = reference(state, always, False)
    np.testing.assert_allclose(last, h, atol=1e-6)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    with tf.GradientTape() as tape:
        x, h = tf.constant(xs["x"]), state["h"][0]
        tape.watch(x)
        loss = 0.0
        for t in range(TIME):
            h = tf.tanh(h @ MATRIX + x[t])
            loss += tf.reduce_sum(h**2)
    np.testing.assert_allclose(gradient, tape.gradient(loss, x), atol=1e-5)
