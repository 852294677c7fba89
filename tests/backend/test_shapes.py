"""What is made in few operations is what NumPy makes, with sizes that are known or not."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.shapes import add, add_bias, product, repeat_rows, size
from tests.layers.helpers import gradients, numpy

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(5, 3)).astype("float32")
SHAPES = {
    "matrix": (4, 5),
    "steps": (2, 4, 5),
    "beams": (2, 3, 4, 5),
    "no_rows": (0, 4, 5),
    "no_steps": (2, 0, 5),
}


def in_graph(function, x, unknown):
    """`function(x)` in a graph that does not know the sizes of the axes `unknown`."""
    import tensorflow as tf

    shape = [None if axis in unknown else n for axis, n in enumerate(x.shape)]
    return tf.function(function, input_signature=[tf.TensorSpec(shape)], autograph=False)(x)


@pytest.mark.every_backend
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_product(shape):
    x = RNG.normal(size=shape).astype("float32")
    found = numpy(product(ops.convert_to_tensor(x), ops.convert_to_tensor(MATRIX)))
    assert found.shape == (*shape[:-1], 3)
    np.testing.assert_allclose(found, x @ MATRIX, atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="about graphs of TensorFlow")
@pytest.mark.parametrize("unknown", [(), (0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_product_in_a_graph(shape, unknown):
    x = RNG.normal(size=shape).astype("float32")
    unknown = [axis for axis in unknown if axis < len(shape) - 1]
    static = []

    def run(x):
        result = product(x, MATRIX)
        static.append(result.shape.as_list())
        return result

    np.testing.assert_allclose(in_graph(run, x, unknown), x @ MATRIX, atol=1e-5)
    assert static[0][-1] == 3 and len(static[0]) == len(shape)


@pytest.mark.every_backend
def test_products_of_a_batch_of_matrices():
    x = RNG.normal(size=(2, 4, 5)).astype("float32")
    matrices = RNG.normal(size=(2, 5, 3)).astype("float32")
    found = product(ops.convert_to_tensor(x), ops.convert_to_tensor(matrices))
    np.testing.assert_allclose(numpy(found), x @ matrices, atol=1e-5)


@pytest.mark.every_backend
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 2, 3), (4, 0), (0, 2)], ids=str)
def test_repeat_rows(shape, times):
    x = RNG.normal(size=shape).astype("float32")
    found = numpy(repeat_rows(ops.convert_to_tensor(x), times))
    np.testing.assert_array_equal(found, np.repeat(x, times, axis=0))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="about graphs of TensorFlow")
@pytest.mark.parametrize("unknown", [(0,), (0, 1)], ids=str)
def test_repeat_rows_in_a_graph(unknown):
    x = RNG.normal(size=(4, 2, 3)).astype("float32")
    found = in_graph(lambda x: repeat_rows(x, 3), x, unknown)
    np.testing.assert_array_equal(found, np.repeat(x, 3, axis=0))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="about graphs of TensorFlow")
def test_size():
    x = np.zeros((4, 2), "float32")
    assert size(ops.convert_to_tensor(x), 0) == 4
    assert int(in_graph(lambda x: size(x, 0) + size(x, 1), x, (0,))) == 6


@pytest.mark.every_backend
def test_gradients_of_sums():
    arrays = [RNG.normal(size=size).astype("float32") for size in [(2, 3, 5), (2, 3, 5), 5]]
    x, y, bias = map(keras.Variable, arrays)
    factor = RNG.normal(size=(2, 3, 5)).astype("float32")

    def value():
        total = add(ops.convert_to_tensor(x), ops.convert_to_tensor(y), ops.convert_to_tensor(x))
        biased = add_bias(total, ops.convert_to_tensor(bias))
        return ops.sum(biased * ops.convert_to_tensor(factor))

    found, (to_x, to_y, to_bias) = gradients(value, [x, y, bias])
    expected = ((2 * arrays[0] + arrays[1] + arrays[2]) * factor).sum()
    assert found == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(to_x, 2 * factor, rtol=1e-5)
    np.testing.assert_allclose(to_y, factor, rtol=1e-5)
    np.testing.assert_allclose(to_bias, factor.sum((0, 1)), rtol=1e-4)
