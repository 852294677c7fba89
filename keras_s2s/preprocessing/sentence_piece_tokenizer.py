"""SentencePiece: text to subword ids and back, on the host and in TensorFlow graphs."""

import base64
import io
import os
import re
import threading

import keras

from keras_s2s._checks import check_choice
from keras_s2s._optional import import_sentencepiece, import_tensorflow_text
from keras_s2s.preprocessing.sentence_piece_library import SentencePieceLibrary
from keras_s2s.preprocessing.sentence_piece_model import (
    BYTE,
    CONTROL,
    UNKNOWN,
    read_normalization,
    read_pieces,
)
from keras_s2s.preprocessing.text import as_list
from keras_s2s.preprocessing.tokenizer import Tokenizer, repaired

#: The rules of sentencepiece, see `SentencePieceTokenizer.train`.
NORMALIZATIONS = ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity")

_creation = threading.RLock()


@keras.saving.register_keras_serializable("keras_s2s")
class SentencePieceTokenizer(Tokenizer):
    """Text to subword ids and back, with a SentencePiece model.

    `encode` and `decode` are for Python values: lists of strings, lists and arrays of ids. They
    run on the host, with the `sentencepiece` library, and need no TensorFlow. `tokenize` and
    `detokenize` give the same ids and texts as TensorFlow ops, for tensors: they run eagerly, in a
    `tf.function` and in `tf.data`. Where `tensorflow-text` is installed they are its ops, which a
    SavedModel can hold; elsewhere they call the library.

    Text is first made valid UTF-8 (each broken part becomes U+FFFD) and then normalised by the
    rule inside the model (`train` chooses `nmt_nfkc`, i.e. Unicode NFKC, white space collapsed).

    Args:
        proto: `bytes` of a SentencePiece model, or the path of its file. Ids 0 to 3 must be
            padding, unknown, start and end, as `train` makes them.
        sample_alpha: Float or `None`. If given, `tokenize(..., sample=True)` draws among all
            segmentations with this inverse temperature (subword regularisation; 0.1 to 0.5 are
            usual, small values mean more and shorter pieces). Needs a unigram model.
        prefix: String or `None`, such as the tag of the language that a multilingual model is to
            write (Johnson et al., 2017, https://arxiv.org/abs/1611.04558). Its pieces come before
            those of every text that is not empty. `decode` and `detokenize` do not remove it.

    Attributes:
        proto: `bytes`, the model.
        vocabulary_size: Number of pieces, special ones included.
        normalization: `str`, the rule by which the model normalises text, see `train`.
        pad_token_id, unknown_token_id, start_token_id, end_token_id: 0, 1, 2, 3.
        prefix_ids: Tuple of integers, the ids of `prefix`.
        plain: The tokenizer without `prefix`, which shares its library and TensorFlow resources.

    Raises:
        TypeError: If `proto` is neither bytes nor a path.
        FileNotFoundError: If `proto` is the path of a file that does not exist.
        ValueError: If the model is damaged or truncated, its special ids are others, or it cannot
            spell `prefix`.

    References:
        Kudo and Richardson, 2018, https://arxiv.org/abs/1808.06226 (SentencePiece); Kudo, 2018,
        https://arxiv.org/abs/1804.10959 (unigram models and subword regularisation); Sennrich et
        al., 2016, https://arxiv.org/abs/1508.07909 (byte-pair encoding).

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer

    tokenizer = SentencePieceTokenizer.train(["ein Hund", "zwei Hunde"], vocabulary_size=15)
    ids = tokenizer.encode(["ein Hund"])
    assert tokenizer.decode(ids) == ["ein Hund"]
    assert tokenizer.tokenize(["ein Hund"]).to_list() == [row.tolist() for row in ids]
    ```
    """

    file_name = "spm.model"

    def __init__(self, proto, sample_alpha=None, prefix=None):
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
            pieces, self._types, _ = read_pieces(self.proto)
        except ValueError as error:
            raise ValueError(
                f"{origin} is {error} ({len(self.proto)} bytes). Pass what "
                "`SentencePieceTokenizer.save` or the sentencepiece trainer wrote."
            ) from error
        if self._types[:4] != [CONTROL, UNKNOWN, CONTROL, CONTROL]:
            raise ValueError(
                f"{origin} begins with the pieces {pieces[:4]}; ids 0 to 3 must be padding, "
                "unknown, start and end. Train the model with SentencePieceTokenizer.train, or "
                "with --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3."
            )
        super().__init__(pieces)
        self._library_of_proto = None
        self.prefix = prefix
        if prefix is not None:
            self.plain = type(self)(self.proto, sample_alpha)
            self.prefix_ids = self._checked_prefix(prefix)

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
        strings = [repaired(string) for string in strings]
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
        return normalizer.normalize([repaired(string) for string in strings])

    @property
    def normalization(self):
        return read_normalization(self.proto)

    def get_spellings(self):
        return [_spelling(*piece) for piece in zip(self._pieces, self._types)]

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
            **self.config_beside_file(),
        }

    def config_beside_file(self):
        prefix = {} if self.prefix is None else {"prefix": self.prefix}
        return {"sample_alpha": self.sample_alpha, **prefix}

    @classmethod
    def from_file(cls, path, config):
        return cls(path, **config)

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "proto": base64.b64decode(config["proto"])})

    def __reduce__(self):
        # Copies and pickles do not hold the library and TensorFlow resources, but make their own.
        prefix = () if self.prefix is None else (self.prefix,)
        return type(self), (self.proto, self.sample_alpha, *prefix)

    def _checked_prefix(self, prefix):
        if not isinstance(prefix, str):
            raise TypeError(f"`prefix` must be a string or None. Received: {prefix!r}")
        [ids] = self._rows([prefix])
        if not ids or self.unknown_token_id in ids:
            raise ValueError(
                f"The tokenizer cannot spell `prefix`: {prefix!r} has the ids {ids}, and "
                f"{self.unknown_token_id} is unknown. Train it with such tags, "
                "`SentencePieceTokenizer.train(..., user_defined_symbols=[...])`."
            )
        return tuple(ids)

    def _rows(self, texts):
        return self._library().encode(texts)

    def _sampled_rows(self, texts, seed):
        return self._library().sample(texts, self.sample_alpha, seed)

    def _joined(self, rows):
        return self._library().decode(rows)

    # Made at first use, so that other methods need no sentencepiece.
    def _library(self):
        if self.plain is not self:
            return self.plain._library()
        with _creation:
            if self._library_of_proto is None:
                self._library_of_proto = SentencePieceLibrary(self.proto)
            return self._library_of_proto

    def _make_ops(self):
        if self.plain is not self:
            return self.plain._ops()
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
