"""The pointer-generator: its equation in NumPy, and what it may never lose."""

from unittest import mock

import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import CopyHead, RNNDecoder, check_decoder
from keras_s2s.training.losses import TokenCrossentropy
from tests.fewer import fewer_elsewhere
from tests.layers.decoders import EMBEDDING, UNITS, VOCABULARY, WIRINGS, make
from tests.layers.helpers import gradients, numpy, randomize, run, tensors
from tests.layers.test_heads import layers_without_head, steps, targets_with_copies

SLOTS = 4


def make_copying(wiring="bahdanau", slots=SLOTS, **kwargs):
    """A decoder that copies, a memory for it, and a decoder with the same weights that does not."""
    plain, memory = make(wiring)
    ids = np.random.default_rng(3).integers(3, VOCABULARY + slots, memory["mask"].shape)
    # A token in two places, whose weights are summed.
    ids[:, 1] = ids[:, 0]
    ids = np.where(memory["mask"], ids, 0).astype("int32")
    memory = {**memory, "encoder_token_ids": ids}
    head = CopyHead(slots, dtype=kwargs.get("dtype"))
    kwargs = {"embedding_dim": EMBEDDING, "head": head, **WIRINGS[wiring](), **kwargs}
    decoder = RNNDecoder(VOCABULARY, UNITS, **kwargs)
    decoder.start(tensors(memory))  # builds it
    for layer, other in zip(layers_without_head(decoder), layers_without_head(plain), strict=True):
        layer.set_weights(other.get_weights())
    randomize(decoder.head, scale=1.0)
    return decoder, memory, plain


def mixture(decoder, plain, targets, memory):
    """The paper's probabilities, in loops."""
    ids = memory["encoder_token_ids"]
    known = np.where(targets < VOCABULARY, targets, 1)
    logits, attention = run(lambda t, m: plain(t, m, return_attention=True), known, memory)
    readout = run(lambda t, m: _readouts(plain, t, m), known, memory)
    kernel, bias = (numpy(w) for w in decoder.head.switch.weights)
    g = 1 / (1 + np.exp(-(readout @ kernel + bias)))
    written = np.exp(logits - logits.max(-1, keepdims=True))
    written = g * written / written.sum(-1, keepdims=True)
    # What the attention does not give is written too: all, where there is nothing to look at.
    written += written / g * (1 - g) * (1 - attention.sum(-1, keepdims=True))
    result = np.pad(written, ((0, 0), (0, 0), (0, decoder.head.slots)))
    for row, step, position in np.ndindex(attention.shape):
        copied = (1 - g[row, step, 0]) * attention[row, step, position]
        result[row, step, ids[row, position]] += copied
    return result


def _readouts(decoder, targets, memory):
    """What the head of a decoder reads."""
    kept = []
    with mock.patch.object(decoder, "_logits", lambda readout, *_: kept.append(readout)):
        decoder.call(targets, memory)
    return kept[0]


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize(
    "wiring, slots",
    fewer_elsewhere([("bahdanau", SLOTS), ("luong_feeding", 0), ("luong", 2)], 3, 2),
)
def test_equals_the_papers_equation(wiring, slots):
    """All steps at once, and one by one."""
    decoder, memory, plain = make_copying(wiring, slots)
    targets = targets_with_copies() if slots == SLOTS else targets_with_copies() % VOCABULARY
    expected = mixture(decoder, plain, targets, memory)
    np.testing.assert_allclose(expected.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(np.exp(run(decoder, targets, memory)), expected, atol=1e-6)
    np.testing.assert_allclose(np.exp(numpy(steps(decoder, targets, memory))), expected, atol=1e-6)


@pytest.mark.slow
def test_sums_to_one_in_mixed_precision():
    decoder, memory, _ = make_copying(dtype="mixed_bfloat16")
    log_probs = run(decoder, targets_with_copies(), memory)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=2e-2)


@pytest.mark.slow
def test_gradients_reach_the_switch_and_the_attention_by_copies_alone():
    decoder, memory, _ = make_copying()
    # Only words that have no logit: nothing but the copies explains them.
    ids = np.where(memory["mask"], VOCABULARY, 0).astype("int32")
    memory = tensors({**memory, "encoder_token_ids": ids})
    labels = ops.full((len(ids), 2), VOCABULARY, dtype="int32")
    targets = ops.convert_to_tensor(targets_with_copies()[:, :2])
    variables = decoder.head.switch.trainable_variables

    def loss():
        return TokenCrossentropy()(labels, decoder(targets, memory))

    before, found = gradients(loss, variables)
    assert all(np.any(g) for g in found)
    for variable, gradient in zip(variables, found):
        variable.assign(variable - 0.1 * gradient)
    assert numpy(loss()) < before


@pytest.mark.slow
@pytest.mark.parametrize("slots", [0, SLOTS])
@pytest.mark.parametrize("attention", ["bahdanau", "coverage", "luong"])
def test_does_what_models_rely_on(attention, slots):
    check_decoder(RNNDecoder(9, 4, cell="rnn", attention=attention, head=CopyHead(slots)))


@pytest.mark.slow
def test_ids_without_anything_are_finite():
    """A slot that no word of the source has, and no weight at all."""
    decoder, memory, _ = make_copying()
    memory["encoder_token_ids"][:] = 5
    memory["mask"][0] = False
    log_probs = run(decoder, targets_with_copies(), memory)
    assert np.isfinite(log_probs).all() and (log_probs[:, :, VOCABULARY:] < -80).all()
    _, found = gradients(
        lambda: ops.mean(decoder(tensors(targets_with_copies()), tensors(memory))),
        decoder.trainable_variables,
    )
    assert all(np.isfinite(g).all() for g in found)


def test_round_trip_of_the_config():
    head = CopyHead.from_config(CopyHead(7, name="pointer").get_config())
    assert (head.slots, head.name) == (7, "pointer")


def test_bad_arguments():
    with pytest.raises(ValueError, match="CopyHead reads the attention weights, and attention=Non"):
        RNNDecoder(9, 4, attention=None, head=CopyHead())
    with pytest.raises(ValueError, match="`slots`"):
        CopyHead(-1)
