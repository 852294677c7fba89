import keras

from keras_s2s.layers._parts import layers_of, unbuilt_config
from keras_s2s.layers.encoder import Encoder


@keras.saving.register_keras_serializable("keras_s2s")
class EnsembleEncoder(Encoder):
    """Encoders of the same inputs, each for one decoder of a `keras_s2s.layers.EnsembleDecoder`.

    Args:
        encoders: List of `keras_s2s.layers.Encoder`s that read the same inputs, and whose memories
            have the same positions.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        inputs: What each of the encoders takes.
        training: Whether to apply dropout.

    Returns:
        The memory, a dict of
        `"values"`: `(batch, source, dim)`, and
        `"mask"`: `(batch, source)` bool, of the first encoder,
        `"members"`: list of the memories of all encoders.

    Raises:
        ValueError: If there is no encoder, they read different inputs, or their memories have
            different lengths.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.EnsembleEncoder(
        [keras_s2s.layers.RNNEncoder(units, vocabulary_size=50) for units in (8, 16)]
    )
    memory = encoder(np.array([[5, 6, 3]]))
    assert [m["values"].shape for m in memory["members"]] == [(1, 3, 16), (1, 3, 32)]
    ```
    """

    def __init__(self, encoders, **kwargs):
        super().__init__(**kwargs)
        self.encoders = layers_of(encoders, "encoders", Encoder)
        first = self.encoders[0]
        for encoder in self.encoders:
            if (encoder.input_names, encoder.vocabulary_sizes) != (
                first.input_names,
                first.vocabulary_sizes,
            ):
                raise ValueError(
                    "All `encoders` must read the same inputs. Received: encoders of "
                    f"{_inputs(first)} and of {_inputs(encoder)}"
                )
        self.input_names = first.input_names
        self.vocabulary_size = first.vocabulary_size

    @property
    def vocabulary_sizes(self):
        return self.encoders[0].vocabulary_sizes

    @property
    def reduction(self):
        return self.encoders[0].reduction

    def select(self, features):
        return self.encoders[0].select(features)

    def input_spec_for_serving(self):
        return self.encoders[0].input_spec_for_serving()

    def check_features(self, inputs):
        for encoder in self.encoders:
            encoder.check_features(inputs)

    def share_embedding(self, decoder):
        for encoder, one in zip(self.encoders, decoder.decoders, strict=True):
            encoder.share_embedding(one)

    def build(self, inputs_shape):
        for encoder in self.encoders:
            if not encoder.built:
                encoder.build(inputs_shape)
        lengths = {
            encoder.compute_output_shape(inputs_shape)["mask"][1] for encoder in self.encoders
        }
        if len(lengths) > 1:
            raise ValueError(
                f"All `encoders` must give memories of one length. Received: {sorted(lengths)}"
            )

    def call(self, inputs, training=False):
        return _joined([encoder(inputs, training=training) for encoder in self.encoders])

    def is_empty(self, inputs, memory):
        return self.encoders[0].is_empty(inputs, memory)

    def memory_length(self, inputs):
        return self.encoders[0].memory_length(inputs)

    def split_attention(self, weights, inputs):
        return self.encoders[0].split_attention(weights, inputs)

    def compute_output_shape(self, inputs_shape):
        return _joined([encoder.compute_output_shape(inputs_shape) for encoder in self.encoders])

    def get_config(self):
        encoders = [unbuilt_config(encoder) for encoder in self.encoders]
        return {**super().get_config(), "encoders": encoders}


def _joined(memories):
    return {"values": memories[0]["values"], "mask": memories[0]["mask"], "members": memories}


def _inputs(encoder):
    return ", ".join(
        name + (f" ({encoder.vocabulary_sizes[name]} tokens)" if encoder.vocabulary_sizes else "")
        for name in encoder.input_names
    )
