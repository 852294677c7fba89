"""Text and images to tensors and back.

Needs TensorFlow and TensorFlow Text only when used, not to import.
"""

from keras_s2s.preprocessing.image_converter import ImageConverter
from keras_s2s.preprocessing.image_text_preprocessor import ImageTextPreprocessor
from keras_s2s.preprocessing.long_texts import CutWarning
from keras_s2s.preprocessing.preprocessor import Preprocessor
from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.sentences import split_sentences
from keras_s2s.preprocessing.text import as_strings
from keras_s2s.preprocessing.text_pair_preprocessor import TextPairPreprocessor

__all__ = [
    "CutWarning",
    "ImageConverter",
    "ImageTextPreprocessor",
    "Preprocessor",
    "SentencePieceTokenizer",
    "TextPairPreprocessor",
    "as_strings",
    "split_sentences",
]
