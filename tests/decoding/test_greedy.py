import numpy as np
import pytest

from keras_s2s.decoding import Greedy
from tests.decoding.fake import (
    COMPILED,
    END,
    PAD,
    START,
    FakeDecoder,
    TableDecoder,
    as_list,
    decode,
    example,
    make_memory,
    replay,
)
from tests.fewer import fewer_elsewhere

LENGTHS = [3, 1, 5, 2, 4]


@pytest.mark.every_backend
def test_takes_the_likeliest_token_of_every_step():
    decoder = FakeDecoder(9, seed=1, end_bias=1.0)
    memory = make_memory(LENGTHS)
    result = decode(Greedy(), decoder, memory, 8)
    for row in range(len(LENGTHS)):
        one = example(memory, row)
        h, tokens = one["state"][0], []
        while len(tokens) < 8 and END not in tokens:
            log_probs, h, _ = decoder.numpy_step(
                tokens[-1] if tokens else START, h, one["values"][0]
            )
            log_probs[[PAD, START]] = -np.inf
            tokens.append(int(np.argmax(log_probs)))
        assert as_list(result["token_ids"][row, 0]) == tokens
        assert result["lengths"][row, 0] == len(tokens)
    assert result["token_ids"].shape == (5, 1, 8)
    assert result["lengths"].min() < result["lengths"].max()


def test_log_probs_and_attention_are_those_of_the_hypothesis_alone():
    decoder = FakeDecoder(9, seed=1, end_bias=1.0)
    memory = make_memory(LENGTHS)
    result = decode(Greedy(), decoder, memory, 8, return_attention=True)
    for row, length in enumerate(LENGTHS):
        tokens = as_list(result["token_ids"][row, 0])
        log_prob, attention = replay(decoder, memory, row, tokens)
        found = result["attention"][row, 0]
        np.testing.assert_allclose(result["log_probs"][row, 0], log_prob, rtol=1e-4)
        np.testing.assert_allclose(found[: len(tokens), :length], attention, atol=1e-5)
        assert not found[len(tokens) :].any() and not found[:, length:].any()
    np.testing.assert_array_equal(result["scores"], result["log_probs"])


@pytest.mark.slow
def test_example_alone_is_the_same_as_in_a_batch():
    decoder = FakeDecoder(9, seed=1, end_bias=1.0)
    memory = make_memory(LENGTHS, pad_to=8)
    together = decode(Greedy(), decoder, memory, 9)
    for row in fewer_elsewhere(range(len(LENGTHS)), 4):
        alone = decode(Greedy(), decoder, example(memory, row), 9)
        assert alone["token_ids"][0].tolist() == together["token_ids"][row].tolist()
        np.testing.assert_allclose(alone["scores"][0], together["scores"][row], rtol=1e-5)


@pytest.mark.every_backend
def test_ties_go_to_the_lowest_id():
    decoder = TableDecoder([0.2, 0.1, 0.2, 0.1, 0.2, 0.2])
    assert decode(Greedy(), decoder, make_memory([2]), 3)["token_ids"].tolist() == [[[4, 4, 4]]]


def test_stops_when_every_example_is_done():
    decoder = FakeDecoder(9, seed=1, end_bias=5.0)
    result = decode(Greedy(), decoder, make_memory(LENGTHS), 2_000)
    assert result["lengths"].max() < 20
    assert COMPILED or decoder.python_steps == result["lengths"].max()
