"""Adam against NumPy and Keras's own."""

import keras
import numpy as np
import pytest

import keras_s2s
from tests.fewer import chosen
from tests.layers.helpers import BACKEND, numpy, random

GRADIENTS = [random(5, 3, seed=seed) for seed in range(4)]


def train(optimizer):
    variable = keras.Variable(np.ones((5, 3)), dtype="float32")
    optimizer.build([variable])
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return numpy(variable.value)


@pytest.mark.every_backend
def test_equals_the_paper():
    rate, beta_1, beta_2, epsilon = 0.1, 0.8, 0.95, 1e-4
    value, m, v = np.ones((5, 3)), 0.0, 0.0
    for t, g in enumerate(GRADIENTS, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        # With epsilon "hat", as in the paper's remark on the order of the computation.
        step = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        value = value - step * m / (np.sqrt(v) + epsilon)
    optimizer = keras_s2s.optimizers.Adam(rate, beta_1, beta_2, epsilon)
    np.testing.assert_allclose(train(optimizer), value, rtol=1e-5)


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"amsgrad": True},
        {"weight_decay": 0.1, "global_clipnorm": 0.5},
        {"global_clipnorm": 4.0},  # One of the gradients is longer.
        {"global_clipnorm": -1.0},
        {"gradient_accumulation_steps": 2, "use_ema": True},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.2, 4)},
    ],
)
def test_equals_keras(options):
    options = {"learning_rate": 0.1, **options}
    expected = train(keras.optimizers.Adam(**options))
    got = train(keras_s2s.optimizers.Adam(**options))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert abs(got - 1).max() > 0.1


@pytest.mark.every_backend
def test_a_gradient_without_direction_is_not_hidden():
    """Keras makes the weights NaN, which a callback sees, where clipping would leave zeros."""
    gradient = keras.ops.convert_to_tensor([np.inf, 1.0, 0.0])
    for Adam in (keras.optimizers.Adam, keras_s2s.optimizers.Adam):
        variable = keras.Variable(np.ones(3), dtype="float32")
        optimizer = Adam(0.1, global_clipnorm=1.0)
        optimizer.build([variable])
        optimizer.apply([gradient], [variable])
        assert np.isnan(numpy(variable.value)).all()


SLICES = [
    (BACKEND != "torch", {}),
    (False, {}),
    (False, {"global_clipnorm": 0.1}),
    (False, {"clipnorm": 0.1}),
]


@pytest.mark.every_backend
@pytest.mark.slow
@pytest.mark.parametrize(
    ["jit_compile", "options"],
    # Elsewhere a gradient has no slices; it is compiled where there is a compiler.
    chosen(SLICES, SLICES[0]),
)
def test_slices_count_as_their_sum(jit_compile, options):
    """TensorFlow's gradient of an embedding, where a row that is read twice has two slices."""
    ids, labels = np.array([[1, 1, 4], [2, 1, 0]]), np.array([[1.0], [3.0]])

    def fit(embed, inputs, optimizer):
        model = keras.Sequential([embed, keras.layers.Flatten(), keras.layers.Dense(1)])
        model.build(inputs.shape)
        weights = [random(6, 3, seed=1), random(9, 1, seed=2), np.zeros(1)]
        model.set_weights(weights)
        model.compile(optimizer, "mse", jit_compile=jit_compile)
        model.fit(inputs, labels, epochs=3, verbose=0)
        # The moments as well: Adam's step hardly knows how long a gradient is.
        moments = [*optimizer._momentums, *optimizer._velocities]
        return model.get_weights() + [numpy(v.value) for v in moments]

    one_hot = keras.layers.Dense(3, use_bias=False)
    expected = fit(one_hot, np.eye(6)[ids], keras.optimizers.Adam(0.1, **options))
    got = fit(keras.layers.Embedding(6, 3), ids, keras_s2s.optimizers.Adam(0.1, **options))
    for weights, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(weights, right, rtol=1e-4, atol=1e-5)


def test_config_has_what_keras_has():
    optimizer = keras_s2s.optimizers.Adam(0.02, global_clipnorm=1.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is keras_s2s.optimizers.Adam
    assert again.get_config() == optimizer.get_config()
    assert set(again.get_config()) == set(keras.optimizers.Adam().get_config())


@pytest.mark.every_backend
@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 0.5}, {"clipnorm": 0.5}])
def test_gradient_norm_is_that_before_clipping(options):
    variables = [keras.Variable(np.ones((5, 3))), keras.Variable(np.ones(2))]
    optimizer = keras_s2s.optimizers.Adam(0.1, **options)
    optimizer.build(variables)
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in (GRADIENTS[0], GRADIENTS[1][0, :2])])
    expected = np.sqrt(np.square(GRADIENTS[0]).sum() + np.square(GRADIENTS[1][0, :2]).sum())
    assert numpy(optimizer.gradient_norm.value) == pytest.approx(expected, rel=1e-5)
