"""Image models by their names: those of `keras.applications`, and EfficientNet-Lite."""

import difflib
import importlib

import keras

from keras_s2s.layers import _efficientnet_lite


def names():
    """The names of all image models."""
    return sorted([n for n in dir(keras.applications) if n[0].isupper()] + [*_LITE])


_LITE = _efficientnet_lite.SIZES


def check(name):
    if name not in names():
        near = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.4)
        raise ValueError(
            "`backbone` must be a `keras.Model` or the name of a model of `keras.applications`, or "
            f"one of {', '.join(_LITE)}. Received: {name!r}. "
            + (f"Did you mean {' or '.join(near)}?" if near else "")
        )


def make(name, weights, image_size, dtype_policy):
    """The model without its classifier, from scaled images to a grid of features."""
    if name in _LITE:
        return _make_lite(name, weights, image_size, dtype_policy)
    # The functions of `keras.applications` take no dtype.
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype_policy)
    try:
        return getattr(keras.applications, name)(
            include_top=False, weights=weights, input_shape=(*image_size, 3), name="backbone"
        )
    except ValueError:
        raise
    except Exception as error:  # Keras raises this class if it cannot download.
        if weights != "imagenet":
            raise
        raise OSError(
            f"Keras could not download the weights of {name}: {error}. Pass weights=<path of a "
            "file that you have>, or weights=None for random ones."
        ) from error
    finally:
        keras.config.set_dtype_policy(before)


def _make_lite(name, weights, image_size, dtype_policy):
    if weights == "imagenet":
        raise ValueError(
            f"Keras has no weights of {name} to download. Pass weights=<path of a file that you "
            "have>, or weights=None for random ones."
        )
    model = _efficientnet_lite.make(name, image_size, dtype_policy)
    if weights is not None:
        model.load_weights(weights)
    return model


def scaling(name):
    """Function from pixels in 0..255 to the values that the model was trained on."""
    if name in _LITE:
        return _efficientnet_lite.scale
    # The module that defines the model, since the public modules do not name all of theirs.
    module = getattr(keras.applications, name).__module__
    return importlib.import_module(module).preprocess_input
