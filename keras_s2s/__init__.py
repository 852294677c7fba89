"""Sequence-to-sequence layers and trained models for Keras."""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec

from keras_s2s._version import __version__ as __version__

for _room in ("layers", "decoding", "preprocessing", "models", "data", "training", "zoo"):
    if _find_spec(f"keras_s2s.{_room}"):
        _import_module(f"keras_s2s.{_room}")
