import pytest

# Everything here works on strings in TensorFlow ops.
pytest.importorskip("tensorflow_text")

from keras_s2s.preprocessing import SentencePieceTokenizer  # noqa: E402
from tests.preprocessing.sentences import make_sentences  # noqa: E402


@pytest.fixture(scope="session")
def sentences():
    return make_sentences(300)


@pytest.fixture(scope="session")
def tokenizer(sentences):
    return SentencePieceTokenizer.train(sentences, vocabulary_size=120)


@pytest.fixture(scope="session")
def sampling_tokenizer(tokenizer):
    return SentencePieceTokenizer(tokenizer.proto, sample_alpha=0.2)


@pytest.fixture(scope="session")
def reference(tokenizer):
    """The package of the authors of SentencePiece: an independent way through the same model."""
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_proto=tokenizer.proto)
