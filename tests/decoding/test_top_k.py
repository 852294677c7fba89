import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.top_k import Groups, top_k
from tests.fewer import fewer_elsewhere


@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["shape", "k", "kind"],
    fewer_elsewhere(
        itertools.product(
            [(3, 1), (4, 31), (5, 320), (7, 333), (2, 8000)],
            [1, 2, 10, 40],
            ["distinct", "ties", "same", "infinite"],
        ),
        13,
    ),
)
def test_is_a_stable_sort(shape, k, kind):
    rows, size = shape
    rng = np.random.default_rng(size + k)
    x = {
        "distinct": rng.normal(size=(rows, size)),
        "ties": rng.integers(0, 5, size=(rows, size)),
        "same": np.zeros((rows, size)),
        "infinite": np.where(rng.random((rows, size)) < 0.01, 1.0, -np.inf),
    }[kind].astype("float32")
    k = min(k, size)
    values, indices = (keras.ops.convert_to_numpy(y) for y in top_k(x, k))
    expected = np.argsort(-x, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, -1))
    assert values.dtype == "float32" and indices.dtype == "int32"


@pytest.mark.every_backend
def test_low_precision_is_compared_in_float32():
    x = keras.ops.cast(np.arange(200)[None] % 100, "bfloat16")
    values, indices = top_k(x, 3)
    assert keras.ops.convert_to_numpy(indices).tolist() == [[99, 199, 98]]
    assert keras.backend.standardize_dtype(values.dtype) == "float32"


@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["size", "k"], fewer_elsewhere([(5, 1), (64, 4), (333, 4), (5, 4), (64, 1), (333, 1)], 2)
)
def test_banned_entries_count_as_the_fill(size, k):
    rng = np.random.default_rng(size + k)
    x = rng.integers(0, 9, size=(50, size)).astype("float32")
    banned = [0, 3, size - 1]
    is_banned = ops.convert_to_tensor(np.isin(np.arange(size), banned))
    values, indices = Groups(x).top_k(k, is_banned, banned, fill=-7.0)
    x[:, banned] = -7
    expected = np.argsort(-x, axis=-1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ops.convert_to_numpy(indices), expected)
    np.testing.assert_array_equal(ops.convert_to_numpy(values), np.take_along_axis(x, expected, -1))


@pytest.mark.every_backend
@pytest.mark.parametrize("size", fewer_elsewhere([2, 31, 333, 8000], 2, first=1))
def test_log_sum_exp(size):
    rng = np.random.default_rng(size)
    x = rng.normal(scale=20, size=(6, size)).astype("float32")
    x[0, : size // 2] = -1e9
    x[1, size // 3] = 300.0
    found = Groups(x).log_sum_exp(ops.softmax(x))
    expected = np.logaddexp.reduce(x.astype("float64"), axis=-1, keepdims=True)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-5)
