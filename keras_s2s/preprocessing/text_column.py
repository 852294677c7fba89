import os

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import own_words
from keras_s2s.preprocessing.as_column import is_collection, is_numeric, is_tensor, plain
from keras_s2s.preprocessing.column import Column
from keras_s2s.preprocessing.text import as_batch, as_list
from keras_s2s.preprocessing.text_ids import count_ids, to_ids, to_tokens, tokens_in_graph
from keras_s2s.preprocessing.word_tokenizer import WordTokenizer

DEFAULT_LENGTH = 256


@keras.saving.register_keras_serializable("keras_s2s")
class TextColumn(Column):
    """An input that is text: strings to token ids.

    Ids are padded on the right with 0 to the longest of the batch; none is empty: each ends with
    the end id, so the empty string is just the end id. Longer texts are cut, the end id kept.

    Args:
        tokenizer: Such as `SentencePieceTokenizer`.
        length: Largest number of ids, the end id included. `None` means 256.
        name: The key of the ids among a model's inputs, such as `"context_token_ids"`.
        raw_name: The key of the strings in a dict of raw data, such as `"context_text"`.
        copy_slots: Integer, how many different words of a text have ids although the vocabulary
            lacks them: the first from `vocabulary_size` on. Needs a `WordTokenizer`.

    Raises:
        TypeError: If `tokenizer` is not a tokenizer, or with `copy_slots` none of words.
        ValueError: If `length` is not a positive integer.

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer, TextColumn

    tokenizer = SentencePieceTokenizer.train(["ein Hund", "a dog"], vocabulary_size=14)
    column = TextColumn(tokenizer, name="context_token_ids", raw_name="context_text")
    ids = column.encode(column.as_batch(["ein Hund", "a dog"]))
    assert ids.shape[0] == 2 and ids[0, -1] == tokenizer.end_token_id
    ```
    """

    def __init__(
        self,
        tokenizer,
        length=None,
        name="encoder_token_ids",
        raw_name="encoder_text",
        copy_slots=0,
    ):
        super().__init__(name, raw_name)
        self.tokenizer = check_tokenizer(tokenizer, "tokenizer")
        self.length = length
        self.copy_slots = check_int("copy_slots", copy_slots, 0)
        if copy_slots and not isinstance(tokenizer, WordTokenizer):
            raise TypeError(
                "`copy_slots` are for words that a vocabulary lacks, so they need a "
                f"WordTokenizer. Received a {type(tokenizer).__name__}, whose pieces spell every "
                "word: a CopyHead() without slots copies them."
            )

    @property
    def length(self):
        return self._length

    @length.setter
    def length(self, value):
        self._length = check_length(value, "length")
        if self.text_length < 2 and self._prefix_length:
            raise ValueError(
                f"`length`={self._length} leaves no room for text: the tokenizer's prefix "
                f"{self.tokenizer.prefix!r} takes {self._prefix_length} ids, and the end takes 1. "
                f"Pass `length` >= {self._prefix_length + 2}."
            )

    @property
    def text_length(self):
        """Largest number of ids of a text without the prefix, the end id included."""
        return self._length - self._prefix_length

    @property
    def _prefix_length(self):
        return len(getattr(self.tokenizer, "prefix_ids", ()))

    @property
    def vocabulary_size(self):
        return self.tokenizer.vocabulary_size

    def as_batch(self, values, name="inputs"):
        return as_batch(values, name)

    def encode(self, batch, sample=False):
        """Returns int32 ids `(batch, source)`; `(source,)` for one string."""
        words = self.own_words(batch) if self.copy_slots else None
        return to_ids(batch, self.tokenizer, self.length, sample, words)

    def own_words(self, batch, slots=None):
        """The words with ids that the vocabulary lacks, `(texts, slots)`, by default `copy_slots`.

        An array of `bytes` or a `tf.string` tensor, as `batch` is; "" where there are fewer.
        """
        flat = import_tensorflow().reshape(batch, [-1]) if is_tensor(batch) else batch.reshape(-1)
        slots = self.copy_slots if slots is None else slots
        return own_words.find(flat, self.tokenizer, self.length, slots)

    def is_raw(self, values):
        if getattr(values, "dtype", None) is not None:
            return not is_numeric(values.dtype)
        # A list counts as raw even if it is empty, or of None or numbers, so that we can refuse it.
        return isinstance(values, (str, bytes)) or is_collection(values)

    def is_one(self, value):
        return isinstance(plain(value), (str, bytes))

    def rank_of_one(self, batch):
        return 0

    def as_items(self, values, name="inputs", failures=None):
        return as_list(values, name, failures)

    def as_slices(self, values, name):
        tf = import_tensorflow()
        strings, is_scalar = as_list(values, name)
        if is_scalar:
            raise ValueError(f"`{name}` must be a list of strings, not one string.")
        return tf.constant(strings, tf.string), None

    def count_ids(self, values):
        return count_ids(values, self.tokenizer)

    def count_text_ids(self, values):
        """`count_ids` without those of the tokenizer's prefix, to compare with `text_length`."""
        return count_ids(values, without_prefix(self.tokenizer))

    def size(self, item):
        return len(item)

    def tokens(self, features, words=None):
        ids = np.asarray(features)
        return to_tokens(ids[ids != 0], self.tokenizer, words)

    def tokens_in_graph(self, features, words=None):
        return tokens_in_graph(features, self.tokenizer, words)

    def serving_inputs(self, allowed_ops):
        tf = import_tensorflow()
        # `encoder_text`, the text of a model with one, becomes `text`.
        name = self.raw_name.removeprefix("encoder_")
        specs = {name: tf.TensorSpec([None], tf.string, name=name)}
        return {name: (specs, lambda **tensors: tensors[name])}

    def described(self):
        config = f"vocabulary size: {self.vocabulary_size:,}, at most {self.length} tokens"
        if (prefix := getattr(self.tokenizer, "prefix", None)) is not None:
            config += f", {prefix!r} before each text"
        return [("tokenizer", self.tokenizer, config)]

    @property
    def resources(self):
        return self.tokenizer.resources

    def save_assets(self, directory):
        config = self.get_config()
        config["tokenizer"] = save_tokenizer(self.tokenizer, directory)
        return config

    @classmethod
    def from_assets(cls, directory, config):
        return cls(**{**config, "tokenizer": load_tokenizer(directory, config["tokenizer"])})

    def get_config(self):
        return {
            **super().get_config(),
            "tokenizer": keras.saving.serialize_keras_object(self.tokenizer),
            "length": self.length,
            **({"copy_slots": self.copy_slots} if self.copy_slots else {}),
        }

    @classmethod
    def from_config(cls, config):
        tokenizer = keras.saving.deserialize_keras_object(config["tokenizer"])
        return cls(**{**config, "tokenizer": tokenizer})


