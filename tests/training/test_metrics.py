"""Metrics weigh every token alike, however the batches are."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.training import Perplexity, TokenAccuracy
from tests.layers.helpers import numpy, random

VOCABULARY = 6
#: Two batches of unequal shape and very unequal numbers of tokens.
LENGTHS = [[7, 5, 6], [1, 1]]


def batches():
    for seed, lengths in enumerate(LENGTHS):
        steps = max(lengths) + 1
        labels = np.random.default_rng(seed).integers(1, VOCABULARY, (len(lengths), steps))
        logits = random(len(lengths), steps, VOCABULARY, seed=seed)
        # The second batch is much better than the first.
        logits += 3 * seed * np.eye(VOCABULARY)[labels].astype("float32")
        valid = np.arange(steps) < np.array(lengths)[:, None]
        yield labels.astype("int32"), logits, valid.astype("float32")


def all_tokens():
    """Labels and log-probabilities of the tokens that are no padding, in one row."""
    labels = np.concatenate([y[w > 0] for y, _, w in batches()])
    logits = np.concatenate([x[w > 0] for _, x, w in batches()]).astype("float64")
    return labels, logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def expected(kind):
    labels, log_probs = all_tokens()
    assert len(labels) == sum(map(sum, LENGTHS))
    if kind is TokenAccuracy:
        return (log_probs.argmax(-1) == labels).mean()
    return np.exp(-log_probs[np.arange(len(labels)), labels].mean())


kinds = pytest.mark.parametrize("kind", [Perplexity, TokenAccuracy])


@pytest.mark.every_backend
@kinds
def test_tokens_weigh_alike_over_unequal_batches(kind):
    metric = kind()
    for labels, logits, valid in batches():
        metric.update_state(labels, logits, sample_weight=valid)
    assert numpy(metric.result()) == pytest.approx(expected(kind), rel=1e-5)


@kinds
def test_reset(kind):
    metric = kind()
    first, second = batches()
    metric.update_state(*first)
    metric.reset_state()
    metric.update_state(*second)
    alone = kind()
    alone.update_state(*second)
    assert numpy(metric.result()) == numpy(alone.result())


@pytest.mark.every_backend
@kinds
def test_half_precision_logits(kind):
    metric = kind()
    for labels, logits, valid in batches():
        metric.update_state(labels, ops.cast(logits, "bfloat16"), sample_weight=valid)
    assert numpy(metric.result()) == pytest.approx(expected(kind), rel=0.05)


@kinds
def test_config_round_trip(kind):
    metric = kind(name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is kind and again.name == "mine"


def test_names():
    assert (Perplexity().name, TokenAccuracy().name) == ("perplexity", "token_accuracy")


def test_the_first_of_equally_probable_tokens_counts():
    metric = TokenAccuracy()
    metric.update_state(np.array([[0, 1, 39]]), np.zeros((1, 3, 40), "float32"))
    assert float(metric.result()) == pytest.approx(1 / 3)
