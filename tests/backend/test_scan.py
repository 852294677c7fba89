"""The loop over time against a Python loop."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.scan import Matrix, multiply, no_gradient, scan, with_matrices
from tests.layers.helpers import BACKEND, gradients, random, run

pytestmark = pytest.mark.every_backend

TIME, ROWS, DIM = 5, 2, 3


def step(state, x, constants=()):
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
    after, outputs = run(lambda s, x: scan(step, s, x, like(s), reverse=reverse), state, xs)
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

    def advance(h, x, matrix):
        h = ops.tanh(ops.matmul(h, matrix) + x)
        return h, h

    def scanned():
        h, constant = ops.convert_to_tensor(start), ops.convert_to_tensor(matrix)
        _, outputs = scan(
            advance, h, ops.convert_to_tensor(inputs), like=h, constants=constant, reverse=reverse
        )
        return ops.sum(outputs * direction)

    def unrolled():
        h, total = ops.convert_to_tensor(start), 0.0
        for t in reversed(range(TIME)) if reverse else range(TIME):
            h, _ = advance(h, inputs[t], ops.convert_to_tensor(matrix))
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
            lambda s, x, _: (s + x["x"], {"none": [], "x": x["x"]}),
            xs["x"][0] * 0,
            xs,
            like={"none": [], "x": xs["x"][0]},
        ),
        xs,
    )
    np.testing.assert_allclose(state, xs["x"].sum(0), atol=1e-6)
    np.testing.assert_array_equal(outputs["x"], xs["x"])


@pytest.mark.slow
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
        def advance(h, x, _):
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


# Matrices: constants that each step multiplies by


def multiply_step(h, x, constants):
    """A recurrence that multiplies by one matrix for all rows, and by one for each row."""
    z = multiply(h, constants["kernel"]) + x + constants["bias"]
    own = multiply(ops.expand_dims(ops.tanh(z), 1), constants["of_rows"])
    return ops.tanh(own[:, 0]), {"z": z}


def multiply_constants():
    return {
        "kernel": random(DIM, DIM, seed=5),
        "of_rows": random(ROWS, DIM, DIM, seed=6),
        "bias": random(DIM, seed=7),
    }


def multiplied(wrap, h, x, constants, reverse):
    """A number that depends on the last state and on all outputs, in the loop or unrolled."""
    constants = wrap(constants)
    weight = ops.convert_to_tensor(random(TIME, ROWS, DIM, seed=8))
    last, outputs = scan(multiply_step, h, x, {"z": h}, constants, reverse)
    return ops.sum(outputs["z"] * weight) + ops.sum(last * weight[0])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("names", [(), ("kernel",), ("kernel", "of_rows")])
def test_gradients_with_matrices(reverse, names):
    """Against the same steps one after the other in TensorFlow, in float64."""
    import tensorflow as tf

    arrays = {"h": random(ROWS, DIM, seed=2), "x": random(TIME, ROWS, DIM), **multiply_constants()}
    leaves = {k: tf.constant(v, tf.float64) for k, v in arrays.items()}
    weight = random(TIME, ROWS, DIM, seed=8).astype("float64")
    with tf.GradientTape() as tape:
        tape.watch(leaves)
        h, total = leaves["h"], 0.0
        for t in reversed(range(TIME)) if reverse else range(TIME):
            z = h @ leaves["kernel"] + leaves["x"][t] + leaves["bias"]
            h = tf.tanh((tf.tanh(z)[:, None] @ leaves["of_rows"])[:, 0])
            total += tf.reduce_sum(z * weight[t])
        total += tf.reduce_sum(h * weight[0])
    expected = tape.gradient(total, leaves)

    variables = {k: keras.Variable(v) for k, v in arrays.items()}

    def value():
        tensors = {k: ops.convert_to_tensor(v) for k, v in variables.items()}
        h, x = tensors.pop("h"), tensors.pop("x")
        return multiplied(lambda c: with_matrices(c, names), h, x, tensors, reverse)

    got_value, got = gradients(value, list(variables.values()))
    assert got_value == pytest.approx(float(total), rel=1e-5)
    for name, gradient in zip(variables, got):
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_gradient_of_a_matrix_for_several_rows():
    """Two rows of the state share each matrix of the batch, as several outputs of one input do."""
    shared = keras.Variable(random(ROWS, DIM, DIM, seed=6))
    state = ops.convert_to_tensor(random(2 * ROWS, DIM, seed=2))
    x = ops.convert_to_tensor(random(TIME, 2 * ROWS, DIM))

    def step(h, x, constants):
        pairs = ops.reshape(ops.tanh(h + x), (ROWS, 2, DIM))
        h = ops.reshape(multiply(pairs, constants["shared"]), (2 * ROWS, DIM))
        return h, {"h": h}

    def value(names):
        constants = with_matrices({"shared": ops.convert_to_tensor(shared)}, names)
        _, outputs = scan(step, state, x, {"h": state}, constants)
        return ops.sum(ops.square(outputs["h"]))

    got_value, [got] = gradients(lambda: value(["shared"]), [shared])
    expected_value, [expected] = gradients(lambda: value([]), [shared])
    assert got_value == pytest.approx(expected_value, rel=1e-5)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_with_matrices_wraps_what_is_named():
    nested = {"a": [{"kernel": 1, "bias": 2}], "values": 3, "mask": 4}
    wrapped = with_matrices(nested, ("kernel", "values"))
    assert isinstance(wrapped["a"][0]["kernel"], Matrix) and wrapped["a"][0]["bias"] == 2
    assert isinstance(wrapped["values"], Matrix) and wrapped["mask"] == 4


own_gradient = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="other backends use the gradient they have"
)


def matrix_loop(h, x, matrix):
    return scan(lambda h, x, m: (ops.tanh(multiply(h, m) + x),) * 2, h, x, like=h, constants=matrix)


@pytest.mark.thorough
@pytest.mark.slow
@own_gradient
def test_gradient_of_matrices_of_unknown_size():
    """Attention over sources whose number and length a graph does not know."""
    import tensorflow as tf

    def step(h, x, constants):
        scores = tf.tanh(multiply(tf.tanh(h + x)[:, None], constants["keys"]))
        h = multiply(scores, constants["values"])[:, 0]
        return h, h

    def gradient(keys, values, names):
        with tf.GradientTape() as tape:
            tape.watch([keys, values])
            constants = with_matrices({"keys": keys, "values": values}, names)
            h = tf.zeros((tf.shape(keys)[0], DIM))
            x = tf.ones((TIME, tf.shape(keys)[0], DIM))
            _, outputs = scan(step, h, x, h, constants)
            total = tf.reduce_sum(outputs)
        return tape.gradient(total, [keys, values])

    spec = [tf.TensorSpec((None, DIM, None)), tf.TensorSpec((None, None, DIM))]
    keys, values = tf.constant(random(ROWS, DIM, 7)), tf.constant(random(ROWS, 7, DIM, seed=1))
    got = tf.function(lambda *a: gradient(*a, ["keys", "values"]), input_signature=spec)
    for a, b in zip(got(keys, values), gradient(keys, values, [])):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@own_gradient
def test_a_matrix_is_for_one_product():
    import tensorflow as tf

    h, x = tf.constant(random(ROWS, DIM)), tf.constant(random(TIME, ROWS, DIM))
    with pytest.raises(RuntimeError, match="only once"):
        scan(lambda h, x, m: (multiply(multiply(h, m), m), h), h, x, h, Matrix(tf.constant(MATRIX)))


@own_gradient
def test_a_second_derivative_is_refused():
    import tensorflow as tf

    h, x = tf.constant(random(ROWS, DIM)), tf.constant(random(TIME, ROWS, DIM))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            _, outputs = matrix_loop(h, x, Matrix(tf.constant(MATRIX)))
            total = tf.reduce_sum(outputs)
        penalty = tf.reduce_sum(inner.gradient(total, x) ** 2)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        outer.gradient(penalty, x)


@pytest.mark.slow
@own_gradient
@pytest.mark.parametrize("wanted", [True, False])
def test_in_a_branch(wanted):
    """As on a GPU, where cuDNN is in the other one."""
    import tensorflow as tf

    h, x = tf.constant(random(ROWS, DIM)), tf.constant(random(TIME, ROWS, DIM))
    matrix = tf.constant(MATRIX)

    @tf.function
    def gradient(wanted):
        with tf.GradientTape() as tape:
            tape.watch(matrix)
            total = tf.cond(
                wanted,
                lambda: tf.reduce_sum(matrix_loop(h, x, Matrix(matrix))[1]),
                lambda: tf.reduce_sum(matrix),
            )
        return tape.gradient(total, matrix)

    expected = np.ones_like(MATRIX)
    if wanted:
        with tf.GradientTape() as tape:
            tape.watch(matrix)
            state, total = h, 0.0
            for t in range(TIME):
                state = tf.tanh(state @ matrix + x[t])
                total += tf.reduce_sum(state)
        expected = tape.gradient(total, matrix)
    np.testing.assert_allclose(gradient(tf.constant(wanted)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@own_gradient
def test_nothing_is_kept_where_no_gradient_is_to_come():
    import tensorflow as tf

    h, x = tf.constant(random(ROWS, DIM)), tf.constant(random(TIME, ROWS, DIM))
    matrix = tf.constant(MATRIX)

    def graph(without):
        def run(h, x):
            if not without:
                return matrix_loop(h, x, Matrix(matrix))[1]
            with no_gradient():
                return matrix_loop(h, x, Matrix(matrix))[1]

        return tf.function(run).get_concrete_function(h, x)

    counts = [
        sum(
            op.type.startswith("TensorList")
            for f in (function.graph, *function.graph._functions.values())
            for op in getattr(f, "graph", f).get_operations()
        )
        for function in (graph(False), graph(True))
    ]
    assert counts[1] < counts[0]
    np.testing.assert_allclose(graph(True)(h, x), graph(False)(h, x), atol=1e-6)


@pytest.mark.slow
@own_gradient
@pytest.mark.parametrize("as_output", [False, True])
def test_a_factor_that_is_a_state_or_an_output_is_kept_once(as_output):
    import tensorflow as tf

    h, x = tf.constant(random(ROWS, DIM)), tf.constant(random(TIME, ROWS, DIM))
    matrix = tf.constant(MATRIX)

    def step(h, x, matrix):
        factor = tf.tanh(h + x) if as_output else h
        after = tf.tanh(multiply(factor, matrix) + x)
        return after, factor if as_output else after

    def gradient(wrap):
        def run(h, x, matrix):
            with tf.GradientTape() as tape:
                tape.watch([h, x, matrix])
                last, outputs = scan(step, h, x, like=h, constants=wrap(matrix))
                loss = tf.reduce_sum(outputs**2) + tf.reduce_sum(last)
            return tape.gradient(loss, [h, x, matrix])

        return tf.function(run).get_concrete_function(h, x, matrix)

    function = gradient(Matrix)
    kinds = [op.type for op in function.graph.get_operations()]
    # Of all steps: outputs, states and products; then the gradients of inputs and products.
    assert kinds.count("TensorListStack") == 3 + 2
    for got, right in zip(function(h, x, matrix), gradient(lambda x: x)(h, x, matrix)):
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@own_gradient
def test_gradients_are_saved_with_a_model(tmp_path):
    import tensorflow as tf

    h, x = tf.constant(random(ROWS, DIM)), tf.constant(random(TIME, ROWS, DIM))
    module = tf.Module()
    module.matrix = tf.Variable(MATRIX)
    module.run = tf.function(lambda h, x: matrix_loop(h, x, Matrix(module.matrix.read_value()))[1])

    def gradient(module):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(module.run(h, x))
        return tape.gradient(total, module.matrix)

    expected = gradient(module)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(tmp_path / "saved"), options=options)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.run(h, x), module.run(h, x), atol=1e-6)
    np.testing.assert_allclose(gradient(loaded), expected, rtol=1e-5)
