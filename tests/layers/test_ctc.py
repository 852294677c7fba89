"""CTC and its prefix scores, against the sum over all ways to put tokens onto positions."""

import itertools

import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import CTC, CTCPrefixScorer, ctc
from keras_s2s.layers._ctc_alignment import align
from keras_s2s.tokens import END, PAD, START
from tests.layers.helpers import compiled, gradients, numpy, tensors

VOCABULARY = 6
#: Ids that outputs are made of.
TOKENS = (4, 5)


def make_log_probs(*lengths, seed=0, sharp=2.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharp, (len(lengths), max(lengths), VOCABULARY))
    logits[..., [START, END]] = -1e9
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return log_softmax(logits).astype("float32"), mask


def log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def collapsed(path):
    """What a token or blank at each position stands for: repetitions are one, blanks are none."""
    return tuple(token for token, _ in itertools.groupby(path) if token != PAD)


def probabilities(log_probs):
    """Dict from each output to its probability, the sum over all paths."""
    sums = {}
    for path in itertools.product(range(VOCABULARY), repeat=len(log_probs)):
        probability = np.exp(sum(row[token] for row, token in zip(log_probs, path)))
        sums[collapsed(path)] = sums.get(collapsed(path), 0) + probability
    return sums


def rows(*outputs):
    width = max(map(len, outputs))
    return np.array([[*output, *[PAD] * (width - len(output))] for output in outputs], "int32")


@pytest.mark.every_backend
def test_the_loss_is_the_sum_over_all_paths():
    log_probs, mask = make_log_probs(4, 3, 1, 4, 2)
    # The fourth needs a blank between equal tokens; the last has more tokens than positions.
    outputs = [(4, 5), (5,), (), (5, 5, 4), (4, 5, 4)]
    values = numpy(compiled(ctc.losses)(*tensors((log_probs, mask, rows(*outputs)))))
    expected = [
        -np.log(probabilities(one[valid])[output])
        for one, valid, output in zip(log_probs[:4], mask, outputs)
    ]
    np.testing.assert_allclose(values, [*expected, 0], rtol=1e-4, atol=1e-4)
    # The mean of all but padding, where what has no tokens or no room counts as 0.
    targets = rows(*((START, *output) for output in outputs))
    targets[1] = PAD
    mean = numpy(compiled(ctc.mean_loss)(*tensors((log_probs, mask, targets))))
    assert mean == pytest.approx((expected[0] / 2 + expected[3] / 3) / 4, rel=1e-4)


def test_equal_tokens_need_room_for_a_blank():
    log_probs, mask = make_log_probs(2)
    values = [numpy(ctc.losses(log_probs, mask, rows(output))) for output in ((4, 4), (4, 5))]
    assert values[0] == 0 and values[1] > 0


@pytest.mark.every_backend
def test_the_loss_of_a_layer_is_weighted_and_has_finite_gradients():
    layer = CTC(VOCABULARY, weight=0.5)
    values = np.random.default_rng(0).normal(size=(3, 3, 2)).astype("float32")
    # The second has no room, the third no positions.
    mask = np.arange(3) < np.array([3, 1, 0])[:, None]
    memory = {"values": values, "mask": mask}
    layer.build({"values": (3, 3, 2), "mask": (3, 3)})
    targets = rows((START, 4, 5), (START, 4, 5), (START, 4))

    def loss():
        log_probs = layer(tensors(memory))
        return ctc.mean_loss(log_probs, *tensors((mask, targets)))

    _, found = gradients(loss, layer.trainable_variables)
    assert all(np.isfinite(one).all() and one.any() for one in found)
    log_probs = numpy(layer(tensors(memory), ops.convert_to_tensor(targets), training=True))
    [value] = numpy(layer.losses)
    assert value == pytest.approx(
        0.5 * -np.log(probabilities(log_probs[0])[(4, 5)]) / 2 / 3, rel=1e-4
    )
    assert all(np.isfinite(one).all() and one.any() for one in found)
    layer(tensors(memory), ops.convert_to_tensor(targets))
    assert not layer.losses


@pytest.mark.every_backend
@pytest.mark.parametrize("seed, sharp", [(0, 2.0), (1, 6.0)])
def test_prefix_scores_are_those_of_enumeration(seed, sharp):
    lengths = (4, 2)
    log_probs, mask = make_log_probs(*lengths, seed=seed, sharp=sharp)
    memory = {"values": log_probs, "mask": mask, "ctc_log_probs": log_probs}
    prefixes = [
        prefix for length in range(4) for prefix in itertools.product(TOKENS, repeat=length)
    ]
    width = max(map(len, prefixes)) + 1
    targets = np.zeros((2 * len(prefixes), width), "int32")
    for i, prefix in enumerate(prefixes):
        targets[[i, len(prefixes) + i], : len(prefix) + 1] = [START, *prefix]
    scorer = CTCPrefixScorer(VOCABULARY)
    score = compiled(lambda targets, memory: scorer(targets, memory, rows_per_example=15))
    scores = numpy(score(*tensors((targets, memory)))).reshape(2, len(prefixes), width, -1)
    for example, length in enumerate(lengths):
        sums = probabilities(log_probs[example, :length])
        for i, prefix in enumerate(prefixes):

            def begins(prefix, sums=sums):
                return sum(p for output, p in sums.items() if output[: len(prefix)] == prefix)

            if begins(prefix) < 1e-12:
                continue
            row = np.exp(scores[example, i, len(prefix)])
            for token in TOKENS:
                expected = begins((*prefix, token)) / begins(prefix)
                assert row[token] == pytest.approx(expected, rel=1e-3, abs=1e-6)
            expected = sums.get(prefix, 0) / begins(prefix)
            assert row[END] == pytest.approx(expected, rel=1e-3, abs=1e-6)
            # A distribution: an output ends or goes on.
            assert row.sum() == pytest.approx(1, abs=1e-3)


