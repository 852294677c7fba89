"""Scores of generated text: the standard libraries of the field behind one interface."""

from keras_s2s.evaluation.cider_reward import CiderReward as CiderReward
from keras_s2s.evaluation.meteor_reward import MeteorReward as MeteorReward
from keras_s2s.evaluation.rewards import REWARDS as REWARDS
from keras_s2s.evaluation.rewards import BleuReward as BleuReward
from keras_s2s.evaluation.rewards import ExactReward as ExactReward
from keras_s2s.evaluation.rewards import RougeReward as RougeReward
from keras_s2s.evaluation.rewards import WeightedReward as WeightedReward
from keras_s2s.evaluation.scores import METRICS as METRICS
from keras_s2s.evaluation.scores import Score as Score
from keras_s2s.evaluation.scores import require as require
from keras_s2s.evaluation.scores import score as score
from keras_s2s.evaluation.scores import tokenizer as tokenizer
from keras_s2s.evaluation.words import TOKENIZERS as TOKENIZERS
