"""Trained models: list them, load them, read their cards, prove them intact."""

from keras_s2s.zoo.cards import card as card
from keras_s2s.zoo.cards import write_card as write_card
from keras_s2s.zoo.loading import list_presets as list
from keras_s2s.zoo.loading import load as load
from keras_s2s.zoo.loading import verify as verify
