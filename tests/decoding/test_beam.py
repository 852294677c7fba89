import itertools

import keras
import numpy as np
import pytest

from keras_s2s.decoding import Beam, Greedy, Spellings
from tests.decoding.fake import (
    COMPILED,
    FakeDecoder,
    TableDecoder,
    as_list,
    best_of_each,
    decode,
    example,
    exhaustive,
    make_memory,
    reference_beam,
    replay,
    score,
)
from tests.fewer import fewer_elsewhere

LENGTHS = [3, 1, 5, 2, 4]
# Unknown pieces spell nothing, and blanks at the start are dropped.
TEXTS = [b"", b"", b"", b"", b"a", b" a", b"aa", b"b", b" "]
PENALTIES = [(0.0, 0.0), (0.6, 0.0), (1.0, 0.3)]


@pytest.mark.parametrize(["alpha", "beta"], fewer_elsewhere(PENALTIES, 2))
def test_wide_beam_is_exhaustive_search(alpha, beta):
    decoder, memory, n = FakeDecoder(seed=1), make_memory(LENGTHS), 10
    sampler = Beam(120, alpha, beta, num_return_sequences=n)
    result = decode(sampler, decoder, memory, 4)
    for row in range(len(LENGTHS)):
        expected = exhaustive(decoder, memory, row, 4, alpha, beta)[:n]
        assert [as_list(ids) for ids in result["token_ids"][row]] == [x[2] for x in expected]
        np.testing.assert_allclose(result["scores"][row], [x[0] for x in expected], rtol=1e-4)
        np.testing.assert_allclose(result["log_probs"][row], [x[1] for x in expected], rtol=1e-4)
        assert result["lengths"][row].tolist() == [len(x[2]) for x in expected]


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["penalties", "sizes"],
    fewer_elsewhere(itertools.product(PENALTIES, [(1, 1), (2, 1), (3, 3), (5, 2)]), 5),
)
def test_narrow_beam_is_the_reference(penalties, sizes):
    (alpha, beta), (beams, n) = penalties, sizes
    decoder = FakeDecoder(9, seed=2, end_bias=1.0)
    memory = make_memory(LENGTHS, seed=3)
    result = decode(Beam(beams, alpha, beta, n), decoder, memory, 7)
    steps = []
    for row in range(len(LENGTHS)):
        expected, count = reference_beam(decoder, memory, row, 7, beams, n, alpha, beta)
        steps.append(count)
        assert [as_list(ids) for ids in result["token_ids"][row]] == [x[2] for x in expected]
        np.testing.assert_allclose(result["scores"][row], [x[0] for x in expected], rtol=1e-4)
        # Stopping must not change what is found.
        patient, _ = reference_beam(decoder, memory, row, 7, beams, n, alpha, beta, stop=False)
        assert patient == expected
    assert COMPILED or decoder.python_steps == max(steps)


def spell(tokens):
    return b"".join(TEXTS[i] for i in tokens).lstrip(b" ")


@pytest.mark.slow
@pytest.mark.parametrize(["alpha", "beta"], fewer_elsewhere(PENALTIES[1:], 2))
def test_wide_beam_has_the_best_texts_of_all(alpha, beta):
    decoder, memory, n = FakeDecoder(seed=1), make_memory(LENGTHS), 40
    sampler = Beam(120, alpha, beta, num_return_sequences=n)
    spellings = Spellings(TEXTS[:6], 6)
    result = decode(sampler, decoder, memory, 4, return_attention=True, spellings=spellings)
    for row in range(len(LENGTHS)):
        expected = best_of_each(exhaustive(decoder, memory, row, 4, alpha, beta), spell)
        count = len(expected)
        assert 10 < count < n
        found = [as_list(ids) for ids in result["token_ids"][row]]
        assert found == [x[2] for x in expected] + [[]] * (n - count)
        np.testing.assert_allclose(result["scores"][row, :count], [x[0] for x in expected], 1e-4)
        assert (result["scores"][row, count:] == -np.inf).all()
        assert (result["log_probs"][row, count:] == -np.inf).all()
        assert not result["attention"][row, count:].any()
        _, attention = replay(decoder, memory, row, expected[1][2])
        found = result["attention"][row, 1, : len(attention), : attention.shape[1]]
        np.testing.assert_allclose(found, attention, atol=1e-5)


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize(
    ["penalties", "sizes"], fewer_elsewhere(zip(PENALTIES, [(3, 3), (5, 2), (6, 6)]), 2, first=1)
)
def test_narrow_beam_goes_on_until_it_has_as_many_texts(penalties, sizes):
    (alpha, beta), (beams, n) = penalties, sizes
    decoder = FakeDecoder(9, seed=2, end_bias=1.0)
    memory = make_memory(LENGTHS, seed=3)
    sampler, spellings = Beam(beams, alpha, beta, n), Spellings(TEXTS, 9)
    result = decode(sampler, decoder, memory, 7, spellings=spellings)
    by_ids = decode(sampler, decoder, memory, 7)
    for row in range(len(LENGTHS)):
        arguments = decoder, memory, row, 7, beams, n, alpha, beta
        expected, _ = reference_beam(*arguments, spell=spell)
        assert [as_list(ids) for ids in result["token_ids"][row]] == [x[2] for x in expected]
        np.testing.assert_allclose(result["scores"][row], [x[0] for x in expected], rtol=1e-4)
        assert reference_beam(*arguments, stop=False, spell=spell)[0] == expected
    assert (result["token_ids"] != by_ids["token_ids"]).any()
    np.testing.assert_array_equal(result["token_ids"][:, 0], by_ids["token_ids"][:, 0])


