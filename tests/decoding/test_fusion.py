"""Sums of the scores of several decoders, against NumPy."""

import numpy as np
import pytest

from keras_s2s._backend.scan import no_gradient
from keras_s2s.decoding import Beam, Fusion, Greedy
from keras_s2s.layers import RNNDecoder
from keras_s2s.layers._by_steps import by_steps
from tests.decoding.fake import FakeDecoder, as_list, decode, example, exhaustive, make_memory
from tests.fewer import fewer_elsewhere
from tests.layers.helpers import run

LENGTHS, WEIGHTS = [3, 1, 4], (0.5, 0.3)


class Summed:
    """What a fusion of fakes is, for the references of tests/decoding/fake.py."""

    def __init__(self, decoders, weights):
        self.decoders, self.weights = decoders, (1.0, *weights)
        self.vocabulary_size = decoders[0].vocabulary_size

    def numpy_step(self, token, states, values):
        if not isinstance(states, tuple):
            states = (states,) * len(self.decoders)
        steps = [d.numpy_step(token, h, values) for d, h in zip(self.decoders, states)]
        scores = sum(w * log_probs for w, (log_probs, _, _) in zip(self.weights, steps))
        return scores, tuple(h for _, h, _ in steps), steps[0][2]


def make():
    decoders = [FakeDecoder(seed=seed) for seed in (1, 2, 3)]
    return Fusion(decoders[0], decoders[1:], WEIGHTS), Summed(decoders, WEIGHTS)


@pytest.mark.every_backend
@pytest.mark.parametrize("alpha", fewer_elsewhere([0.8, 0.0], 2))
def test_wide_beam_is_exhaustive_search(alpha):
    (fusion, summed), memory, n = make(), make_memory(LENGTHS), 5
    result = decode(Beam(90, alpha, num_return_sequences=n), fusion, memory, 4)
    for row in range(len(LENGTHS)):
        expected = exhaustive(summed, memory, row, 4, alpha)[:n]
        assert [as_list(ids) for ids in result["token_ids"][row]] == [x[2] for x in expected]
        np.testing.assert_allclose(result["scores"][row], [x[0] for x in expected], rtol=1e-4)
        np.testing.assert_allclose(result["log_probs"][row], [x[1] for x in expected], rtol=1e-4)


def test_greedy_takes_the_best_sum():
    (fusion, summed), memory = make(), make_memory(LENGTHS)
    result = decode(Greedy(), fusion, memory, 6, return_attention=True)
    for row in range(len(LENGTHS)):
        one = example(memory, row)
        states, token, total, tokens = one["state"][0], 2, 0.0, []
        while token != 3 and len(tokens) < 6:
            scores, states, weights = summed.numpy_step(token, states, one["values"][0])
            scores[[0, 2]] = -np.inf
            token = int(scores.argmax())
            np.testing.assert_allclose(
                result["attention"][row, 0, len(tokens), : LENGTHS[row]], weights, atol=1e-5
            )
            tokens.append(token)
            total += scores[token]
        assert as_list(result["token_ids"][row, 0]) == tokens
        assert result["scores"][row, 0] == pytest.approx(total, rel=1e-4)


@pytest.mark.every_backend
def test_all_steps_at_once_are_the_steps():
    decoders = [
        RNNDecoder(9, 4, cell="rnn"),
        RNNDecoder(9, 3, cell="rnn", attention=None, bridge="zero"),
    ]
    fusion = Fusion(decoders[0], decoders[1:], [0.7])
    rng = np.random.default_rng(0)
    memory = {
        "values": rng.normal(size=(2, 3, 5)).astype("float32"),
        "mask": np.array([[True] * 3, [True, False, False]]),
    }
    targets = np.array([[2, 5, 6], [2, 7, 0]])
    for decoder in decoders:  # Weights are made outside of what is compiled.
        decoder.build((None, None), {"values": (None, None, 5), "mask": (None, None)})
    scores = run(fusion, targets, memory)
    assert fusion.attends and (scores <= 0).all()
    parts = [run(decoder, targets, memory).astype("float64") for decoder in decoders]
    parts = [one - np.logaddexp.reduce(one, axis=-1, keepdims=True) for one in parts]
    np.testing.assert_allclose(scores, parts[0] + 0.7 * parts[1], atol=1e-4)
    by_step = no_gradient()(lambda targets, memory: by_steps(fusion, targets, memory, 1))
    steps = run(by_step, targets, memory)
    np.testing.assert_allclose(steps, scores, atol=1e-4)


def test_bad_arguments():
    decoder = RNNDecoder(9, 4)
    with pytest.raises(ValueError, match="one number for each scorer. Received: 0 for 1"):
        Fusion(decoder, [decoder], [])
    with pytest.raises(ValueError, match="scores 8 tokens, and the decoder 9"):
        Fusion(decoder, [RNNDecoder(8, 4)], [1.0])
    with pytest.raises(ValueError, match="`weights` must be numbers, at least 0"):
        Fusion(decoder, [decoder], [-1.0])