def save_tokenizer(tokenizer, directory):
    """Writes a tokenizer's file into `directory`, made if needed; returns the rest, serialized."""
    os.makedirs(directory, exist_ok=True)
    tokenizer.save(os.path.join(directory, tokenizer.file_name))
    serialized = keras.saving.serialize_keras_object(tokenizer)
    return {**serialized, "config": tokenizer.config_beside_file()}


def load_tokenizer(directory, serialized):
    """Makes a tokenizer from what `save_tokenizer` returned and the file in `directory`."""
    kind = keras.saving.get_registered_object(serialized["registered_name"])
    return kind.from_file(os.path.join(directory, kind.file_name), serialized["config"])


def check_tokenizer(tokenizer, name):
    """Returns the tokenizer, or raises a `TypeError`."""
    if not hasattr(tokenizer, "tokenize"):
        raise TypeError(
            f"`{name}` must be a tokenizer, e.g. SentencePieceTokenizer(path). "
            f"Received {tokenizer!r}."
        )
    return tokenizer


def without_prefix(tokenizer):
    """The tokenizer of outputs that goes with one of inputs: itself, but without a prefix."""
    return getattr(tokenizer, "plain", tokenizer)


def check_length(value, name):
    """Returns the length, or raises a `ValueError`."""
    value = DEFAULT_LENGTH if value is None else value
    return check_int(name, value, 1)
