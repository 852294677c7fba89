import math

import keras
from keras import ops

from keras_s2s.layers._parts import layers_of, unbuilt_config
from keras_s2s.layers.ctc import CTC


@keras.saving.register_keras_serializable("keras_s2s")
class EnsembleCTC(CTC):
    """Several `keras_s2s.layers.CTC`, each of one encoder of a `keras_s2s.layers.EnsembleEncoder`.

    Args:
        members: List of `CTC`s of one vocabulary.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        memory: With `"members"`, the memories of the encoders.
        targets: As in `CTC`, but no loss is added.
        training: As in `CTC`.

    Returns:
        The logarithms of the means of their probabilities, `(batch, source, vocabulary_size)`.

    Raises:
        ValueError: If there is no member, or they have different vocabularies.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    ctc = keras_s2s.layers.EnsembleCTC([keras_s2s.layers.CTC(6), keras_s2s.layers.CTC(6)])
    memory = {"values": np.ones((1, 3, 4), "float32"), "mask": np.ones((1, 3), "bool")}
    log_probs = ctc({**memory, "members": [memory, memory]})
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1, atol=1e-5)
    ```
    """

    def __init__(self, members, **kwargs):
        members = layers_of(members, "members", CTC)
        sizes = {member.vocabulary_size for member in members}
        if len(sizes) > 1:
            raise ValueError(
                "All `members` must have the same `vocabulary_size`. Received: "
                f"{[member.vocabulary_size for member in members]}"
            )
        super().__init__(members[0].vocabulary_size, weight=0.0, **kwargs)
        self.members = members

    def build(self, memory_shape):
        for member, memory in zip(self.members, memory_shape["members"], strict=True):
            if not member.built:
                member.build(memory)

    def call(self, memory, targets=None, training=False):
        pairs = zip(self.members, memory["members"], strict=True)
        log_probs = [member(one, training=training) for member, one in pairs]
        return ops.logsumexp(ops.stack(log_probs), axis=0) - math.log(len(log_probs))

    def get_config(self):
        config = super().get_config()
        for name in ("vocabulary_size", "weight", "dropout"):
            del config[name]
        return {**config, "members": [unbuilt_config(member) for member in self.members]}
