import pytest

import check_decoding
import keras_s2s
from tests.layers.helpers import randomize

SOURCES = ["ein Hund bellt", "eine Katze", "", "guten Morgen", "ein"]


@pytest.fixture(scope="module")
def model(preset):
    # Large weights, so that hypotheses differ.
    return randomize(keras_s2s.zoo.load(preset), scale=1.5)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("num_beams", [1, 3])
def test_the_plain_search_finds_the_same(model, num_beams):
    assert len(set(model.generate(SOURCES))) > 2
    differ, largest = check_decoding.compare(model, SOURCES, num_beams, length_penalty=0.8)
    assert differ == [] and largest < 1e-3


@pytest.mark.slow
def test_differences_are_found(model, monkeypatch):
    monkeypatch.setattr(check_decoding, "plain_search", lambda *_: ([4, 3], 0.0))
    [(plain, found)], _ = check_decoding.compare(model, SOURCES[:1], 1, 0.0)
    assert plain == [4, 3] != found


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["translatoin"], "Did you mean"),
        (["translation_multi30k_de_en"], "There is no file .*relative to --data"),
    ],
)
def test_wrong_arguments(arguments, message, run_main, tmp_path):
    with pytest.raises(SystemExit, match=message):
        run_main(check_decoding, *arguments, "--data", tmp_path)
