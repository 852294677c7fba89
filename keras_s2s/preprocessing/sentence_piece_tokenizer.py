"""SentencePiece: text to subword ids and back, on the host and in TensorFlow graphs."""

import base64
import io
import math
import operator
import os
import re
import threading

import keras
import numpy as np

from keras_s2s._checks import check_choice
from keras_s2s._optional import (
    import_sentencepiece,
    import_tensorflow,
    import_tensorflow_text,
)
from keras_s2s.preprocessing.as_column import check_eager
from keras_s2s.preprocessing.sentence_piece_library import SentencePieceLibrary
from keras_s2s.preprocessing.sentence_piece_model import (
    BYTE,
    CONTROL,
    UNKNOWN,
    read_normalization,
    read_pieces,
)
from keras_s2s.preprocessing.text import as_list, as_strings

#: The rules of sentencepiece, see `SentencePieceTokenizer.train`.
NORMALIZATIONS = ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity")

_creation = threading.RLock()


@keras.saving.register_keras_serializable("keras_s2s")
class SentencePieceTokenizer:
    """Text to subword ids and back, with a SentencePiece model.

    `encode` and `decode` are for Python values: lists of strings, lists and arrays of ids. They
    run on the host, with the `sentencepiece` library, and need no TensorFlow. `tokenize` and
    `detokenize` give the same ids and texts as TensorFlow ops, for tensors: they run eagerly, in a
    `tf.function` and in `tf.data`. Where `tensorflow-text` is installed they are its ops, which a
    SavedModel can hold; elsewhere they call the library.

    Text is first made valid UTF-8 (each broken part becomes U+FFFD) and then normalised by the
    rule inside the model (`train` chooses `nmt_nfkc`, i.e. Unicode NFKC, white space collapsed).

    This is a plain object, not a layer: a Keras layer cannot take strings on the JAX backend.
    Its TensorFlow resources are `resources`; whoever exports a function which uses the tokenizer
    must hold them in the exported object (`module.resources = tokenizer.resources` or
    `archive.track(...)` each).

    Args:
        proto: `bytes` of a SentencePiece model, or the path of its file. Ids 0 to 3 must be
            padding, unknown, start and end, as `train` makes them.
        sample_alpha: Float or `None`. If given, `tokenize(..., sample=True)` draws among all
            segmentations with this inverse temperature (subword regularisation; 0.1 to 0.5 are
            usual, small values mean more and shorter pieces). Needs a unigram model.

    Attributes:
        proto: `bytes`, the model.
        vocabulary_size: Number of pieces, special ones included.
        normalization: `str`, the rule by which the model normalises text, see `train`.
        pad_token_id, unknown_token_id, start_token_id, end_token_id: 0, 1, 2, 3.

    Raises:
        ValueError: If the model is damaged or truncated, or its special ids are others.

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer

    tokenizer = SentencePieceTokenizer.train(["ein Hund", "zwei Hunde"], vocabulary_size=15)
    ids = tokenizer.encode(["ein Hund"])
    assert tokenizer.decode(ids) == ["ein Hund"]
    assert tokenizer.tokenize(["ein Hund"]).to_list() == [row.tolist() for row in ids]
    ```
    """

    pad_token_id = 0
    unknown_token_id = 1
    start_token_id = 2
    end_token_id = 3

    def __init__(self, proto, sample_alpha=None):
        origin = "`proto`"
        if isinstance(proto, (str, os.PathLike)):
            origin = f"The file {os.fspath(proto)!r}"
            with open(proto, "rb") as file:
                proto = file.read()
        if not isinstance(proto, (bytes, bytearray)):
            raise TypeError(
                "`proto` must be the bytes of a SentencePiece model or the path of its file. "
                f"Received {type(proto).__name__}."
            )
        if sample_alpha is not None and not sample_alpha >= 0:
            raise ValueError(f"`sample_alpha` must be at least 0. Received {sample_alpha}.")
        self.proto = bytes(proto)
        self.sample_alpha = sample_alpha
        try:
            self._pieces, self._types, _ = read_pieces(self.proto)
        except ValueError as error:
            raise ValueError(
                f"{origin} is {error} ({len(self.proto)} bytes). Pass what "
                "`SentencePieceTokenizer.save` or the sentencepiece trainer wrote."
            ) from error
        if self._types[:4] != [CONTROL, UNKNOWN, CONTROL, CONTROL]:
            raise ValueError(
                f"{origin} begins with the pieces {self._pieces[:4]}; ids 0 to 3 must be padding, "
                "unknown, start and end. Train the model with SentencePieceTokenizer.train, or "
                "with --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3."
            )
        self._ids = {piece: index for index, piece in enumerate(self._pieces)}
        self._library_of_proto = None
        self._ops_of_proto = None

    @classmethod
    def train(
        cls,
        sentences,
        vocabulary_size,
        model_type="unigram",
        character_coverage=1.0,
        sample_alpha=None,
        normalization="nmt_nfkc",
        split_digits=False,
        **options,
    ):
        """Trains a tokenizer on text. The same text and options give the same tokenizer.

        Args:
            sentences: Iterable of `str` or `bytes`. For one vocabulary shared by both languages
                pass the sentences of both.
            vocabulary_size: Number of pieces, the four special ones included.
            model_type: `"unigram"` (can sample segmentations) or `"bpe"`.
            character_coverage: Share of the characters of the text that get a piece; the others
                become the unknown id. Lower it a little (0.9995) for scripts with thousands of
                characters, or noisy text.
            sample_alpha: See the class.
            normalization: How the tokenizer normalises text before it cuts it into pieces, by a
                rule of sentencepiece that the model keeps. `"nmt_nfkc"` is Unicode NFKC, which
                turns "ﬁ", "①" and "m²" into "fi", "1" and "m2"; it also turns control characters
                and the zero-width non-joiner of Persian into blanks. `"nfkc"` is NFKC alone.
                `"nmt_nfkc_cf"` and `"nfkc_cf"` also write lower case. `"identity"` changes
                nothing. Each of them collapses blanks.
            split_digits: Whether each digit is a piece, so that numbers which are not in the
                text are spelled like those that are.
            **options: Further options of the `sentencepiece` trainer, by its own names, e.g.
                `input_sentence_size=1_000_000` to train on that many sentences of a large set.

        Returns:
            A `SentencePieceTokenizer`.

        Raises:
            ValueError: If the text cannot give exactly this many pieces, or there is no such
                `normalization`.
        """
        check_choice("normalization", normalization, NORMALIZATIONS)
        strings, is_scalar = as_list(sentences, "sentences")
        if is_scalar:
            raise TypeError("`sentences` must be a list of sentences, not one string.")
        strings = [_repair(string) for string in strings]
        if not any(string.strip() for string in strings):
            raise ValueError("`sentences` holds no text to train a tokenizer on.")
        sentencepiece = import_sentencepiece()
        model = io.BytesIO()
        options = {
            "normalization_rule_name": normalization,
            "split_digits": split_digits,
            "max_sentence_length": 65536,  # Bytes. Longer sentences would be left out.
            "num_threads": 4,  # Fixed: the number of threads changes how sums are rounded.
            "minloglevel": 2,
        } | options
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(strings),
                model_writer=model,
                vocab_size=vocabulary_size,
                model_type=model_type,
                character_coverage=character_coverage,
                pad_id=cls.pad_token_id,
                unk_id=cls.unknown_token_id,
                bos_id=cls.start_token_id,
                eos_id=cls.end_token_id,
                **options,
            )
        except RuntimeError as error:
            raise ValueError(_training_advice(str(error), vocabulary_size)) from error
        return cls(model.getvalue(), sample_alpha=sample_alpha)

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
        return ids.values if strings.shape.rank == 0 else ids

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
        texts = [_repair(string) for string in strings]
        if sample:
            rows = self._library().sample(texts, self._checked_alpha(), seed)
        else:
            rows = self._library().encode(texts)
        return [np.array(row, "int32") for row in rows]

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

    def normalize(self, sentences):
        """Returns the text that the tokenizer cuts into pieces, after normalisation.

        Args:
            sentences: Iterable of strings.

        Returns:
            List of `str`.
        """
        strings, _ = as_list(sentences, "sentences")
        sentencepiece = import_sentencepiece()
        normalizer = sentencepiece.SentencePieceNormalizer(
            model_proto=self.proto, add_dummy_prefix=False, escape_whitespaces=False
        )
        return normalizer.normalize([_repair(string) for string in strings])

    @property
    def normalization(self):
        return read_normalization(self.proto)

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
        return [_spelling(*piece) for piece in zip(self._pieces, self._types)]

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

    @property
    def resources(self):
        """List of the TensorFlow objects that an exported function with `tokenize` depends on.

        Raises:
            ImportError: Where `tensorflow-text` is not installed. Only exports need it.
        """
        import_tensorflow_text()
        return [self._ops()]

    def save(self, path):
        """Writes the model to `path`, for `SentencePieceTokenizer(path)` and other programs."""
        with open(path, "wb") as file:
            file.write(self.proto)

    def get_config(self):
        return {
            "proto": base64.b64encode(self.proto).decode("ascii"),
            "sample_alpha": self.sample_alpha,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "proto": base64.b64decode(config["proto"])})

    def __reduce__(self):
        # Copies and pickles do not hold the library and TensorFlow resources, but make their own.
        return type(self), (self.proto, self.sample_alpha)

    def _checked_alpha(self):
        if self.sample_alpha is None:
            raise ValueError(
                "`sample=True` needs a tokenizer with `sample_alpha`, "
                "e.g. SentencePieceTokenizer(proto, sample_alpha=0.2)."
            )
        return self.sample_alpha

    def _texts(self, rows):
        """Returns the texts of rows of ids, which are sequences of integers."""
        return self._library().decode([self._ids_of_text(row) for row in rows])

    def _ids_of_text(self, row):
        try:
            row = list(map(operator.index, row.tolist() if hasattr(row, "tolist") else row))
        except TypeError as error:
            raise TypeError(f"`ids` must be integers: {error}.") from error
        if self.end_token_id in row:
            row = row[: row.index(self.end_token_id)]
        return [id for id in row if self.end_token_id < id < self.vocabulary_size]

    # Library and ops are made at first use, so that other methods need neither package; a lock lets
    # threads share the tokenizer.

    def _library(self):
        with _creation:
            if self._library_of_proto is None:
                self._library_of_proto = SentencePieceLibrary(self.proto)
            return self._library_of_proto

    def _ops(self):
        with _creation:
            if self._ops_of_proto is None:
                self._ops_of_proto = self._make_ops()
            return self._ops_of_proto

    def _make_ops(self):
        try:
            import_tensorflow_text()
        except ImportError:
            from keras_s2s.preprocessing.sentence_piece_host_ops import SentencePieceHostOps

            return SentencePieceHostOps(self._library())
        from keras_s2s.preprocessing.sentence_piece_ops import SentencePieceResource

        return SentencePieceResource(self.proto)


def _spelling(piece, type):
    if type in (CONTROL, UNKNOWN):
        return b""
    if type == BYTE:  # <0x41>
        return bytes([int(piece[1:-1], 16)])
    return piece.replace("▁", " ").encode("utf-8")


def _is_row(value):
    if hasattr(value, "ndim"):
        return value.ndim == 1
    return isinstance(value, (list, tuple)) and not any(map(_is_sequence, value))


def _is_sequence(value):
    return getattr(value, "ndim", 0) > 0 or isinstance(value, (list, tuple))


def _repair(string):
    return string.decode("utf-8", "replace")


def _training_advice(message, vocabulary_size):
    """The message of the sentencepiece trainer's error, in terms of the arguments of `train`."""
    start = f"Cannot train {vocabulary_size} pieces on this text. "
    if high := re.search(r"Vocabulary size too high .*value <= (\d+)", message):
        return start + f"It has too little variety: pass `vocabulary_size` <= {high[1]}."
    if low := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return start + (
            f"Its characters alone need {low[1]}: pass `vocabulary_size` >= {low[1]}, "
            "or lower `character_coverage`."
        )
    return start + f"The sentencepiece trainer says: {message}"
