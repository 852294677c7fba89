"""Losses and metrics over tokens, an optimizer and a schedule."""

from keras_s2s.training.losses import RDrop as RDrop
from keras_s2s.training.losses import TokenCrossentropy as TokenCrossentropy
from keras_s2s.training.metrics import Perplexity as Perplexity
from keras_s2s.training.metrics import TokenAccuracy as TokenAccuracy
from keras_s2s.training.optimizers import Adam as Adam
from keras_s2s.training.schedules import InverseSquareRoot as InverseSquareRoot