@pytest.mark.slow
def test_spellings_change_nothing_for_one_hypothesis():
    decoder, memory = FakeDecoder(9, seed=2, end_bias=1.0), make_memory(LENGTHS)
    one, other = (
        decode(Beam(4), decoder, memory, 7, spellings=spellings)
        for spellings in (None, Spellings([b"a"] * 9, 9))
    )
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])


@pytest.mark.slow
def test_wider_is_not_worse_than_any_narrower_when_it_sees_everything():
    decoder, memory = FakeDecoder(seed=5), make_memory(LENGTHS)
    best = decode(Beam(120, 0.0), decoder, memory, 4)["scores"]
    narrower = [decode(Beam(k, 0.0), decoder, memory, 4)["scores"] for k in (1, 2, 3, 8)]
    assert all((best >= s - 1e-5).all() for s in narrower)
    assert any((best > s + 1e-3).any() for s in narrower)


def test_one_beam_is_greedy():
    decoder = FakeDecoder(9, seed=4, end_bias=1.0)
    memory = make_memory(LENGTHS * 4)
    greedy = decode(Greedy(), decoder, memory, 8, return_attention=True)
    beam = decode(Beam(1, 0.0), decoder, memory, 8, return_attention=True)
    assert (greedy["lengths"] < 8).any()
    for key in greedy:
        np.testing.assert_allclose(beam[key], greedy[key], rtol=1e-5, atol=1e-6, err_msg=key)


def test_scores_and_attention_are_those_of_the_hypothesis_alone():
    decoder = FakeDecoder(9, seed=6, end_bias=0.5)
    memory = make_memory(LENGTHS)
    sampler = Beam(4, 0.7, 0.2, num_return_sequences=3)
    result = decode(sampler, decoder, memory, 8, return_attention=True)
    assert len(set(result["lengths"].ravel().tolist())) > 1
    for row, length in enumerate(LENGTHS):
        assert (np.diff(result["scores"][row]) <= 0).all()
        for k in range(3):
            tokens = as_list(result["token_ids"][row, k])
            log_prob, attention = replay(decoder, memory, row, tokens)
            found = result["attention"][row, k]
            np.testing.assert_allclose(result["log_probs"][row, k], log_prob, rtol=1e-4)
            np.testing.assert_allclose(
                result["scores"][row, k], score(log_prob, attention, 0.7, 0.2), rtol=1e-4
            )
            np.testing.assert_allclose(found[: len(tokens), :length], attention, atol=1e-5)
            assert not found[len(tokens) :].any() and not found[:, length:].any()


@pytest.mark.slow
def test_example_alone_is_the_same_as_in_a_batch():
    decoder = FakeDecoder(9, seed=7, end_bias=1.5)
    memory = make_memory(LENGTHS, pad_to=8)
    sampler = Beam(3, 1.0, 0.3, num_return_sequences=2)
    together = decode(sampler, decoder, memory, 9, return_attention=True)
    for row, length in fewer_elsewhere(enumerate(LENGTHS), 4):
        alone = decode(sampler, decoder, example(memory, row), 9, return_attention=True)
        assert alone["token_ids"][0].tolist() == together["token_ids"][row].tolist()
        np.testing.assert_allclose(alone["scores"][0], together["scores"][row], rtol=1e-5)
        np.testing.assert_allclose(
            alone["attention"][0], together["attention"][row, ..., :length], atol=1e-5
        )


