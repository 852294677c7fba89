"""Trained models: list them, load them, read their cards, prove them intact."""

from keras_s2s.zoo.cards import card, write_card
from keras_s2s.zoo.loading import list_presets as list
from keras_s2s.zoo.loading import load, verify

__all__ = ["card", "list", "load", "verify", "write_card"]
