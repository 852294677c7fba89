"""The loss against NumPy, and that padding never counts."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.training import RDrop, TokenCrossentropy
from tests.layers.helpers import gradients, numpy, random

BATCH, STEPS, VOCABULARY = 3, 4, 7
LABELS = np.random.default_rng(0).integers(1, VOCABULARY, (BATCH, STEPS)).astype("int32")
VALID = (np.arange(STEPS) < np.array([4, 1, 2])[:, None]).astype("float32")
LOGITS = 2 * random(BATCH, STEPS, VOCABULARY)

smoothing = pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.5])


def reference(labels, logits, weight, label_smoothing):
    """Cross-entropy with the distribution that is spread, over the sum of weights."""
    logits = logits.astype("float64")
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    target = (1 - label_smoothing) * np.eye(logits.shape[-1])[labels]
    target = target + label_smoothing / logits.shape[-1]
    return -((target * log_probs).sum(-1) * weight).sum() / weight.sum()


@pytest.mark.every_backend
@smoothing
def test_equals_numpy(label_smoothing):
    loss = TokenCrossentropy(label_smoothing)
    expected = reference(LABELS, LOGITS, VALID, label_smoothing)
    assert numpy(loss(LABELS, LOGITS, VALID)) == pytest.approx(expected, rel=1e-5)
    everywhere = reference(LABELS, LOGITS, np.ones_like(VALID), label_smoothing)
    assert numpy(loss(LABELS, LOGITS)) == pytest.approx(everywhere, rel=1e-5)


def test_weights_other_than_0_and_1():
    weight = VALID * np.array([[0.5], [2.0], [1.0]], "float32")
    expected = reference(LABELS, LOGITS, weight, 0.1)
    assert numpy(TokenCrossentropy(0.1)(LABELS, LOGITS, weight)) == pytest.approx(
        expected, rel=1e-5
    )


@smoothing
def test_equals_the_loss_of_keras_for_dense_targets(label_smoothing):
    dense = keras.losses.CategoricalCrossentropy(
        from_logits=True,
        label_smoothing=label_smoothing,
        reduction="mean_with_sample_weight",
    )
    expected = dense(np.eye(VOCABULARY, dtype="float32")[LABELS], LOGITS, VALID)
    got = TokenCrossentropy(label_smoothing)(LABELS, LOGITS, VALID)
    np.testing.assert_allclose(numpy(got), numpy(expected), rtol=1e-5)


@pytest.mark.every_backend
@smoothing
def test_padding_changes_neither_loss_nor_gradient(label_smoothing):
    """More columns and rows of padding, and anything in it."""
    padding = ((0, 2), (0, 3))
    wide = {
        "labels": np.pad(LABELS, padding),
        "logits": np.pad(LOGITS, (*padding, (0, 0)), constant_values=30),
        "weight": np.pad(VALID, padding),
    }
    narrow = {"labels": LABELS, "logits": LOGITS, "weight": VALID}
    loss = TokenCrossentropy(label_smoothing)
    found = []
    for data in (narrow, wide):
        logits = keras.Variable(data["logits"])
        found.append(
            gradients(
                lambda logits=logits, data=data: loss(
                    ops.convert_to_tensor(data["labels"]),
                    ops.convert_to_tensor(logits),
                    ops.convert_to_tensor(data["weight"]),
                ),
                [logits],
            )
        )
    (value, [gradient]), (wide_value, [wide_gradient]) = found
    assert wide_value == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(wide_gradient[:BATCH, :STEPS], gradient, atol=1e-6)
    assert gradient[VALID == 1].any(axis=-1).all()
    assert not gradient[VALID == 0].any()
    assert not wide_gradient[BATCH:].any() and not wide_gradient[:, STEPS:].any()


def test_batch_of_nothing_but_padding():
    assert numpy(TokenCrossentropy(0.1)(LABELS, LOGITS, 0 * VALID)) == 0


@pytest.mark.every_backend
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_summed_in_float32(dtype):
    logits = ops.cast(LOGITS, dtype)
    value = TokenCrossentropy(0.1)(LABELS, logits, VALID)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    expected = reference(LABELS, numpy(logits), VALID, 0.1)
    assert numpy(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.every_backend
def test_improbable_tokens_have_a_finite_loss():
    logits = np.array([[[60.0, 0.0, -60.0]]], "float32")
    value = numpy(TokenCrossentropy()(np.array([[2]]), logits))
    assert value == pytest.approx(120, rel=1e-5)


@pytest.mark.every_backend
def test_r_drop_equals_numpy(label_smoothing=0.1):
    labels, valid = (np.repeat(x, 2, axis=0) for x in (LABELS, VALID))
    logits = 2 * random(2 * BATCH, STEPS, VOCABULARY, seed=1)
    log_probs = logits.astype("float64")
    log_probs -= np.log(np.exp(log_probs).sum(-1, keepdims=True))
    first, second = log_probs[::2], log_probs[1::2]
    divergences = [(np.exp(a) * (a - b)).sum(-1) for a, b in ((first, second), (second, first))]
    # Over the tokens of both rows.
    divergence = (sum(divergences) / 2 * VALID).sum() / valid.sum()
    expected = reference(labels, logits, valid, label_smoothing) + 5 * divergence
    loss = RDrop(5.0, label_smoothing)
    assert numpy(loss(labels, logits, valid)) == pytest.approx(expected, rel=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert numpy(again(labels, logits, valid)) == pytest.approx(expected, rel=1e-5)


def test_config_round_trip():
    loss = TokenCrossentropy(0.2, name="mine")
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert (again.label_smoothing, again.name) == (0.2, "mine")
    assert again.reduction == loss.reduction


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_label_smoothing_out_of_range(value):
    with pytest.raises(ValueError, match=f"`label_smoothing` must be in.*: {value}"):
        TokenCrossentropy(label_smoothing=value)