@pytest.mark.every_backend
def test_finished_hypotheses_are_frozen():
    # The end is likeliest at once; what goes on is worth less with every step, for ever.
    decoder = TableDecoder([0, 0, 0, 0.6, 0.3, 0.1])
    short, long = (
        decode(Beam(3, 0.0, num_return_sequences=3), decoder, make_memory([2]), length)
        for length in (4, 30)
    )
    assert [as_list(ids) for ids in long["token_ids"][0]] == [[3], [4, 3], [5, 3]]
    np.testing.assert_allclose(long["log_probs"][0], np.log([0.6, 0.18, 0.06]), rtol=1e-5)
    np.testing.assert_array_equal(short["scores"], long["scores"])


def test_stops_as_soon_as_nothing_can_win():
    decoder = FakeDecoder(9, seed=8, end_bias=20.0)
    result = decode(Beam(4), decoder, make_memory(LENGTHS), 2_000)
    assert result["token_ids"].shape == (5, 1, 2_000)
    assert result["lengths"].max() < 10
    assert COMPILED or decoder.python_steps < 30


def test_memory_is_not_copied_for_the_beams():
    decoder = FakeDecoder(9)
    decode(Beam(4), decoder, make_memory(LENGTHS), 3)
    assert set(decoder.memories) == {(len(LENGTHS), 4 * len(LENGTHS))}


@pytest.mark.slow
def test_length_penalty_favours_longer():
    # Ending at once is likelier than going on to the limit, but not per token.
    decoder = TableDecoder([0, 0, 0, 0.2, 0.8, 0])
    lengths = [
        decode(Beam(4, alpha), decoder, make_memory([2]), 12)["lengths"][0, 0]
        for alpha in (0.0, 1.5)
    ]
    assert lengths == [1, 12]


def test_unfinished_hypotheses_take_part():
    decoder = TableDecoder([0, 0, 0, 0.1, 0.9, 0])
    result = decode(Beam(2, 0.0, num_return_sequences=2), decoder, make_memory([2]), 3)
    assert [as_list(ids) for ids in result["token_ids"][0]] == [[4, 4, 4], [3]]
    np.testing.assert_allclose(result["scores"][0], np.log([0.9**3, 0.1]), rtol=1e-5)


@pytest.mark.every_backend
def test_ties_go_to_the_lowest_id():
    decoder = TableDecoder([0, 0.25, 0, 0.25, 0.25, 0.25])
    result = decode(Beam(4, 0.0, num_return_sequences=4), decoder, make_memory([2]), 1)
    assert result["token_ids"][0, :, 0].tolist() == [3, 1, 4, 5]  # finished first


def test_fewer_hypotheses_than_asked_for():
    result = decode(
        Beam(6, num_return_sequences=6),
        FakeDecoder(),
        make_memory([2, 3]),
        1,
        return_attention=True,
    )
    assert result["lengths"].tolist() == [[1, 1, 1, 1, 0, 0]] * 2
    assert np.isfinite(result["scores"][:, :4]).all()
    assert (result["scores"][:, 4:] == -np.inf).all()
    assert (result["log_probs"][:, 4:] == -np.inf).all()
    assert not result["attention"][:, 4:].any()


@pytest.mark.slow
@pytest.mark.every_backend
def test_low_precision_scores_in_float32():
    exact = decode(Beam(3), FakeDecoder(9, seed=9, end_bias=1.0), make_memory(LENGTHS), 8)
    decoder = FakeDecoder(9, seed=9, end_bias=1.0, dtype="bfloat16")
    memory = make_memory(LENGTHS)
    memory["state"] = keras.ops.cast(memory["state"], "bfloat16")
    rounded = decode(Beam(3), decoder, memory, 8)
    assert rounded["scores"].dtype == rounded["log_probs"].dtype == "float32"
    np.testing.assert_allclose(rounded["scores"], exact["scores"], rtol=0.1)
    # A bfloat16 sum would be a multiple of 2^-7 here.
    assert (rounded["log_probs"] * 128 % 1 != 0).any()


@pytest.mark.parametrize(
    ["options", "name"],
    [
        ({"num_beams": 0}, "num_beams"),
        ({"num_beams": 2.0}, "num_beams"),
        ({"num_return_sequences": 0}, "num_return_sequences"),
        ({"num_beams": 2, "num_return_sequences": 3}, "must not exceed `num_beams`"),
        ({"length_penalty": -0.1}, "length_penalty"),
        ({"coverage_penalty": float("nan")}, "coverage_penalty"),
    ],
)
def test_bad_options(options, name):
    with pytest.raises(ValueError, match=name):
        Beam(**options)
