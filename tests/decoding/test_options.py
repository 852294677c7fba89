"""What every sampler can be told: prefix, minimal length, bans, repeated n-grams."""

import numpy as np
import pytest

from keras_s2s.decoding import Beam, Greedy, Random
from tests.decoding.fake import (
    END,
    FakeDecoder,
    TableDecoder,
    as_list,
    decode,
    exhaustive,
    make_memory,
    replay,
)
from tests.fewer import chosen

LENGTHS = [3, 1, 5, 2]
MAKERS = {
    "greedy": Greedy,
    "beam": lambda **kwargs: Beam(4, num_return_sequences=2, **kwargs),
    "random": lambda **kwargs: Random(seed=1, num_return_sequences=3, **kwargs),
}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def hypotheses(result):
    return [as_list(ids) for ids in result["token_ids"].reshape(-1, result["token_ids"].shape[-1])]


@pytest.mark.slow
def test_forced_prefix(make):
    decoder, memory = FakeDecoder(9, seed=1, end_bias=1.0), make_memory(LENGTHS)
    prefix = np.array([[4, 5, 6], [7, 0, 8], [0, 0, 0], [8, 3, 0]])
    result = decode(make(banned_tokens=[5], min_length=2), decoder, memory, 7, prefix=prefix)
    free = decode(make(banned_tokens=[5], min_length=2), decoder, memory, 7)
    for row in range(4):
        for k, ids in enumerate(result["token_ids"][row]):
            if result["lengths"][row, k] == 0:  # the whole hypothesis is forced: there is but one
                assert row == 3 and k > 0
                continue
            forced = prefix[row, :2] if row == 3 else prefix[row]
            assert (ids[: len(forced)] == forced)[forced > 0].all()
            log_prob, _ = replay(decoder, memory, row, as_list(ids))
            np.testing.assert_allclose(result["log_probs"][row, k], log_prob, rtol=1e-4)
    assert as_list(result["token_ids"][3, 0]) == [8, END]
    assert all(5 not in as_list(ids) for ids in result["token_ids"][1:].reshape(-1, 7))
    np.testing.assert_array_equal(result["token_ids"][2], free["token_ids"][2])


def test_prefix_outside_the_vocabulary_is_unknown(make):
    prefix = np.array([[-1], [9], [500], [4]])
    decoder, memory = FakeDecoder(9, seed=1), make_memory(LENGTHS)
    result = decode(make(), decoder, memory, 4, prefix=prefix)
    assert (result["token_ids"][:3, :, 0] == 1).all()
    for row in range(3):
        log_prob, _ = replay(decoder, memory, row, as_list(result["token_ids"][row, 0]))
        np.testing.assert_allclose(result["log_probs"][row, 0], log_prob, rtol=1e-4)


def test_prefix_longer_than_the_hypothesis(make):
    prefix = np.full((4, 9), 4)
    result = decode(make(), FakeDecoder(), make_memory(LENGTHS), 3, prefix=prefix)
    assert (result["token_ids"][:, 0] == 4).all()


@pytest.mark.slow
def test_min_length(make):
    decoder, memory = FakeDecoder(9, seed=1, end_bias=4.0), make_memory(LENGTHS)
    assert decode(make(), decoder, memory, 8)["lengths"].min() < 5
    result = decode(make(min_length=4), decoder, memory, 8)
    assert result["lengths"].min() == 5  # four tokens, then the end id
    endless = decode(make(min_length=8), decoder, memory, 8)
    assert (endless["lengths"] == 8).all() and END not in endless["token_ids"]


