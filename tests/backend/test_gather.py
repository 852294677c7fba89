import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.gather import select, take_rows
from keras_s2s._backend.split import split
from tests.layers.helpers import numpy

pytestmark = pytest.mark.every_backend


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 0, 2)])
@pytest.mark.parametrize("rows", [[4, 0, 0], [[1], [3]], [], [[], []]])
def test_rows(shape, rows):
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    rows = np.array(rows, "int32")
    found = numpy(take_rows(ops.convert_to_tensor(x), ops.convert_to_tensor(rows)))
    assert found.shape == rows.shape + shape[1:]
    np.testing.assert_array_equal(found, x[rows])


def test_no_rows_of_nothing():
    rows = np.zeros((2, 0), "int32")
    assert numpy(take_rows(np.zeros((0, 3), "float32"), rows)).shape == (2, 0, 3)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2), (0, 4, 2), (3, 4, 0)])
@pytest.mark.parametrize("number", [1, 3])
def test_selection(shape, number):
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    indices = np.array([[3, 0, 3], [1, 1, 2], [0, 3, 1]], "int32")[: shape[0], :number]
    found = numpy(select(ops.convert_to_tensor(x), ops.convert_to_tensor(indices)))
    expected = [[x[i, j] for j in row] for i, row in enumerate(indices)]
    assert found.shape == (shape[0], number, *shape[2:])
    np.testing.assert_array_equal(found, np.reshape(expected, found.shape))


@pytest.mark.parametrize(["axis", "sizes"], [(-1, [1, 4, 1]), (0, [2, 1]), (1, [3, 3]), (1, [6])])
def test_split(axis, sizes):
    x = np.arange(18, dtype="float32").reshape(3, 6)
    found = [numpy(part) for part in split(ops.convert_to_tensor(x), sizes, axis)]
    assert [part.shape[axis] for part in found] == sizes
    np.testing.assert_array_equal(np.concatenate(found, axis), x)
