"""Common parts of the checks of encoders, attentions and decoders."""

import copy

import keras
import numpy as np
from keras import ops

from keras_s2s.layers._parts import replace_dtype


class LayerCheck:
    """A copy of a layer with random weights, and the means to compare its results.

    Args:
        layer: The layer to check; it is left as it is.
        shapes: The arguments of its `build`.
        tolerance: Float, the largest difference between what should be equal.
    """

    def __init__(self, layer, shapes, tolerance):
        self.original, self.shapes, self.tolerance = layer, shapes, tolerance
        self.rng = np.random.default_rng(0)
        self.layer = self.copy()

    def copy(self, dtype=None):
        """A layer of the same config, with random weights that are always the same."""
        config = copy.deepcopy(self.original.get_config())
        if dtype is not None:
            replace_dtype(config, keras.dtype_policies.get(dtype))
        layer = type(self.original).from_config(config)
        if not layer.built:
            layer.build(*self.shapes)
        rng = np.random.default_rng(1)
        for variable in layer.trainable_variables:
            variable.assign(rng.normal(scale=0.5, size=variable.shape))
        return layer

    def random(self, *shape):
        return self.rng.normal(size=shape).astype("float32")

    def equal(self, results, expected, message):
        for a, b in zip(keras.tree.flatten(results), keras.tree.flatten(expected)):
            np.testing.assert_allclose(
                a, b, atol=self.tolerance, err_msg=f"{type(self.original).__name__}: {message}"
            )

    def say(self, holds, message):
        if not holds:
            raise AssertionError(f"{type(self.original).__name__}: {message}")

    def config(self):
        ours, copied = _options(self.original), _options(self.layer)
        different = sorted(n for n in ours if n in copied and ours[n] != copied[n])
        self.say(not different, f"`get_config` does not tell {', '.join(different)}.")


def _options(layer):
    """The public attributes set by an author's `__init__` that are numbers or strings."""
    kinds = (bool, int, float, str, type(None))
    others = {"built", "name", "trainable"}
    return {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, kinds) and not name.startswith("_") and name not in others
    }


def example(structure, index):
    """One example, as a batch of one."""
    return keras.tree.map_structure(lambda x: x[index : index + 1], structure)


def tensors(structure):
    """Arrays as tensors of the backend."""
    return keras.tree.map_structure(ops.convert_to_tensor, structure)


def arrays(structure):
    """Tensors as arrays."""
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


def described(structure):
    """Dtypes and shapes, as strings."""
    return keras.tree.map_structure(
        lambda x: f"{keras.backend.standardize_dtype(x.dtype)}{tuple(x.shape)}", structure
    )
