"""The base class of all decoders."""

import keras

from keras_s2s.layers._parts import KeepsParts


class Decoder(KeepsParts, keras.layers.Layer):
    """Base of the decoders: a step over tokens that reads a memory.

    A subclass sets `vocabulary_size` and implements `start`, `step` and `call`, which takes all
    steps at once and gives the same results. One with attention sets `attends` and takes
    `return_attention`.

    Args:
        **kwargs: Keras's own layer arguments.

    Call arguments:
        targets: `(rows, target)` integer token ids that enter the steps: the start
            token, then the target shifted by one; 0 is padding.
        memory: What an encoder returned.
        training: Whether to apply dropout.
        return_attention: Whether to return the attention weights too.
        rows_per_example: Integer, the rows of targets that each example of the memory
            has, side by side, such as several captions of one image.

    Returns:
        Logits `(rows, target, output_size)`; with `return_attention` a tuple of them
        and the weights `(rows, target, source)`.
    """

    #: Whether steps give attention weights.
    attends = False
    #: Whether steps give scores of at most 0 in place of logits, which searches add up as they are.
    gives_scores = False
    #: Names of the features that steps read beside what the encoder returns. A model adds them to
    #: the memory.
    input_names = ()

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        #: Number of tokens, including padding (0).
        self.vocabulary_size = None
        #: The layer that embeds the tokens, or None.
        self.embedding = None

    @property
    def output_size(self):
        """Number of ids that have a logit, at least `vocabulary_size`."""
        return self.vocabulary_size

    def check_columns(self, columns, target_tokenizer):
        """Raises a `ValueError` if a preprocessor does not make what the decoder reads.

        Args:
            columns: Dict from the names of features to the columns of a preprocessor.
            target_tokenizer: The tokenizer of the outputs.
        """

    def start(self, memory, rows_per_example=1, max_length=None):
        """Computes once what all steps need.

        Args:
            memory: What an encoder returned.
            rows_per_example: Integer, the rows that each example has in the steps, side by
                side, such as beams.
            max_length: The number of steps at most, an integer or a scalar tensor, for a state
                that has room for all of them; None where it is not known.

        Returns:
            Tuple of the memory, perhaps with more tensors for the steps, and the state before the
            first step: nested tensors whose first axis is `rows`. The state keeps its structure,
            shapes and dtypes.
        """
        raise NotImplementedError

    def step(self, tokens, state, memory, return_attention=False):
        """One step.

        Args:
            tokens: `(rows,)` integer ids of the previous tokens, the rows of one example side by
                side.
            state: What `start` or the last step returned.
            memory: The memory that `start` returned.
            return_attention: Whether to return the attention weights too.

        Returns:
            Tuple of logits `(rows, output_size)`, the new state and, with
            `return_attention`, the weights `(rows, source)`.
        """
        raise NotImplementedError

    def compute_mask(self, *args, **kwargs):
        return None
