"""Scores of generated text: the standard libraries of the field behind one interface."""

from keras_s2s.evaluation.cider_reward import CiderReward as CiderReward
from keras_s2s.evaluation.scores import METRICS as METRICS
from keras_s2s.evaluation.scores import Score as Score
from keras_s2s.evaluation.scores import require as require
from keras_s2s.evaluation.scores import score as score
from keras_s2s.evaluation.scores import tokenizer as tokenizer
from keras_s2s.evaluation.words import TOKENIZERS as TOKENIZERS