@pytest.mark.slow
def test_banned_tokens(make):
    decoder, memory = FakeDecoder(9, seed=2), make_memory(LENGTHS)
    seen = set(sum(hypotheses(decode(make(), decoder, memory, 8)), []))
    assert {0, 2}.isdisjoint(seen)
    banned = sorted(seen - {END})[:3]
    result = decode(make(banned_tokens=banned), decoder, memory, 8)
    assert set(banned).isdisjoint(sum(hypotheses(result), []))
    for row in range(len(LENGTHS)):
        log_prob, _ = replay(decoder, memory, row, as_list(result["token_ids"][row, 0]))
        np.testing.assert_allclose(result["log_probs"][row, 0], log_prob, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("size", chosen([2, 1, 3], 2))
def test_no_repeat_ngram(make, size):
    def repeats(tokens):
        grams = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
        return len(grams) != len(set(grams))

    decoder, memory = FakeDecoder(16, seed=3, sharpness=4.0, end_bias=-9.0), make_memory(LENGTHS)
    assert any(map(repeats, hypotheses(decode(make(), decoder, memory, 12))))
    result = decode(make(no_repeat_ngram_size=size), decoder, memory, 12)
    assert not any(map(repeats, hypotheses(result)))
    assert (result["lengths"] == 12).any()


def test_no_repeat_ngram_bans_nothing_else():
    # Likeliest first: 4 4 4 4. Without repeated bigrams: 4 4, then 5, then 4, and 4 4 is taken.
    decoder = TableDecoder([0, 0, 0, 0.01, 0.5, 0.3, 0.19])
    result = decode(Greedy(no_repeat_ngram_size=2), decoder, make_memory([2]), 8)
    assert hypotheses(result) == [[4, 4, 5, 4, 6, 4, 3]]


def test_no_repeat_ngram_gives_way_where_nothing_is_left():
    decoder = TableDecoder([0, 0, 0, 0.1, 0.9])
    sampler = Greedy(no_repeat_ngram_size=1, min_length=4, banned_tokens=[1])
    assert hypotheses(decode(sampler, decoder, make_memory([2]), 6)) == [[4, 4, 4, 4, 3]]


@pytest.mark.slow
def test_ngram_longer_than_the_hypothesis(make):
    decoder, memory = FakeDecoder(9, seed=1), make_memory(LENGTHS)
    free = decode(make(), decoder, memory, 3)
    limited = decode(make(no_repeat_ngram_size=5), decoder, memory, 3)
    np.testing.assert_array_equal(free["token_ids"], limited["token_ids"])


def repeats_a_bigram(tokens):
    bigrams = list(zip(tokens, tokens[1:]))
    return len(bigrams) != len(set(bigrams))


OPTIONS = {
    "min_length": ({"min_length": 2}, {}, lambda tokens: END not in tokens[:2]),
    "banned_tokens": ({"banned_tokens": [4]}, {}, lambda tokens: 4 not in tokens),
    "no_repeat_ngram_size": (
        {"no_repeat_ngram_size": 2},
        {},
        lambda tokens: not repeats_a_bigram(tokens),
    ),
    "prefix": ({}, {"prefix": [[5, 0, 1]]}, lambda t: t[0] == 5 and (len(t) < 3 or t[2] == 1)),
    "limits": ({}, {"limits": [3]}, lambda tokens: len(tokens) <= 3 and tokens[-1] == END),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_wide_beam_is_exhaustive_search_among_what_is_allowed(name):
    options, arguments, allowed = OPTIONS[name]
    decoder, memory = FakeDecoder(seed=1), make_memory([3])
    every = exhaustive(decoder, memory, 0, 4)
    expected = [x for x in every if allowed(x[2])]
    assert expected[:8] != every[:8]
    arguments = {key: np.array(value, "int32") for key, value in arguments.items()}
    sampler = Beam(120, 0.0, num_return_sequences=8, **options)
    result = decode(sampler, decoder, memory, 4, **arguments)
    assert [as_list(ids) for ids in result["token_ids"][0]] == [x[2] for x in expected[:8]]
    np.testing.assert_allclose(result["scores"][0], [x[0] for x in expected[:8]], rtol=1e-4)


@pytest.mark.slow
def test_prefix_is_let_through_at_the_limit(make):
    prefix = np.array([[4, 5, 4, 5]] * 4)
    limits = np.array([2, 3, 4, 9])
    result = decode(make(), FakeDecoder(), make_memory(LENGTHS), 6, prefix=prefix, limits=limits)
    best = [as_list(ids) for ids in result["token_ids"][:, 0]]
    assert all(tokens[:4] == [4, 5, 4, 5] for tokens in best)
    assert [tokens[4:] for tokens in best[:3]] == [[END]] * 3


def test_empty_batch(make):
    memory = {key: value[:0] for key, value in make_memory([2]).items()}
    sampler = make(no_repeat_ngram_size=2)
    result = decode(sampler, FakeDecoder(), memory, 3, return_attention=True)
    n = result["scores"].shape[1]
    assert result["token_ids"].shape == (0, n, 3)
    assert result["attention"].shape == (0, n, 3, 2)


@pytest.mark.parametrize(
    ["options", "name"],
    [
        ({"min_length": -1}, "min_length"),
        ({"no_repeat_ngram_size": 1.5}, "no_repeat_ngram_size"),
        ({"banned_tokens": [5, -1]}, r"`banned_tokens\[1\]` must be an int, at least 0"),
        ({"banned_tokens": ["the"]}, "banned_tokens"),
        ({"banned_tokens": 3}, "`banned_tokens` must be a list of token ids. Received: 3"),
    ],
)
def test_bad_options(make, options, name):
    with pytest.raises((ValueError, TypeError), match=name):
        make(**options)


def test_options_the_vocabulary_does_not_allow():
    with pytest.raises(ValueError, match="`banned_tokens` holds the id 6"):
        decode(Greedy(banned_tokens=[6]), FakeDecoder(6), make_memory([2]), 3)
    with pytest.raises(ValueError, match="Nothing could be produced"):
        decode(Greedy(banned_tokens=[1, 4, 5], min_length=1), FakeDecoder(6), make_memory([2]), 3)


@pytest.mark.parametrize("prefix", [[4, 5], [[0.5]]])
def test_bad_prefix(make, prefix):
    with pytest.raises(ValueError, match="`prefix` must be"):
        decode(make(), FakeDecoder(), make_memory([2]), 3, prefix=prefix)


@pytest.mark.parametrize("max_length", [0, -1, 2.5, None, "9"])
def test_bad_max_length(make, max_length):
    with pytest.raises(ValueError, match="max_length"):
        decode(make(), FakeDecoder(), make_memory([2]), max_length)
