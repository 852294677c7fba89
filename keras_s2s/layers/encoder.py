"""The base class of all encoders."""

import keras
from keras import ops

from keras_s2s._backend.shapes import size
from keras_s2s.layers._parts import KeepsParts
from keras_s2s.tokens import END, PAD


class Encoder(KeepsParts, keras.layers.Layer):
    """Base of the encoders: from features to a memory.

    A subclass implements `call(inputs, training)` and `compute_output_shape`, and sets
    `vocabulary_size` where its inputs are token ids. Where they are not, or there are several,
    it says so in the attributes and methods below.

    Args:
        **kwargs: Keras's own layer arguments.

    Call arguments:
        inputs: The features, such as token ids `(batch, source)`. An encoder of several inputs
            takes a dict of them.
        training: Whether to apply dropout.

    Returns:
        The memory: a dict of `"values"` `(batch, source, dim)`, `"mask"` `(batch, source)`, False
        at padding, and perhaps `"state"`, a list for each layer of `(batch, size)`.
    """

    #: Names of the features it reads among the inputs of a model.
    input_names = ("encoder_token_ids",)
    #: Number of input steps per position of the memory, if the memory keeps the order of the input.
    reduction = 1

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        #: Number of tokens, where the inputs are token ids; else None.
        self.vocabulary_size = None
        #: The layer that embeds the tokens, or None.
        self.embedding = None

    @property
    def vocabulary_sizes(self):
        """Dict from the names of inputs that are token ids to the number of tokens."""
        if self.vocabulary_size is None:
            return {}
        return {name: self.vocabulary_size for name in self.input_names}

    def select(self, features):
        """The features that this encoder reads, in the form in which `call` takes them.

        Args:
            features: Dict of features, or of their shapes; others may be among them.

        Returns:
            The one it reads, or a dict where it reads several.

        Raises:
            ValueError: If one is missing.
        """
        missing = [name for name in self.input_names if name not in features]
        if missing:
            raise ValueError(
                f"The {type(self).__name__} reads {missing[0]!r}, which the features lack. "
                f"Received the keys {sorted(features)}"
            )
        if len(self.input_names) == 1:
            return features[self.input_names[0]]
        return {name: features[name] for name in self.input_names}

    def input_spec_for_serving(self):
        """Shapes and dtypes of the features, where None is any size, for an exported model.

        Returns:
            Dict from the names to tuples of a shape and a dtype, or None if the encoder reads
            features that a server would not get.
        """
        if self.vocabulary_size is None:
            return None
        return {name: ((None, None), "int32") for name in self.input_names}

    def share_embedding(self, decoder):
        """Embeds with the embedding of a decoder from now on.

        Args:
            decoder: A `keras_s2s.layers.Decoder` of the same vocabulary.

        Raises:
            ValueError: If the decoder's embedding has another size, or the encoder is built.
        """
        theirs = decoder.embedding
        if self.embedding is theirs and theirs is not None:
            return
        sizes = [e and (e.input_dim, e.output_dim) for e in (self.embedding, theirs)]
        if sizes[0] is None or sizes[0] != sizes[1]:
            raise ValueError(
                "`share_embedding=True` needs an encoder with the vocabulary size and embedding "
                f"dimension of the decoder, {sizes[1]}. Received an encoder with {sizes[0]}."
            )
        if self.built:
            raise ValueError(
                "`share_embedding=True` needs an encoder that has not been built or called yet."
            )
        # Otherwise Keras would keep the replaced layer as a part, and it would never be built.
        self._tracker.untrack(self.embedding)
        self.embedding = theirs

    def check_features(self, inputs):
        """Raises a `ValueError` for values that the encoder cannot read, before any training.

        Args:
            inputs: What `select` returned, for all examples.
        """

    def is_empty(self, inputs, memory):
        """Which examples hold nothing, `(batch,)` bool: the model writes nothing for them."""
        if self.vocabulary_size is None:
            return ops.logical_not(ops.any(memory["mask"], axis=1))
        words = ops.logical_and(inputs != PAD, inputs != END)
        return ops.logical_not(ops.any(words, axis=1))

    def memory_length(self, inputs):
        """The number of positions that the memory of these inputs has, an integer or a scalar."""
        return size(inputs, 1)

    def split_attention(self, weights, inputs):
        """Attention weights by input, in the shape of each.

        Args:
            weights: `(..., source)`, over the positions of the memory; an array or a tensor.
            inputs: What `call` was given.

        Returns:
            Dict from the names of the inputs to weights `(..., positions)`; of images
            `(..., rows, columns)`.
        """
        return {self.input_names[0]: weights}

    def compute_mask(self, *args, **kwargs):
        # The mask is part of the memory.
        return None
