"""What all encoders share."""

import keras
from keras import ops

from keras_s2s.layers._parts import KeepsParts
from keras_s2s.tokens import END, PAD


class Encoder(KeepsParts, keras.layers.Layer):
    """Base of the encoders: from features to a memory.

    A subclass implements `call(inputs, training)` and `compute_output_shape`. Where its inputs
    are no token ids, it says so in the attributes below.

    Args:
        **kwargs: Keras's own layer arguments.

    Call arguments:
        inputs: The features, such as token ids `(batch, source)`.
        training: Whether to drop.

    Returns:
        The memory: a dict of `"values"` `(batch, source, dim)`, `"mask"` `(batch, source)`, False
        at padding, and perhaps `"state"`, a list for each layer of `(batch, size)`.
    """

    #: What a position of the memory is: one of the `"pieces"` of a text, or a cell of a `"grid"`.
    layout = "pieces"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        #: Number of tokens, where the inputs are token ids; else None.
        self.vocabulary_size = None
        #: The layer that embeds them, or None.
        self.embedding = None

    def input_spec_for_serving(self):
        """Shape and dtype of the inputs, where None is any size, for an exported model.

        Returns:
            Tuple of a shape and a dtype, or None where an encoder takes features that no server
            is sent.
        """
        return None if self.vocabulary_size is None else ((None, None), "int32")

    def is_empty(self, inputs, memory):
        """Which inputs hold nothing, `(batch,)` bool: their output is empty, too."""
        if self.vocabulary_size is None:
            return ops.logical_not(ops.any(memory["mask"], axis=1))
        words = ops.logical_and(inputs != PAD, inputs != END)
        return ops.logical_not(ops.any(words, axis=1))

    def compute_mask(self, *args, **kwargs):
        # The mask is part of the memory.
        return None
