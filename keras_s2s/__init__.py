"""Sequence-to-sequence layers and trained models for Keras."""

from importlib import import_module as _import_module

from keras_s2s._version import __version__ as __version__

# Stands in for plain imports until every room is there.
for _room in ("layers", "decoding", "preprocessing", "models", "data", "training", "zoo"):
    try:
        _import_module(f"keras_s2s.{_room}")
    except Exception as _error:
        print("keras_s2s:", _room, "not importable yet:", repr(_error)[:200])
