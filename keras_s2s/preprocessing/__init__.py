"""Text to tensors and back. Needs TensorFlow and TensorFlow Text only when used, not to import."""

from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.text import as_strings
from keras_s2s.preprocessing.text_pair_preprocessor import TextPairPreprocessor

__all__ = ["SentencePieceTokenizer", "TextPairPreprocessor", "as_strings"]
