import numpy as np
import pytest
from keras import ops

from keras_s2s.decoding import Random
from keras_s2s.decoding.random import _draw
from tests.decoding.fake import FakeDecoder, TableDecoder, as_list, decode, make_memory, replay
from tests.fewer import fewer_elsewhere

DRAWS = 4000
PROBABILITIES = np.array([0.1, 0.3, 0.1, 0.05, 0.25, 0.15, 0.05])
# Without the pad and the start id, which are never drawn.
ALLOWED = np.where(np.isin(np.arange(7), [0, 2]), 0, PROBABILITIES)


def frequencies(**options):
    sampler = Random(seed=1, num_return_sequences=DRAWS, **options)
    tokens = decode(sampler, TableDecoder(PROBABILITIES), make_memory([2]), 1)["token_ids"]
    return np.bincount(tokens.ravel(), minlength=7) / DRAWS


def assert_close(found, weights):
    expected = weights / weights.sum()
    deviation = np.sqrt(expected * (1 - expected) / DRAWS)
    assert (np.abs(found - expected) <= 4 * deviation).all(), (found, expected)


def test_frequencies_are_the_probabilities():
    assert_close(frequencies(), ALLOWED)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature(temperature):
    assert_close(frequencies(temperature=temperature), ALLOWED ** (1 / temperature))


def test_top_k():
    assert_close(frequencies(top_k=2), np.where(ALLOWED >= 0.25, ALLOWED, 0))
    assert_close(frequencies(top_k=100), ALLOWED)


@pytest.mark.parametrize(
    ["top_p", "least"],
    fewer_elsewhere([(0.2, 0.3), (0.3, 0.3), (0.5, 0.25), (0.8, 0.15), (0.99, 0.05)], 3),
)
def test_top_p(top_p, least):
    # Of 0.8 in all: 0.3 is 0.375, 0.25 more is 0.6875, 0.15 more is 0.875.
    assert_close(frequencies(top_p=top_p), np.where(ALLOWED >= least, ALLOWED, 0))


def test_top_p_is_of_what_top_k_leaves():
    # 0.3 is more than half of 0.3 + 0.25, but less than half of 0.8.
    assert_close(frequencies(top_k=2, top_p=0.5), np.where(ALLOWED >= 0.3, ALLOWED, 0))


def test_steps_are_independent():
    sampler = Random(seed=2, num_return_sequences=DRAWS)
    decoder = TableDecoder([0, 0, 0, 0, 0.5, 0.5])
    tokens = decode(sampler, decoder, make_memory([2]), 2)["token_ids"].reshape(-1, 2)
    pairs = np.bincount((tokens[:, 0] - 4) * 2 + tokens[:, 1] - 4, minlength=4) / DRAWS
    assert_close(pairs, np.ones(4))


def test_log_probs_are_the_model_s_and_the_best_comes_first():
    decoder, memory = FakeDecoder(9, seed=3, end_bias=1.0), make_memory([3, 1, 5])
    sampler = Random(temperature=3.0, top_k=6, top_p=0.9, seed=1, num_return_sequences=4)
    result = decode(sampler, decoder, memory, 6, return_attention=True)
    np.testing.assert_array_equal(result["scores"], result["log_probs"])
    assert (np.diff(result["scores"]) <= 0).all()
    for row in range(3):
        assert len({tuple(ids) for ids in result["token_ids"][row].tolist()}) > 1
        for k in range(4):
            tokens = as_list(result["token_ids"][row, k])
            log_prob, attention = replay(decoder, memory, row, tokens)
            np.testing.assert_allclose(result["log_probs"][row, k], log_prob, rtol=1e-4)
            found = result["attention"][row, k, : len(tokens), : attention.shape[1]]
            np.testing.assert_allclose(found, attention, atol=1e-5)


@pytest.mark.slow
def test_seed():
    decoder, memory = TableDecoder(np.ones(50) / 50), make_memory([2, 3])

    def draw(sampler):
        return decode(sampler, decoder, memory, 10)["token_ids"].tolist()

    seeded = Random(seed=7)
    assert draw(seeded) == draw(seeded) == draw(Random(seed=7))
    assert draw(seeded) != draw(Random(seed=8))
    free = Random()
    assert draw(free) != draw(free)
    assert len(free.variables) == 1 and not seeded.variables
    assert draw(seeded)[0] != draw(seeded)[1]


@pytest.mark.slow
def test_a_draw_is_of_seed_index_hypothesis_and_step():
    """Whatever else is in the batch, however many steps and hypotheses there are."""
    decoder = TableDecoder([0, 0, 0, 0, *[0.1] * 10])

    def draw(lengths, steps=9, n=1, **options):
        sampler = Random(seed=7, num_return_sequences=n)
        return decode(sampler, decoder, make_memory(lengths), steps, **options)["token_ids"]

    six = draw([3] * 6)[:, 0]
    assert len({tuple(ids) for ids in six.tolist()}) == 6
    indices = np.array([4, 0, 4], "int32")
    some = draw([2, 1, 5], steps=12, indices=indices)[:, 0]
    np.testing.assert_array_equal(some[:, :9], six[indices])
    # All are equally probable, so they stay in the order of the draws.
    three = draw([3] * 6, n=3)
    np.testing.assert_array_equal(three[:, 0], six)
    assert len({tuple(ids) for ids in three.reshape(-1, 9).tolist()}) == 18
    free = Random().next_seed()
    halves = [draw([3] * 2, indices=np.arange(i, i + 2), seed=free) for i in (0, 2)]
    np.testing.assert_array_equal(np.concatenate(halves), draw([3] * 4, seed=free))
    assert (halves[0][:, 0] != six[:2]).any()


@pytest.mark.every_backend
def test_same_numbers_on_every_backend():
    decoder = TableDecoder([0, 0, 0, 0, *[0.1] * 10])
    sampler = Random(seed=2**70, num_return_sequences=2)
    found = decode(sampler, decoder, make_memory([2, 2]), 6)["token_ids"]
    assert found.tolist() == [
        [[11, 9, 6, 6, 7, 9], [11, 7, 13, 10, 5, 7]],
        [[13, 11, 6, 5, 11, 12], [10, 8, 11, 6, 10, 7]],
    ]


def test_smallest_and_largest_uniform_numbers():
    weights = np.zeros((3, 1000), "float32")
    weights[:, [3, 500, 700]] = [0.3, 1e-6, 0.1]
    uniform = np.array([[0.0], [1 - 2**-24], [0.5]], "float32")
    drawn = _draw(ops.convert_to_tensor(weights), ops.convert_to_tensor(uniform))
    drawn = ops.convert_to_numpy(drawn)
    assert drawn[0, 0] == 3 and drawn[1, 0] in (3, 500, 700) and drawn[2, 0] == 3


@pytest.mark.parametrize(
    ["options", "name"],
    [
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"seed": "a"}, "seed"),
        ({"num_return_sequences": 0}, "num_return_sequences"),
    ],
)
def test_bad_options(options, name):
    with pytest.raises(ValueError, match=name):
        Random(**options)
