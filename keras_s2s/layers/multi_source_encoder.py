import keras
from keras import ops

from keras_s2s.layers.encoder import Encoder


@keras.saving.register_keras_serializable("keras_s2s")
class MultiSourceEncoder(Encoder):
    """Several encoders, whose memories are concatenated to one memory.

    A decoder attends to all of them at once, so one softmax weighs the positions of every input.

    Args:
        encoders: Dict from the name of an input to the `keras_s2s.layers.Encoder` that reads it.
            All give values of one size.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        inputs: Dict of the features by these names.
        training: Whether to apply dropout.

    Returns:
        The memory, a dict of
        `"values"`: `(batch, positions, dim)`, the positions of the first input first,
        `"mask"`: `(batch, positions)` bool,
        `"state"`: the layers' states of all encoders in one list, where each encoder has a state.

    Raises:
        ValueError: If there is no encoder, one of them reads several inputs itself, or their
            values differ in size.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.MultiSourceEncoder(
        {
            "question_token_ids": keras_s2s.layers.RNNEncoder(8, vocabulary_size=50),
            "context_token_ids": keras_s2s.layers.RNNEncoder(8, vocabulary_size=90),
        }
    )
    questions, contexts = np.array([[5, 6, 3]]), np.array([[7, 8, 9, 10, 3]])
    memory = encoder({"question_token_ids": questions, "context_token_ids": contexts})
    assert memory["values"].shape == (1, 3 + 5, 16)
    ```

    References:
        Zoph and Knight, 2016, https://arxiv.org/abs/1601.00710 (several sources);
        Libovický and Helcl, 2017, https://arxiv.org/abs/1704.06567, section 3.1 (flat attention).
    """

    def __init__(self, encoders, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(encoders, dict) or not encoders:
            raise ValueError(
                "`encoders` must be a dict from the names of inputs to encoders. Received: "
                f"{encoders!r}"
            )
        # Kept in this order, since Keras and JAX sort dicts.
        self.input_names = tuple(encoders)
        self.encoders = []
        for name, encoder in encoders.items():
            if isinstance(encoder, dict):
                encoder = keras.saving.deserialize_keras_object(encoder)
            if not isinstance(encoder, Encoder) or len(encoder.input_names) != 1:
                raise ValueError(
                    f"`encoders[{name!r}]` must be a keras_s2s.layers.Encoder of one input. "
                    f"Received: {encoder!r}"
                )
            self.encoders.append(encoder)

    @property
    def _by_name(self):
        return dict(zip(self.input_names, self.encoders))

    @property
    def vocabulary_sizes(self):
        return {
            name: encoder.vocabulary_size
            for name, encoder in self._by_name.items()
            if encoder.vocabulary_size is not None
        }

    def select(self, features):
        selected = super().select(features)
        return selected if len(self.input_names) > 1 else {self.input_names[0]: selected}

    def input_spec_for_serving(self):
        specs = {}
        for name, encoder in self._by_name.items():
            spec = encoder.input_spec_for_serving()
            if spec is None:
                return None
            [specs[name]] = spec.values()
        return specs

    def check_features(self, inputs):
        for name, encoder in self._by_name.items():
            encoder.check_features(inputs[name])

    def build(self, inputs_shape):
        for name, encoder in self._by_name.items():
            if not encoder.built:
                encoder.build(inputs_shape[name])
        sizes = {
            name: encoder.compute_output_shape(inputs_shape[name])["values"][-1]
            for name, encoder in self._by_name.items()
        }
        if len(set(sizes.values())) > 1:
            raise ValueError(
                f"The encoders give values of different sizes: {sizes}. Change their `units` (a "
                "bidirectional encoder gives twice its units)."
            )

    def call(self, inputs, training=False):
        memories = [
            encoder(inputs[name], training=training) for name, encoder in self._by_name.items()
        ]
        memory = {
            name: ops.concatenate([memory[name] for memory in memories], axis=1)
            for name in ("values", "mask")
        }
        if all("state" in memory for memory in memories):
            memory["state"] = [layer for memory in memories for layer in memory["state"]]
        return memory

    def is_empty(self, inputs, memory):
        empty = None
        for name, part in self._split(memory["mask"], inputs).items():
            one = self._by_name[name].is_empty(inputs[name], {"mask": part})
            empty = one if empty is None else ops.logical_and(empty, one)
        return empty

    def memory_length(self, inputs):
        return sum(encoder.memory_length(inputs[name]) for name, encoder in self._by_name.items())

    def split_attention(self, weights, inputs):
        split = {}
        for name, part in self._split(weights, inputs).items():
            [split[name]] = self._by_name[name].split_attention(part, inputs[name]).values()
        return split

    def _split(self, positions, inputs):
        """Splits a tensor `(..., positions)` over the memory into a dict of parts by input."""
        parts, start = {}, 0
        for name, encoder in self._by_name.items():
            end = start + encoder.memory_length(inputs[name])
            parts[name] = positions[..., start:end]
            start = end
        return parts

    def compute_output_shape(self, inputs_shape):
        shapes = [
            encoder.compute_output_shape(inputs_shape[name])
            for name, encoder in self._by_name.items()
        ]
        lengths = [shape["mask"][1] for shape in shapes]
        length = None if None in lengths else sum(lengths)
        batch, _, dim = shapes[0]["values"]
        shape = {"values": (batch, length, dim), "mask": (batch, length)}
        if all("state" in shape for shape in shapes):
            shape["state"] = [layer for each in shapes for layer in each["state"]]
        return shape

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        encoders = {name: serialize(encoder) for name, encoder in self._by_name.items()}
        return {**super().get_config(), "encoders": encoders}
