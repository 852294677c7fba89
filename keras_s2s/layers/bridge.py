import keras
from keras import ops

from keras_s2s._backend.shapes import size
from keras_s2s._backend.split import split
from keras_s2s._checks import check_choice
from keras_s2s.layers._parts import KeepsParts

BRIDGES = ("dense", "copy", "zero")


@keras.saving.register_keras_serializable("keras_s2s")
class Bridge(KeepsParts, keras.layers.Layer):
    """From an encoder's last state to a decoder's first.

    | `kind` | first state of the decoder |
    |---|---|
    | `"dense"` | `tanh(W x + b)` for each tensor of the state, x being all of the encoder's last state, or the mean of its valid positions where the encoder has no state |
    | `"copy"` | the encoder's last state; layers, sizes and cells must agree |
    | `"zero"` | zeros |

    Args:
        kind: One of `"dense"`, `"copy"`, `"zero"`.
        sizes: For each layer of the decoder the list of its state's sizes, such as
            `[[512, 512]]` for one LSTM.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        memory: What an encoder returned: `{"values", "mask"}` and perhaps `"state"`.

    Returns:
        List of lists of tensors `(batch, size)`, as `sizes`.

    Raises:
        ValueError: If `kind` is unknown, or `"copy"` meets a state that does not fit.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    bridge = keras_s2s.layers.Bridge("dense", sizes=[[4, 4]])
    memory = {
        "values": np.ones((2, 5, 6), "float32"),
        "mask": np.ones((2, 5), "bool"),
        "state": [[np.ones((2, 6), "float32")]],
    }
    [[h, c]] = bridge(memory)
    assert h.shape == (2, 4)
    ```
    """  # noqa: E501

    def __init__(self, kind, sizes, **kwargs):
        super().__init__(**kwargs)
        self.kind = check_choice("kind", kind, BRIDGES)
        # Tuples: Keras wraps lists, and JAX does not take a wrapped list for a structure.
        self.sizes = tuple(tuple(layer) for layer in sizes)
        self.projection = None
        if kind == "dense":
            # One matrix, and so one product, for all tensors of the state.
            self.projection = keras.layers.Dense(
                sum(sum(layer) for layer in sizes),
                activation="tanh",
                dtype=self.dtype_policy,
                name="projection",
            )

    def build(self, memory_shape):
        if self.kind == "dense" and not self.projection.built:
            dim = memory_shape["values"][-1]
            if "state" in memory_shape:
                dim = sum(shape[-1] for layer in memory_shape["state"] for shape in layer)
            self.projection.build((None, dim))
        elif self.kind == "copy":
            self._check_copy(memory_shape.get("state"))

    def _check_copy(self, state):
        given = None
        if state is not None:
            given = tuple(tuple(shape[-1] for shape in layer) for layer in state)
        if given != self.sizes:
            raise ValueError(
                'The bridge "copy" needs an encoder whose last state has the layers, cells and '
                f"sizes of the decoder: {self.sizes}. Received: {given}. Change `units`, `cell` or "
                "`num_layers` of either (a bidirectional encoder has twice its units), or use "
                'bridge="dense".'
            )

    def call(self, memory):
        if self.kind == "copy":
            return memory["state"]
        values = memory["values"]
        if self.kind == "zero":
            rows = size(values, 0)
            return [
                [ops.zeros((rows, units), dtype=values.dtype) for units in layer]
                for layer in self.sizes
            ]
        if "state" in memory:
            summary = ops.concatenate(keras.tree.flatten(memory["state"]), axis=-1)
        else:
            summary = masked_mean(values, memory["mask"])
        sizes = [units for layer in self.sizes for units in layer]
        parts = iter(split(self.projection(summary), sizes))
        return [[next(parts) for _ in layer] for layer in self.sizes]

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "sizes": self.sizes}


def masked_mean(values, mask):
    """Mean over the valid positions of `(batch, source, dim)`; zero where there is none."""
    weights = ops.expand_dims(ops.cast(mask, values.dtype), -1)
    return ops.sum(values * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)
