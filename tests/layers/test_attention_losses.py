"""Losses on attention weights, against plain loops."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import CoverageAttention, CoverageLoss, DoublyStochastic, RNNDecoder
from tests.layers.helpers import make_memory, numpy, softmax, tensors

BATCH, OUTPUTS, STEPS, SOURCE = 3, 2, 4, 5
LENGTHS = np.array([5, 2, 0])
#: Steps of each output; one has none.
TARGETS = np.array([4, 2, 1, 0, 3, 3])


def batch():
    mask = np.arange(SOURCE) < LENGTHS[:, None]
    scores = np.random.default_rng(0).normal(size=(BATCH * OUTPUTS, STEPS, SOURCE))
    rows = np.repeat(mask, OUTPUTS, axis=0)[:, None]
    weights = np.where(rows, softmax(np.where(rows, scores, -1e9)), 0).astype("float32")
    targets = np.where(np.arange(STEPS) < TARGETS[:, None], 7, 0)
    return weights, targets, mask


def doubly_stochastic(weights):
    """Of one output `(steps, source)`: Xu et al., section 4.2.1, as a mean."""
    return np.mean((1 - weights.sum(0)) ** 2)


def coverage(weights):
    """Of one output: See et al., equation 12, and the mean over steps of equation 13."""
    before, losses = np.zeros(weights.shape[1]), []
    for step in weights:
        losses.append(np.minimum(step, before).sum())
        before = before + step
    return np.mean(losses)


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "loss, expected",
    [(DoublyStochastic(0.7), doubly_stochastic), (CoverageLoss(0.7), coverage)],
    ids=["doubly_stochastic", "coverage"],
)
def test_equals_plain_loops(loss, expected):
    weights, targets, mask = batch()
    each = [
        expected(weights[row, :steps, : LENGTHS[row // OUTPUTS]])
        for row, steps in enumerate(TARGETS)
        if steps and LENGTHS[row // OUTPUTS]
    ]
    assert len(each) == 3
    found = numpy(loss(*tensors((weights, targets, mask))))
    assert found == pytest.approx(0.7 * np.mean(each), rel=1e-5)


def test_nothing_costs_nothing():
    weights, targets, mask = batch()
    for loss in (DoublyStochastic(), CoverageLoss()):
        assert numpy(loss(*tensors((weights, 0 * targets, mask)))) == 0
        none = weights[:0], targets[:0], mask[:0]
        assert numpy(loss(*tensors(none))) == 0


def test_decoders_add_them_in_training():
    losses = [CoverageLoss(0.5), DoublyStochastic(0.3)]
    decoder = RNNDecoder(9, 4, attention=CoverageAttention(3), attention_losses=losses)
    memory = tensors(make_memory([3, 2], 6))
    targets = ops.convert_to_tensor(np.array([[2, 5, 6, 7], [2, 8, 0, 0]]))
    _, weights = decoder(targets, memory, return_attention=True, training=False)
    assert not decoder.losses
    decoder(targets, memory, training=True)
    expected = [numpy(loss(weights, targets, memory["mask"])) for loss in losses]
    np.testing.assert_allclose([numpy(x) for x in decoder.losses], expected, rtol=1e-5)
    again = RNNDecoder.from_config(decoder.get_config())
    assert [type(loss) for loss in again.attention_losses] == [CoverageLoss, DoublyStochastic]
    assert [loss.factor for loss in again.attention_losses] == [0.5, 0.3]
    config = keras.saving.serialize_keras_object(decoder)
    assert keras.saving.deserialize_keras_object(config).get_config() == decoder.get_config()


def test_what_is_refused():
    with pytest.raises(TypeError, match="`attention_losses`.*CoverageLoss"):
        RNNDecoder(9, 4, attention_losses=["coverage"])
    with pytest.raises(ValueError, match="`attention_losses` needs attention weights"):
        RNNDecoder(9, 4, attention=None, attention_losses=[CoverageLoss()])
    with pytest.raises(ValueError, match="`factor`.*-1"):
        CoverageLoss(-1)
