"""Sequence-to-sequence models: preprocessing, encoder and decoder."""

from keras_s2s.models.alignment import Alignment as Alignment
from keras_s2s.models.ensemble import ensemble as ensemble
from keras_s2s.models.image_captioner import ImageCaptioner as ImageCaptioner
from keras_s2s.models.seq2seq import Seq2Seq as Seq2Seq
from keras_s2s.models.speech_recognizer import SpeechRecognizer as SpeechRecognizer
from keras_s2s.models.summarizer import Summarizer as Summarizer
from keras_s2s.models.translator import Translator as Translator
