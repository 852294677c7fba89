"""SentencePiece: text to subword ids and back, in graph."""

import base64
import io
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_s2s._checks import check_choice
from keras_s2s._optional import import_sentencepiece, import_tensorflow
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

_creation = threading.Lock()
_seeding = threading.Lock()


@keras.saving.register_keras_serializable("keras_s2s")
class SentencePieceTokenizer:
    """Text to subword ids and back, with a SentencePiece model.

    `tokenize` and `detokenize` are TensorFlow ops: they run eagerly, in `tf.data`, and inside a
    SavedModel, and need `tensorflow-text`. Construction, the vocabulary and (de)serialisation need
    neither it nor TensorFlow; `encode` needs only the `sentencepiece` package.

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
    ids = tokenizer.tokenize(["ein Hund"])
    assert tokenizer.detokenize(ids).numpy().tolist() == [b"ein Hund"]
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
            self._pieces, self._types = read_pieces(self.proto)
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
        self._tensorflow_resource = None

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
            "num_threads": 4,  # Fixed: sums of threads are added up, so the number matters.
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
            sample: If true, draw the segmentation (`sample_alpha`). For training only; the draws
                of TensorFlow Text cannot be seeded, those of `encode` can.

        Returns:
            int32 ids: `(tokens,)` for one string, else a ragged tensor `(batch, None)`.

        Raises:
            TypeError: If an element is not a string.
            ValueError: If `sample` is true and the tokenizer has no `sample_alpha`.
        """
        tf = import_tensorflow()
        strings = as_strings(inputs)
        strings = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")
        options = {}
        if sample:
            self._check_sampling()
            options = {"nbest_size": -1, "alpha": self.sample_alpha}
        ids = self._resource().tokenize(tf.reshape(strings, [-1]), **options)
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
        ids = tf.cast(inputs, tf.int32)
        if ids.shape.rank is None or ids.shape.rank < 1:
            raise ValueError(f"`inputs` must be (..., tokens). Received shape {ids.shape}.")
        outer = tf.shape(ids)[:-1]
        rows = tf.reshape(ids, [tf.reduce_prod(outer), tf.shape(ids)[-1]])
        ended = tf.cumsum(tf.cast(rows == self.end_token_id, tf.int32), axis=1) > 0
        is_text = (rows > self.end_token_id) & (rows < self.vocabulary_size) & ~ended
        text = self._resource().detokenize(
            tf.gather_nd(rows, tf.where(is_text)), tf.reduce_sum(tf.cast(is_text, tf.int64), axis=1)
        )
        return tf.ensure_shape(tf.reshape(text, outer), ids.shape[:-1])

    def encode(self, sentences, sample=False, seed=None):
        """Turns text into ids on the host: no TensorFlow needed, and draws can be seeded.

        Gives the ids of `tokenize`; for preparing training data ahead.

        Args:
            sentences: Iterable of strings.
            sample: If true, draw the segmentations (`sample_alpha`).
            seed: Integer. The same seed gives the same draws. `None` draws anew at every call.

        Returns:
            List of int32 NumPy arrays, without start and end ids.
        """
        strings, _ = as_list(sentences, "sentences")
        strings = [_repair(string) for string in strings]
        sentencepiece = import_sentencepiece()
        processor = sentencepiece.SentencePieceProcessor(model_proto=self.proto)
        if not sample:
            rows = processor.encode(strings)
        else:
            self._check_sampling()
            seed = int(np.random.SeedSequence(seed).generate_state(1)[0]) >> 1

            def draw():
                with _seeding:
                    sentencepiece.set_random_generator_seed(seed)
                    options = {"enable_sampling": True, "nbest_size": -1, "num_threads": 1}
                    return processor.encode(strings, alpha=float(self.sample_alpha), **options)

            # The package seeds one generator per thread, when the thread first draws.
            with ThreadPoolExecutor(max_workers=1) as thread:
                rows = thread.submit(draw).result()
        return [np.array(row, "int32") for row in rows]

    def decode(self, ids):
        sentencepiece = import_sentencepiece()
        processor = sentencepiece.SentencePieceProcessor(model_proto=self.proto)
        ids = np.asarray(ids)
        rows = []
        for row in ids.reshape(-1, ids.shape[-1]).tolist():
            row = row[: row.index(3)] if 3 in row else row
            rows.append(processor.decode([i for i in row if 3 < i < self.vocabulary_size]))
        return np.array(rows, object).reshape(ids.shape[:-1])

    def normalize(self, sentences):
        """Returns what the tokenizer makes of text before it cuts it into pieces.

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
        """Returns what each piece adds to a text within it, a list of bytes in the order of ids.

        Nothing for padding, unknown and control pieces; white space as a blank.
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
        tokens = tf.reshape(self._resource().id_to_token(tf.reshape(ids, [-1])), tf.shape(ids))
        return tf.ensure_shape(tokens, ids.shape)

    @property
    def resources(self):
        """List of the TensorFlow objects that an exported function with `tokenize` depends on."""
        return [self._resource()]

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
        # Copies and pickles leave the TensorFlow resources behind; each side makes its own.
        return type(self), (self.proto, self.sample_alpha)

    def _check_sampling(self):
        if self.sample_alpha is None:
            raise ValueError(
                "`sample=True` needs a tokenizer with `sample_alpha`, "
                "e.g. SentencePieceTokenizer(proto, sample_alpha=0.2)."
            )

    def _resource(self):
        # Made when first used, so that the rest needs no TensorFlow. Locked for threads.
        with _creation:
            if self._tensorflow_resource is None:
                from keras_s2s.preprocessing.sentence_piece_ops import SentencePieceResource

                self._tensorflow_resource = SentencePieceResource(self.proto)
            return self._tensorflow_resource


def _spelling(piece, type):
    if type in (CONTROL, UNKNOWN):
        return b""
    if type == BYTE:  # <0x41>
        return bytes([int(piece[1:-1], 16)])
    return piece.replace("▁", " ").encode("utf-8")


def _repair(string):
    return string.decode("utf-8", "replace")


def _training_advice(message, vocabulary_size):
    """Says in terms of `train` what the sentencepiece trainer complains about."""
    start = f"Cannot train {vocabulary_size} pieces on this text. "
    if high := re.search(r"Vocabulary size too high .*value <= (\d+)", message):
        return start + f"It has too little variety: pass `vocabulary_size` <= {high[1]}."
    if low := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return start + (
            f"Its characters alone need {low[1]}: pass `vocabulary_size` >= {low[1]}, "
            "or lower `character_coverage`."
        )
    return start + f"The sentencepiece trainer says: {message}"
