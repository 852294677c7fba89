import pytest

import check_decoding
import keras_s2s
from tests.layers.helpers import randomize

SOURCES = ["ein Hund bellt", "eine Katze", "guten Morgen", "ein"]


@pytest.fixture(scope="module")
def model(preset):
    # Large weights, so that hypotheses differ.
    return randomize(keras_s2s.zoo.load(preset), scale=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("num_beams", [1, 3])
def test_the_plain_search_finds_the_same(model, num_beams):
    sampler = keras_s2s.decoding.Beam(num_beams, length_penalty=0.8)
    assert len(set(model.generate(SOURCES, sampler=sampler))) > 2
    assert check_decoding.differences(model, SOURCES, sampler) == []


def test_differences_are_found(model, monkeypatch):
    monkeypatch.setattr(check_decoding, "plain_search", lambda *_: [4, 3])
    found = check_decoding.differences(model, SOURCES[:1], model.sampler)
    [(source, plain, generated)] = found
    assert source == SOURCES[0] and plain != generated
