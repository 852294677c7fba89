"""Imports of optional packages, with errors that say what to install."""

import contextlib
import importlib

import keras


def import_tensorflow():
    """Returns the `tensorflow` module, or raises an `ImportError` naming the pip command."""
    tensorflow = _import("tensorflow", "pip install tensorflow", "String tensors")
    if keras.backend.backend() != "tensorflow":
        # The other backend uses the GPU, and TensorFlow would take its memory.
        with contextlib.suppress(RuntimeError):  # TensorFlow has already taken it.
            tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow


def import_tensorflow_text():
    """Returns the `tensorflow_text` module, or raises an `ImportError` that says what to do."""
    tensorflow = import_tensorflow()
    return _import(
        "tensorflow_text",
        "pip install tensorflow-text",
        "A SavedModel that takes or gives text, which is what `export` writes,",
        " Its version must equal tensorflow's. Wheels exist for Linux on x86-64 and for "
        "macOS; elsewhere everything but `export` works without it: save the model with "
        "`save_to_preset`, and load and export it on one of these machines.",
        # A wheel for another version of TensorFlow raises NotFoundError.
        errors=(ImportError, tensorflow.errors.NotFoundError),
    )


def import_sentencepiece():
    """Returns the `sentencepiece` module, or raises an `ImportError` naming the pip command."""
    return _import("sentencepiece", "pip install sentencepiece", "Turning text into token ids")


def import_matplotlib():
    """Returns the `matplotlib` module, or raises an `ImportError` naming the pip command."""
    matplotlib = _import("matplotlib", 'pip install "keras-s2s[visualize]"', "Drawing")
    importlib.import_module("matplotlib.figure")
    return matplotlib


def import_tensorboard():
    """Returns the `tensorboard` module, or raises an `ImportError` naming the pip command."""
    return _import("tensorboard", 'pip install "keras-s2s[tensorboard]"', "Writing for TensorBoard")


def import_soundfile():
    """Returns the `soundfile` module, or raises an `ImportError` naming the pip command."""
    # Where libsndfile is missing, the module raises OSError.
    return _import(
        "soundfile",
        'pip install "keras-s2s[audio]"',
        "Reading sound that is not in a WAV file, such as FLAC or MP3,",
        errors=(ImportError, OSError),
    )


def import_babel():
    """Returns the `babel` module with its dates and numbers, or raises an `ImportError`."""
    babel = _import("babel", 'pip install "keras-s2s[train]"', "Substituting numbers")
    importlib.import_module("babel.dates")
    importlib.import_module("babel.numbers")
    return babel


def import_num2words():
    """Returns the function `num2words`, or raises an `ImportError` naming the pip command."""
    module = _import("num2words", 'pip install "keras-s2s[train]"', "Substituting numbers")
    return module.num2words


def import_metric(module):
    """Returns the module of a metric, or raises an `ImportError` naming the pip command."""
    return _import(module, 'pip install "keras-s2s[metrics]"', "This metric")


def _import(module, command, purpose, note="", errors=ImportError):
    try:
        return importlib.import_module(module)
    except errors as error:
        raise ImportError(
            f"{purpose} needs `{module}`, which cannot be imported ({error}). "
            f"Install it with: {command}.{note}"
        ) from error
