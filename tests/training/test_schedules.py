"""Learning rates by hand."""

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.recipes.schedule import learning_rate
from tests.layers.helpers import numpy


def rates(schedule, steps):
    return [float(numpy(keras.ops.convert_to_tensor(schedule(step)))) for step in steps]


@pytest.mark.every_backend
def test_inverse_square_root_equals_the_paper():
    """Vaswani et al., equation 3, whose factor of the model's size is its peak."""
    warmup, size = 4000, 512
    steps = [1, 100, 3999, 4000, 4001, 16_000, 100_000]
    paper = [size**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in steps]
    schedule = keras_s2s.schedules.InverseSquareRoot((size * warmup) ** -0.5, warmup)
    np.testing.assert_allclose(rates(schedule, steps), paper, rtol=1e-5)
    assert rates(schedule, [0]) == [0.0]


def test_inverse_square_root_is_saved():
    schedule = keras_s2s.schedules.InverseSquareRoot(0.01, 30)
    optimizer = keras_s2s.optimizers.Adam(schedule)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    "options",
    [(0.0, 10), (1e-3, 0), (1e-3, -1), ("1", 10), (1e-3, None), (True, 1), (float("nan"), 1)],
)
def test_bad_schedule(options):
    with pytest.raises(ValueError, match="must be positive"):
        keras_s2s.schedules.InverseSquareRoot(*options)


@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["kind", "warmup", "expected"],
    [
        ("cosine", 10, [0.0, 0.5, 1.0, 0.5, 0.0]),
        ("inverse_sqrt", 10, [0.0, 0.5, 1.0, 10**0.5 * 30**-0.5, 50**-0.5 * 10**0.5]),
        ("inverse_sqrt", 0, [0.0, 5**-0.5, 10**-0.5, 30**-0.5, 50**-0.5]),
    ],
)
def test_schedules_of_recipes(kind, warmup, expected):
    got = rates(learning_rate(kind, 1.0, warmup, 50), [0, 5, 10, 30, 50])
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_what_a_plateau_lowers_is_a_number():
    assert learning_rate("plateau", 0.1, 0, 50) == 0.1
