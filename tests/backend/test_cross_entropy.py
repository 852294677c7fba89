"""Cross-entropy and its gradient against the equations, in float64."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s._backend.cross_entropy import cross_entropy
from tests.fewer import fewer_elsewhere
from tests.layers.helpers import gradients, numpy, random, softmax

pytestmark = pytest.mark.every_backend

BATCH, STEPS, VOCABULARY = 3, 4, 11
LABELS = np.random.default_rng(1).integers(0, VOCABULARY, (BATCH, STEPS))
LOGITS = 4 * random(BATCH, STEPS, VOCABULARY)
#: Zeros, as of padding, among them.
WEIGHTS = np.random.default_rng(2).integers(0, 3, (BATCH, STEPS)).astype("float32")


def expected(label_smoothing):
    """`-sum(target * log softmax(logits))`, and what its weighted sum gives each logit."""
    logits = LOGITS.astype("float64")
    probabilities = softmax(logits)
    target = (1 - label_smoothing) * np.eye(VOCABULARY)[LABELS] + label_smoothing / VOCABULARY
    value = -(target * np.log(probabilities)).sum(-1)
    return value, (probabilities - target) * WEIGHTS[..., None]


@pytest.mark.parametrize(
    ["label_smoothing", "dtype"],
    fewer_elsewhere(itertools.product([0.0, 0.1, 0.9], ["int32", "float32"]), 3),
)
def test_value_and_gradient(label_smoothing, dtype):
    """Keras gives labels to a loss as floats."""
    logits = keras.Variable(LOGITS)
    labels = ops.convert_to_tensor(LABELS.astype(dtype))
    right, right_gradient = expected(label_smoothing)
    value = cross_entropy(labels, ops.convert_to_tensor(logits), label_smoothing)
    np.testing.assert_allclose(numpy(value), right, rtol=1e-5, atol=1e-5)

    def total():
        value = cross_entropy(labels, ops.convert_to_tensor(logits), label_smoothing)
        return ops.sum(value * ops.convert_to_tensor(WEIGHTS))

    _, (gradient,) = gradients(total, [logits])
    np.testing.assert_allclose(gradient, right_gradient, rtol=1e-4, atol=1e-6)


def test_large_logits():
    logits = np.array([[1e4, -1e4, 0.0]], "float32")
    value = cross_entropy(ops.convert_to_tensor(np.array([0])), ops.convert_to_tensor(logits), 0.3)
    # 0.1 of the target is on each label: 2e4 and 1e4 less probable.
    assert float(value[0]) == pytest.approx(0.1 * 3e4, rel=1e-6)


def test_sixteen_bits_are_computed_with_in_32():
    logits = ops.cast(ops.convert_to_tensor(LOGITS), "bfloat16")
    value = cross_entropy(ops.convert_to_tensor(LABELS), logits, 0.1)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    rounded = ops.cast(logits, "float32")
    again = cross_entropy(ops.convert_to_tensor(LABELS), rounded, 0.1)
    np.testing.assert_allclose(ops.convert_to_numpy(value), ops.convert_to_numpy(again))


def test_no_rows():
    value = cross_entropy(
        ops.zeros((0, STEPS), dtype="int32"), ops.zeros((0, STEPS, VOCABULARY)), 0.1
    )
    assert tuple(value.shape) == (0, STEPS)
