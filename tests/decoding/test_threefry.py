import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.decoding._threefry import threefry, uniform

pytestmark = pytest.mark.every_backend


def words(*values):
    return [ops.convert_to_tensor(np.array([v], "uint32").view("int32")) for v in values]


@pytest.mark.parametrize(
    ["key", "counter", "expected"],
    [
        # Of the authors' library Random123, `kat_vectors`.
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(key, counter, expected):
    found = threefry(words(*key), words(*counter))
    found = [ops.convert_to_numpy(x).view("uint32")[0] for x in found]
    assert found == list(expected)


def test_uniform_numbers():
    rows = ops.reshape(ops.arange(500, dtype="int32"), (-1, 1))
    numbers = uniform(words(1, 2), (rows, ops.arange(200, dtype="int32")))
    assert keras.backend.standardize_dtype(numbers.dtype) == "float32"
    numbers = ops.convert_to_numpy(numbers)
    assert 0 <= numbers.min() and numbers.max() < 1
    counts, _ = np.histogram(numbers, 100, (0, 1))
    np.testing.assert_allclose(counts, 1000, atol=5 * 1000**0.5)
    for one, other in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / numbers.size**0.5
