import math

import keras
from keras import ops

from keras_s2s.layers._parts import layers_of, unbuilt_config
from keras_s2s.layers.decoder import Decoder


@keras.saving.register_keras_serializable("keras_s2s")
class EnsembleDecoder(Decoder):
    """Decoders that choose each token together, by the mean of their probabilities.

    Args:
        decoders: List of `keras_s2s.layers.Decoder`s of one vocabulary.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        targets: `(rows, target)` integer token ids, as in `Decoder`.
        memory: What an encoder returned. With `"members"`, as a
            `keras_s2s.layers.EnsembleEncoder` returns, each decoder reads its own of these
            memories; else all read the one.
        training: Whether to apply dropout.
        return_attention: Whether to return the attention weights too, the mean of those of the
            decoders.
        rows_per_example: As in `Decoder`.

    Returns:
        Logits `(rows, target, output_size)` in float32, which are log-probabilities; with
        `return_attention` a tuple of them and the weights `(rows, target, source)`.

    Raises:
        ValueError: If there is no decoder, or they have different vocabularies.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    decoder = keras_s2s.layers.EnsembleDecoder(
        [keras_s2s.layers.RNNDecoder(9, units) for units in (4, 8)]
    )
    memory = {"values": np.ones((1, 3, 6), "float32"), "mask": np.ones((1, 3), "bool")}
    logits = decoder(np.array([[2, 5]]), memory)
    np.testing.assert_allclose(np.exp(logits).sum(axis=-1), 1, atol=1e-5)
    ```
    """

    def __init__(self, decoders, **kwargs):
        super().__init__(**kwargs)
        self.decoders = layers_of(decoders, "decoders", Decoder)
        first = self.decoders[0]
        for decoder in self.decoders:
            sizes = [(d.vocabulary_size, d.output_size) for d in (first, decoder)]
            if sizes[0] != sizes[1]:
                raise ValueError(
                    "All `decoders` must have the same vocabulary. Received: decoders with "
                    f"{sizes[0][0]} and {sizes[1][0]} tokens, and {sizes[0][1]} and "
                    f"{sizes[1][1]} logits"
                )
        self.vocabulary_size = first.vocabulary_size
        names = (name for decoder in self.decoders for name in decoder.input_names)
        self.input_names = tuple(dict.fromkeys(names))

    @property
    def attends(self):
        return all(decoder.attends for decoder in self.decoders)

    @property
    def output_size(self):
        return self.decoders[0].output_size

    def check_columns(self, columns, target_tokenizer):
        for decoder in self.decoders:
            decoder.check_columns(columns, target_tokenizer)

    def build(self, targets_shape, memory_shape):
        for decoder, memory in zip(self.decoders, self._memories(memory_shape), strict=True):
            if not decoder.built:
                decoder.build(targets_shape, memory)

    def start(self, memory, rows_per_example=1, max_length=None):
        """Computes once what all steps need, as `Decoder.start`.

        Returns:
            Tuple of the memory, whose `"members"` are the memories of the decoders for their
            steps, and the state, a list of the decoders' states.
        """
        started = [
            decoder.start(one, rows_per_example, max_length)
            for decoder, one in zip(self.decoders, self._memories(memory), strict=True)
        ]
        memories, states = zip(*started)
        return {**memory, "members": list(memories)}, list(states)

    def step(self, tokens, state, memory, return_attention=False):
        options = {"return_attention": True} if return_attention else {}
        outputs = [
            decoder.step(tokens, one, prepared, **options)
            for decoder, one, prepared in zip(self.decoders, state, memory["members"], strict=True)
        ]
        logits, states, *weights = zip(*outputs)
        return _mixed(logits), list(states), *map(_mean, weights)

    def call(self, targets, memory, training=False, return_attention=False, rows_per_example=1):
        options = {"return_attention": True} if return_attention else {}
        outputs = [
            decoder(targets, one, training=training, rows_per_example=rows_per_example, **options)
            for decoder, one in zip(self.decoders, self._memories(memory), strict=True)
        ]
        if not return_attention:
            return _mixed(outputs)
        logits, weights = zip(*outputs)
        return _mixed(logits), _mean(weights)

    def _memories(self, memory):
        """For each decoder the memory that it reads."""
        shared = {name: memory[name] for name in self.input_names}
        members = memory.get("members", [memory] * len(self.decoders))
        return [{**member, **shared} for member in members]

    def compute_output_spec(
        self, targets, memory, training=False, return_attention=False, rows_per_example=1
    ):
        shape = self.compute_output_shape(targets.shape, memory)
        logits = keras.KerasTensor(shape, dtype="float32")
        if not return_attention:
            return logits
        shape = (*targets.shape, memory["values"].shape[1])
        return logits, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, targets_shape, memory_shape):
        return (*targets_shape, self.output_size)

    def get_config(self):
        decoders = [unbuilt_config(decoder) for decoder in self.decoders]
        return {**super().get_config(), "decoders": decoders}


def _mixed(logits):
    """The logarithm of the mean of probabilities, in float32 as all of decoding is."""
    log_probs = [ops.log_softmax(ops.cast(one, "float32"), axis=-1) for one in logits]
    return ops.logsumexp(ops.stack(log_probs), axis=0) - math.log(len(log_probs))


def _mean(weights):
    return ops.mean(ops.stack(weights), axis=0)
