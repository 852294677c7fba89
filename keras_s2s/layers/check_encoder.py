"""For authors of encoders: checks what models rely on."""

import keras
import numpy as np
from keras import ops

from keras_s2s.layers._checking import LayerCheck, arrays, example, tensors
from keras_s2s.tokens import END


def check_encoder(layer, inputs=None, tolerance=1e-5):
    """Checks that an encoder does what models and decoders rely on.

    It checks a copy, made from the layer's config, with random weights:

    - `get_config` is complete, so that the copy has the same options,
    - the memory has values `(batch, source, dim)`, a bool mask and, if any, a state whose first
      axis is the batch, of the shapes that `compute_output_shape` gives,
    - an example alone gives the same result as in a batch, so that padding changes nothing,
    - `memory_length` and `is_empty` are right,
    - with the dtype policy `"mixed_bfloat16"` values come in bfloat16 and differ little.

    Args:
        layer: A `keras_s2s.layers.Encoder`; it is left as it is.
        inputs: What it reads, for encoders that read no token ids: an array of two or more
            examples of the same size, or a dict of such arrays.
        tolerance: Float, the largest difference between what should be equal.

    Raises:
        AssertionError: Says which of these does not hold.

    Example:
    ```python
    import keras_s2s

    keras_s2s.layers.check_encoder(keras_s2s.layers.RNNEncoder(4, vocabulary_size=9))
    ```
    """
    check = _Check(layer, inputs, tolerance)
    check.config()
    check.memory()
    check.shapes_agree()
    check.alone()
    check.length()
    check.empty()
    check.sixteen_bits()


class _Check(LayerCheck):
    def __init__(self, layer, inputs, tolerance):
        self.has_ids = inputs is None
        if inputs is None:
            inputs = _random_ids(layer)
        self.inputs = inputs
        shape = keras.tree.map_structure(lambda x: (None, *x.shape[1:]), inputs)
        super().__init__(layer, (shape,), tolerance)
        self.expected = self._memory(self.inputs)

    def _memory(self, inputs):
        return arrays(self.layer(tensors(inputs)))

    def memory(self):
        memory = self.expected
        names = sorted(memory) if isinstance(memory, dict) else type(memory).__name__
        self.say(
            {"values", "mask"} <= set(names), f"the memory is no dict of values and mask: {names}."
        )
        values, mask = memory["values"], memory["mask"]
        self.say(values.ndim == 3, f"values have the shape {values.shape}.")
        self.say(mask.dtype == bool, f"the mask has the dtype {mask.dtype}, not bool.")
        self.say(mask.shape == values.shape[:2], f"the mask has the shape {mask.shape}.")
        self.say(np.isfinite(values).all(), "values are not finite.")
        for x in keras.tree.flatten(memory.get("state", [])):
            self.say(x.shape[0] == len(values), f"the state has a part of the shape {x.shape}.")

    def shapes_agree(self):
        shape = keras.tree.map_structure(lambda x: tuple(x.shape), self.inputs)
        shapes = self.layer.compute_output_shape(shape)
        for name in self.expected:
            given = keras.tree.map_structure(lambda x: tuple(x.shape), self.expected[name])
            computed = shapes.get(name)
            message = f"`compute_output_shape` tells {computed} of {name!r}, which has {given}."
            self.say(computed == given, message)

    def alone(self):
        count = len(self.expected["values"])
        for i in range(count):
            one = example(self.inputs, i)
            if self.has_ids:
                one = keras.tree.map_structure(lambda x: x[:, : np.sum(x != 0)], one)
            memory = self._memory(one)
            [valid] = memory["mask"]
            message = "an example alone differs from one in a batch."
            in_batch = self.expected["mask"][i]
            self.say(valid.sum() == in_batch.sum(), message)
            self.equal(memory["values"][0][valid], self.expected["values"][i][in_batch], message)
            state = example(self.expected.get("state", []), i)
            self.equal(memory.get("state", []), state, f"the state of {message}")

    def length(self):
        computed = int(self.layer.memory_length(self.inputs))
        length = self.expected["mask"].shape[1]
        self.say(computed == length, f"`memory_length` tells {computed} of {length} positions.")

    def empty(self):
        if not self.has_ids:
            return
        ids = keras.tree.map_structure(_no_words, self.inputs)
        empty = self.layer.is_empty(tensors(ids), self.layer(tensors(ids)))
        self.say(ops.convert_to_numpy(empty).all(), "`is_empty` does not know an empty text.")
        some = self.layer.is_empty(tensors(self.inputs), tensors(self.expected))
        self.say(not ops.convert_to_numpy(some).any(), "`is_empty` takes a text for an empty one.")

    def sixteen_bits(self):
        layer = self.copy(dtype="mixed_bfloat16")
        memory = layer(tensors(self.inputs))
        dtype = keras.backend.standardize_dtype(memory["values"].dtype)
        self.say(dtype == "bfloat16", f"with mixed_bfloat16 values come in {dtype}.")
        values = ops.convert_to_numpy(ops.cast(memory["values"], "float32"))
        mask = self.expected["mask"]
        scale = max(1.0, np.abs(self.expected["values"]).max())
        np.testing.assert_allclose(
            values[mask],
            self.expected["values"][mask],
            atol=0.15 * scale,
            err_msg=f"{type(self.original).__name__}: in 16 bits the values are others.",
        )


def _random_ids(layer):
    """Ids of three texts of different lengths for each input, ended and padded."""
    rng = np.random.default_rng(0)
    inputs = {}
    for shift, (name, size) in enumerate(layer.vocabulary_sizes.items()):
        ids = rng.integers(4, size, (3, 5 + shift))
        for row, length in enumerate((5 + shift, 2, 3)):
            ids[row, length - 1] = END
            ids[row, length:] = 0
        inputs[name] = ids
    if not inputs:
        raise ValueError(
            f"The {type(layer).__name__} reads no token ids. Pass `inputs`, such as images."
        )
    return layer.select(inputs)


def _no_words(ids):
    ids = np.zeros_like(ids)
    ids[:, 0] = END
    return ids
