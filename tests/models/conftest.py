import keras
import pytest

import keras_s2s
from keras_s2s.layers import RNNDecoder, RNNEncoder
from tests.layers.helpers import randomize
from tests.word_layers import WordDecoder, WordEncoder

SOURCES = ["ein Hund bellt", "eine Katze", "guten Morgen", "der Hund sieht die Katze", "Hund"]
TARGETS = ["a dog barks", "a cat", "good morning", "the dog sees the cat", "dog"]


@pytest.fixture(scope="session")
def tokenizers():
    """A source and a target tokenizer, of unequal sizes."""
    pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")
    train = keras_s2s.preprocessing.SentencePieceTokenizer.train
    return train(SOURCES, vocabulary_size=26), train(TARGETS, vocabulary_size=21)


@pytest.fixture(scope="session")
def shared_tokenizer(tokenizers):
    return type(tokenizers[0]).train(SOURCES + TARGETS, vocabulary_size=32)


@pytest.fixture(scope="session")
def make_translator(tokenizers, shared_tokenizer):
    """Function that makes a translator with random weights."""

    def make(share=False, dtype=None, target_length=8, simple=False, cell="rnn", **kwargs):
        source, target = (shared_tokenizer, None) if share else tokenizers
        preprocessor = keras_s2s.preprocessing.TextPairPreprocessor(
            source, target, target_length=target_length
        )
        size = (target or source).vocabulary_size
        if simple:  # for what does not depend on the layers
            encoder = WordEncoder(6, source.vocabulary_size, dtype=dtype)
            decoder = WordDecoder(size, 6, dtype=dtype)
        else:
            options = {"embedding_dim": 5, "dtype": dtype}
            encoder = RNNEncoder(6, cell, vocabulary_size=source.vocabulary_size, **options)
            decoder = RNNDecoder(size, 6, cell=cell, **options)
        model = keras_s2s.models.Translator(
            encoder, decoder, preprocessor, share_embedding=share, **kwargs
        )
        return randomize(model, scale=1.5, seed=1)

    return make


@pytest.fixture(scope="session")
def translator(make_translator):
    """One for all tests that leave it as it is."""
    keras.utils.set_random_seed(1)
    return make_translator()
