"""What holds for every encoder and decoder."""

import keras
import pytest

from keras_s2s import layers
from tests.word_layers import WordDecoder, WordEncoder

LAYERS = {
    "RNNEncoder": lambda: layers.RNNEncoder(4, vocabulary_size=9),
    "RNNDecoder": lambda: layers.RNNDecoder(9, 4),
    "WordEncoder": lambda: WordEncoder(4, 9),
    "WordDecoder": lambda: WordDecoder(9, 4),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.every_backend
def test_no_class_attribute_hides_a_layer(make):
    # PyTorch keeps the layers of a layer apart, and Python finds an attribute of the class first.
    layer = make()
    parts = {**vars(layer), **vars(layer).get("_modules", {})}
    names = [name for name, part in parts.items() if isinstance(part, keras.layers.Layer)]
    assert "embedding" in names
    assert [name for name in names if hasattr(type(layer), name)] == []
