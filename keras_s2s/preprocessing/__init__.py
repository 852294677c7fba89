"""Text, images and sound to arrays and back.

Text in lists and the like needs no TensorFlow. Images, sound, `tf.data` and exported models do.
"""

from keras_s2s.preprocessing.audio_column import AudioColumn
from keras_s2s.preprocessing.audio_converter import AudioConverter
from keras_s2s.preprocessing.column import Column
from keras_s2s.preprocessing.image_column import ImageColumn
from keras_s2s.preprocessing.image_converter import ImageConverter
from keras_s2s.preprocessing.image_text_preprocessor import ImageTextPreprocessor
from keras_s2s.preprocessing.log_mel import LogMelSpectrogram
from keras_s2s.preprocessing.long_texts import CutWarning, SlotWarning
from keras_s2s.preprocessing.preprocessor import Preprocessor
from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.sentences import split_sentences
from keras_s2s.preprocessing.text import as_strings
from keras_s2s.preprocessing.text_column import TextColumn
from keras_s2s.preprocessing.text_pair_preprocessor import TextPairPreprocessor
from keras_s2s.preprocessing.tokenizer import Tokenizer
from keras_s2s.preprocessing.word_tokenizer import WordTokenizer

__all__ = [
    "AudioColumn",
    "AudioConverter",
    "Column",
    "CutWarning",
    "ImageColumn",
    "ImageConverter",
    "ImageTextPreprocessor",
    "LogMelSpectrogram",
    "Preprocessor",
    "SentencePieceTokenizer",
    "SlotWarning",
    "TextColumn",
    "TextPairPreprocessor",
    "Tokenizer",
    "WordTokenizer",
    "as_strings",
    "split_sentences",
]