@pytest.mark.every_backend
def test_steps_padding_and_rows_change_nothing():
    log_probs, mask = make_log_probs(7, 3)
    memory = {"values": log_probs, "mask": mask, "ctc_log_probs": log_probs}
    scorer, targets = CTCPrefixScorer(VOCABULARY), rows((START, 4, 4, 5), (START, 5, 4))
    score = compiled(lambda targets, memory: scorer(targets, memory))
    together = numpy(score(*tensors((targets, memory))))
    alone = {name: value[1:, :3] for name, value in memory.items()}
    np.testing.assert_allclose(
        numpy(score(*tensors((targets[1:], alone))))[0], together[1], atol=1e-4
    )
    twice = compiled(lambda targets, memory: scorer(targets, memory, rows_per_example=2))
    twice = numpy(twice(*tensors((np.repeat(targets, 2, axis=0), memory))))
    np.testing.assert_allclose(twice[::2], together, atol=1e-4)
    prepared, state = scorer.start(tensors(memory))
    take_step = compiled(scorer.step)
    for step in range(4):
        scores, state = take_step(ops.convert_to_tensor(targets[:, step]), state, prepared)
        np.testing.assert_allclose(numpy(scores), together[:, step], atol=1e-4)
    assert (together <= 0).all()


@pytest.mark.slow
def test_hundreds_of_positions_neither_overflow_nor_vanish():
    """Against the recurrence in float64, over one position after the other."""
    length, output = 400, (4, 5, 5, 4) * 10
    log_probs, mask = make_log_probs(length, sharp=4.0)
    exact = log_softmax(log_probs[0].astype("float64"))
    ends, blanks = np.full(length, -np.inf), np.cumsum(exact[:, PAD])
    memory = {"values": log_probs, "mask": mask, "ctc_log_probs": log_probs}
    score = compiled(CTCPrefixScorer(VOCABULARY))
    scores = numpy(score(*tensors((rows((START, *output)), memory))))[0]
    total, last = 0.0, None
    for step, token in enumerate(output):
        before = np.array([-np.inf, *ends[:-1]])
        before_blank = np.array([-np.inf if step else 0.0, *blanks[:-1]])
        begins = before_blank if token == last else np.logaddexp(before, before_blank)
        score = np.logaddexp.reduce(begins + exact[:, token])
        assert scores[step, token] == pytest.approx(score - total, abs=2e-2)
        ends, new = np.full(length, -np.inf), np.full(length, -np.inf)
        for t in range(length):
            previous = (ends[t - 1], new[t - 1]) if t else (-np.inf, -np.inf)
            ends[t] = np.logaddexp(previous[0], begins[t]) + exact[t, token]
            new[t] = np.logaddexp(*previous) + exact[t, PAD]
        blanks, total, last = new, score, token
    assert scores[-1, END] == pytest.approx(np.logaddexp(ends[-1], blanks[-1]) - total, abs=2e-2)


def test_other_vocabularies_are_refused():
    log_probs, mask = make_log_probs(3)
    memory = {"values": log_probs, "mask": mask}
    with pytest.raises(ValueError, match="auxiliary_loss=keras_s2s.layers.CTC"):
        CTCPrefixScorer(VOCABULARY).start(memory)
    with pytest.raises(ValueError, match="vocabulary_size=7, and the memory .* of 6 tokens"):
        CTCPrefixScorer(7).start({**memory, "ctc_log_probs": log_probs})
    with pytest.raises(ValueError, match="`weight` must be"):
        CTC(5, weight=-1)


def most_probable(log_probs, output):
    """The path of an output, by trying all."""
    paths = itertools.product(range(VOCABULARY), repeat=len(log_probs))
    paths = [path for path in paths if collapsed(path) == output]
    return max(paths, key=lambda path: sum(row[token] for row, token in zip(log_probs, path)))


@pytest.mark.every_backend
def test_alignment_is_the_most_probable_path():
    log_probs, mask = make_log_probs(6, 4, 1, 5, 3)
    outputs = [(4, 5, 5), (5,), (4,), (4, 4), ()]
    spans = numpy(compiled(align)(*tensors((log_probs, mask, rows(*outputs)))))
    for one, valid, output, found in zip(log_probs, mask, outputs, spans):
        path = most_probable(one[valid], output)
        expected = []
        for token, run in itertools.groupby(enumerate(path), lambda pair: pair[1]):
            positions = [position for position, _ in run]
            if token != PAD:
                expected.append([positions[0], positions[-1] + 1])
        assert found[: len(output)].tolist() == expected
        assert (found[len(output) :] == valid.sum()).all()
    # No room, with equal tokens and with too many.
    no_room = numpy(align(*tensors((log_probs[1:3], mask[1:3], rows((4, 4, 4), (4, 5))))))
    assert (no_room == -1).all()
    # Two outputs of one example, and the same in a wider batch.
    twice = np.repeat(rows(*outputs), 2, axis=0)
    padded = [np.pad(log_probs, ((0, 0), (0, 3), (0, 0))), np.pad(mask, ((0, 0), (0, 3)))]
    np.testing.assert_array_equal(numpy(compiled(align)(*tensors((*padded, twice))))[1::2], spans)
