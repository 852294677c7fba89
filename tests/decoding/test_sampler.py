import keras
import pytest

from keras_s2s import decoding

SAMPLERS = [
    decoding.Greedy(min_length=2, banned_tokens=(1, 7), no_repeat_ngram_size=3),
    decoding.Beam(7, 0.9, 0.1, 3, min_length=2, banned_tokens=[1], no_repeat_ngram_size=3),
    decoding.Random(0.7, 20, 0.9, 5, 4, min_length=1, banned_tokens=[1], no_repeat_ngram_size=2),
    decoding.Random(),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_config(sampler):
    config = keras.saving.serialize_keras_object(sampler)
    assert config["registered_name"].startswith("keras_s2s>")
    copy = decoding.get(config)
    assert type(copy) is type(sampler)
    assert copy.get_config() == sampler.get_config()
    assert type(sampler).from_config(sampler.get_config()).get_config() == sampler.get_config()


def test_get():
    assert type(decoding.get("greedy")) is decoding.Greedy
    assert decoding.get("beam").num_beams == 5
    assert decoding.get("random").temperature == 1.0
    assert decoding.get(SAMPLERS[0]) is SAMPLERS[0]


@pytest.mark.parametrize("identifier", ["bean", None, 3, decoding.Beam])
def test_get_unknown(identifier):
    with pytest.raises(ValueError, match="Known names: beam, greedy, random"):
        decoding.get(identifier)
