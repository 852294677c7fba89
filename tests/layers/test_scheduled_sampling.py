"""A decoder that reads tokens of its own in training."""

import keras
import numpy as np
import pytest

from keras_s2s.layers import ScheduledSampling
from tests.layers.helpers import numpy, tensors

TRUE = np.array([[2, 5, 6, 7, 8, 0], [2, 8, 0, 0, 0, 0]])
# The likeliest token after each step. Padding, 0, and the end, 3, are none that could be read.
NEXT = np.array([[9, 4, 0, 3, 5, 5], [1, 6, 6, 6, 6, 6]])
OWN = np.array([[2, 9, 4, 7, 8, 0], [2, 1, 0, 0, 0, 0]])


def one_hot(ids):
    return np.eye(10, dtype="float32")[ids]


def sampled(layer, ids, following):
    return numpy(layer(*tensors((ids, one_hot(following)))))


@pytest.mark.every_backend
@pytest.mark.parametrize(["rate", "expected"], [(0, TRUE), (0.0, TRUE), (1, OWN), (1.0, OWN)])
def test_none_or_all(rate, expected):
    got = sampled(ScheduledSampling(rate), TRUE, NEXT)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == TRUE.dtype or keras.backend.backend() == "jax"


@pytest.mark.every_backend
def test_each_token_by_chance():
    true, following = np.full((50, 101), 5), np.full((50, 101), 6)
    layer = ScheduledSampling(0.3, seed=1)
    first, second = (sampled(layer, true, following)[:, 1:] == 6 for _ in range(2))
    # 5,000 draws: a standard deviation is 0.0065.
    assert abs(first.mean() - 0.3) < 0.026
    assert abs((first & second).mean() - 0.09) < 0.017


@pytest.mark.every_backend
def test_schedule_counts_steps():
    layer = ScheduledSampling(keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0))
    true, following = np.full((20, 101), 5), np.full((20, 101), 6)
    shares = [(sampled(layer, true, following)[:, 1:] == 6).mean() for _ in range(6)]
    np.testing.assert_allclose(shares, [0, 0.25, 0.5, 0.75, 1, 1], atol=0.05)
    again = ScheduledSampling.from_config(layer.get_config())
    assert again.rate.get_config() == layer.rate.get_config()


@pytest.mark.parametrize("rate", [-0.1, 1.1, "0.5", None, True, [0.1]])
def test_bad_rate(rate):
    with pytest.raises(ValueError, match="`rate` must be a number in"):
        ScheduledSampling(rate)
