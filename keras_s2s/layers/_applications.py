"""The image models of `keras.applications` by their names."""

import difflib
import importlib

import keras


def names():
    """The names of the image models that Keras has."""
    return sorted(n for n in dir(keras.applications) if n[0].isupper())


def check(name):
    if name not in names():
        near = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.4)
        raise ValueError(
            "`backbone` must be a `keras.Model` or the name of a model of `keras.applications`. "
            f"Received: {name!r}. " + (f"Did you mean {' or '.join(near)}?" if near else "")
        )


def make(name, weights, image_size, dtype_policy):
    """The model without its classifier, from scaled images to a grid of features."""
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


def scaling(name):
    """Function from pixels in 0..255 to the values that the model was trained on."""
    # The module that defines the model, since the public modules do not name all of theirs.
    module = getattr(keras.applications, name).__module__
    return importlib.import_module(module).preprocess_input
