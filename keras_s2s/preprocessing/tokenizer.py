"""The base of the tokenizers: text to ids and back, on the host and in TensorFlow graphs."""

import math
import operator
import threading

import numpy as np

from keras_s2s import tokens
from keras_s2s._autograph import unconverted
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.as_column import check_eager
from keras_s2s.preprocessing.text import as_list, as_strings

_creation = threading.RLock()


class Tokenizer:
    """Base of the tokenizers.

    `encode` and `decode` are for Python values: lists of strings, lists and arrays of ids. They
    run on the host and need no TensorFlow. `tokenize` and `detokenize` give the same ids and texts
    as TensorFlow ops, for tensors: they run eagerly, in a `tf.function` and in `tf.data`.

    A tokenizer is a plain object, not a layer: a Keras layer cannot take strings on the JAX
    backend. Its TensorFlow resources are `resources`; whoever exports a function which uses the
    tokenizer must hold them in the exported object (`module.resources = tokenizer.resources` or
    `archive.track(...)` each).

    A subclass implements `_rows`, `_joined`, `_make_ops`, and what presets need: `file_name`,
    `save`, `get_config` and `from_file`.

    Args:
        pieces: List of `str` in the order of their ids.

    Attributes:
        vocabulary_size: Number of pieces, special ones included.
        pad_token_id, unknown_token_id, start_token_id, end_token_id: 0, 1, 2, 3.
        plain: The tokenizer of outputs that go with its inputs: itself, but without a prefix.
    """

    pad_token_id = tokens.PAD
    unknown_token_id = tokens.UNKNOWN
    start_token_id = tokens.START
    end_token_id = tokens.END
    #: Temperature of drawn segmentations, where there are such draws.
    sample_alpha = None
    #: Ids that come before those of each text but the empty one.
    prefix_ids = ()
    #: The name of the file in a preset.
    file_name = None

    def __init__(self, pieces):
        self.plain = self
        self._pieces = pieces
        self._ids = {piece: index for index, piece in enumerate(pieces)}
        self._made_ops = None

    def _rows(self, texts):
        """List of `str` without surrogates to a list of lists of ids."""
        raise NotImplementedError

    def _sampled_rows(self, texts, seed):
        """Like `_rows`, but draws the segmentations. Only where there is a `sample_alpha`."""
        raise NotImplementedError

    def _joined(self, rows):
        """List of lists of ids of text, all within the vocabulary, to a list of `str`."""
        raise NotImplementedError

    def _make_ops(self):
        """An object with the methods of `keras_s2s.preprocessing.sentence_piece_ops`."""
        raise NotImplementedError

    def save(self, path):
        """Writes the file of a preset to `path`, for `from_file`."""
        raise NotImplementedError

    def get_config(self):
        raise NotImplementedError

    def config_beside_file(self):
        """The config without what the file of a preset holds, for `from_file`."""
        raise NotImplementedError

    @classmethod
    def from_file(cls, path, config):
        """Makes a tokenizer from its file and `config_beside_file`."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    @property
    def resources(self):
        """List of the TensorFlow objects that an exported function with `tokenize` depends on."""
        raise NotImplementedError

    @unconverted
    def tokenize(self, inputs, sample=False):
        """Turns text into ids, without start and end ids.

        Args:
            inputs: A string, a list or array of strings, or a `tf.string` tensor of rank 0 or 1.
            sample: If true, draw the segmentation (`sample_alpha`). For training only; these
                draws cannot be seeded; `encode` can be.

        Returns:
            int32 ids: `(tokens,)` for one string, else a ragged tensor `(batch, None)`.

        Raises:
            TypeError: If an element is not a string.
            ValueError: If `sample` is true and the tokenizer has no `sample_alpha`.
        """
        tf = import_tensorflow()
        strings = as_strings(inputs)
        strings = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")
        alpha = self._checked_alpha() if sample else None
        ids = self._ops().tokenize(tf.reshape(strings, [-1]), alpha)
        if self.prefix_ids:
            ids = self._with_prefix(ids)
        return ids.values if strings.shape.rank == 0 else ids

    @unconverted
    def detokenize(self, inputs):
        """Turns ids into text.

        The first end id and all that follows is ignored; padding, unknown and start ids, and ids
        outside the vocabulary, are left out.

        Args:
            inputs: Integer ids `(..., tokens)`, dense or ragged, of rank 1 or more.

        Returns:
            `tf.string` tensor `(...)`.
        """
        tf = import_tensorflow()
        if isinstance(inputs, tf.RaggedTensor):
            inputs = inputs.to_tensor(self.pad_token_id)
        ids = tf.convert_to_tensor(inputs)
        if ids.dtype != tf.int32:
            # Not to int32, which would change large ids.
            ids = tf.cast(ids, tf.int64)
        if ids.shape.rank is None or ids.shape.rank < 1:
            raise ValueError(f"`inputs` must be (..., tokens). Received shape {ids.shape}.")
        outer = tf.shape(ids)[:-1]
        rows = tf.reshape(ids, [tf.reduce_prod(outer), tf.shape(ids)[-1]])
        ended = tf.cumsum(tf.cast(rows == self.end_token_id, tf.int32), axis=1) > 0
        is_text = (rows > self.end_token_id) & (rows < self.vocabulary_size) & ~ended
        text = self._ops().detokenize(
            tf.cast(tf.gather_nd(rows, tf.where(is_text)), tf.int32),
            tf.reduce_sum(tf.cast(is_text, tf.int64), axis=1),
        )
        return tf.ensure_shape(tf.reshape(text, outer), ids.shape[:-1])

    def encode(self, sentences, sample=False, seed=None):
        """Turns text into ids on the host: no TensorFlow needed, and draws can be seeded.

        Gives the ids of `tokenize`.

        Args:
            sentences: Iterable of strings.
            sample: If true, draw the segmentations (`sample_alpha`).
            seed: Integer. The same seed gives the same draws. `None` takes one from Python's
                `random`, which `keras.utils.set_random_seed` seeds.

        Returns:
            List of int32 NumPy arrays, without start and end ids.
        """
        strings, _ = as_list(sentences, "sentences")
        texts = [repaired(string) for string in strings]
        if sample:
            self._checked_alpha()
        rows = self._sampled_rows(texts, seed) if sample else self._rows(texts)
        return [np.array([*self.prefix_ids, *row] if row else row, "int32") for row in rows]

    def decode(self, ids):
        """Turns ids into text on the host: no TensorFlow needed.

        Gives the texts of `detokenize`: the first end id and all that follows is ignored; padding,
        unknown and start ids, and ids outside the vocabulary, are left out.

        Args:
            ids: Integer ids: one row of them, a list of rows, whose lengths may differ, as `encode`
                returns it, or a list of such lists; or an array or tensor `(..., tokens)`.

        Returns:
            `str` for one row, a list for a list of rows (nested as `ids` is), so `[]` for `[]`. For
            an array of rank 2 or more an array `(...)` of objects, which are `str`.

        Raises:
            TypeError: If something is not an integer.

        Example:
        ```python
        import numpy as np
        from keras_s2s.preprocessing import SentencePieceTokenizer

        tokenizer = SentencePieceTokenizer.train(["ein Hund", "zwei Hunde"], vocabulary_size=15)
        one, two = tokenizer.encode(["ein Hund", "zwei"])
        assert tokenizer.decode(one) == "ein Hund"
        assert tokenizer.decode([one, two]) == ["ein Hund", "zwei"]
        beams = np.tile(one, (2, 3, 1))
        assert tokenizer.decode(beams).shape == (2, 3)
        ```
        """
        check_eager(ids, "ids")
        if hasattr(ids, "to_list"):
            ids = ids.to_list()  # A ragged tensor.
        if isinstance(ids, (list, tuple)):
            if not ids:
                return []
            if not any(map(_is_sequence, ids)):
                return self._texts([ids])[0]
            if all(map(_is_row, ids)):
                return self._texts(ids)
            return [self.decode(rows) for rows in ids]
        array = np.asarray(ids)
        if array.ndim == 0:
            raise ValueError(f"`ids` must be (..., tokens). Received {ids!r}.")
        if array.size and array.dtype.kind not in "iu":
            raise TypeError(f"`ids` must be integers. Received an array of {array.dtype}.")
        outer = array.shape[:-1]
        texts = self._texts(array.reshape(math.prod(outer), array.shape[-1]).tolist())
        return np.array(texts, object).reshape(outer) if outer else texts[0]

    @property
    def vocabulary_size(self):
        return len(self._pieces)

    def get_vocabulary(self):
        """Returns the pieces as a list of `str`, in the order of their ids."""
        return list(self._pieces)

    def get_spellings(self):
        """Returns the text that each piece spells, a list of bytes in the order of ids.

        Padding, unknown and control pieces spell nothing; white space is a blank.
        """
        raise NotImplementedError

    def id_to_token(self, id):
        """Returns the piece (`str`) of an integer id.

        Raises:
            ValueError: If the id is outside the vocabulary.
        """
        if not 0 <= id < self.vocabulary_size:
            raise ValueError(f"`id` must be from 0 to {self.vocabulary_size - 1}. Received {id}.")
        return self._pieces[id]

    def token_to_id(self, token):
        """Returns the id of a piece (`str`); the unknown id if the vocabulary lacks it."""
        return self._ids.get(token, self.unknown_token_id)

    def ids_to_tokens(self, inputs):
        """Turns a tensor of ids into a `tf.string` tensor of pieces, of the same shape, in graph.

        Args:
            inputs: Integer ids of any shape, all within the vocabulary.

        Returns:
            `tf.string` tensor: what alignments are labelled with.
        """
        tf = import_tensorflow()
        ids = tf.cast(inputs, tf.int32)
        tokens = tf.reshape(self._ops().id_to_token(tf.reshape(ids, [-1])), tf.shape(ids))
        return tf.ensure_shape(tokens, ids.shape)

    def _with_prefix(self, ids):
        """Ragged ids after those of the prefix."""
        tf = import_tensorflow()
        lengths = ids.row_lengths()
        counts = tf.where(lengths > 0, tf.cast(len(self.prefix_ids), lengths.dtype), 0)
        times = tf.math.count_nonzero(lengths, dtype=tf.int32)
        prefixes = tf.tile(tf.constant(self.prefix_ids, ids.dtype), [times])
        return tf.concat([tf.RaggedTensor.from_row_lengths(prefixes, counts), ids], axis=1)

    def _checked_alpha(self):
        if self.sample_alpha is None:
            name = type(self).__name__
            raise ValueError(
                f"`sample=True` needs a tokenizer with `sample_alpha`, which this {name} lacks; "
                "e.g. SentencePieceTokenizer(proto, sample_alpha=0.2)."
            )
        return self.sample_alpha

    def _ops(self):
        # Made at first use, so that other methods need no TensorFlow; a lock lets threads share the
        # tokenizer.
        with _creation:
            if self._made_ops is None:
                self._made_ops = self._make_ops()
            return self._made_ops

    def _texts(self, rows):
        """Returns the texts of rows of ids, which are sequences of integers."""
        return self._joined([self._ids_of_text(row) for row in rows])

    def _ids_of_text(self, row):
        try:
            row = list(map(operator.index, row.tolist() if hasattr(row, "tolist") else row))
        except TypeError as error:
            raise TypeError(f"`ids` must be integers: {error}.") from error
        if self.end_token_id in row:
            row = row[: row.index(self.end_token_id)]
        return [id for id in row if self.end_token_id < id < self.vocabulary_size]


def repaired(string):
    """The `str` of bytes that may not be UTF-8: each broken part becomes U+FFFD."""
    return string.decode("utf-8", "replace")


def _is_row(value):
    if hasattr(value, "ndim"):
        return value.ndim == 1
    return isinstance(value, (list, tuple)) and not any(map(_is_sequence, value))


def _is_sequence(value):
    return getattr(value, "ndim", 0) > 0 or isinstance(value, (list, tuple))
