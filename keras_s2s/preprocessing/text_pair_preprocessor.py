"""Pairs of strings to the tensors that sequence to sequence models train on and generate from."""

import os

import keras
import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.columns import is_collection, is_numeric, plain
from keras_s2s.preprocessing.long_texts import count_ids
from keras_s2s.preprocessing.preprocessor import (
    Preprocessor,
    check_length,
    check_tokenizer,
    to_ids,
)
from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.text import as_list, as_strings

_FILE = "spm.model"


@keras.saving.register_keras_serializable("keras_s2s")
class TextPairPreprocessor(Preprocessor):
    """Turns pairs of strings into ids for training, and generated ids back into strings.

    The same TensorFlow ops run in `tf.data`, in `generate` and in an exported model. Sequences are
    padded on the right with 0 to the longest of the batch; none is empty: each ends with the end
    id, so the empty string is just the end id. Longer texts are cut, the end id kept.

    Args:
        source_tokenizer: `SentencePieceTokenizer` of the input text.
        target_tokenizer: That of the output text. `None` shares the source's. To draw
            segmentations differently on the two sides of a shared vocabulary, pass two tokenizers
            with the same `proto`.
        source_length: Largest number of source ids, the end id included. `None` means 256.
        target_length: Largest number of target ids, the end id included. `None` means 256.

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer, TextPairPreprocessor

    tokenizer = SentencePieceTokenizer.train(["ein Hund", "a dog"], vocabulary_size=14)
    preprocessor = TextPairPreprocessor(tokenizer)
    x, labels, sample_weight = preprocessor(["ein Hund"], ["a dog"])
    assert x["decoder_token_ids"].shape == labels.shape == sample_weight.shape
    assert preprocessor.generate_postprocess(labels).numpy().tolist() == [b"a dog"]
    ```
    """

    encoder_input = "encoder_token_ids"
    raw_keys = ("encoder_text", "decoder_text")

    def __init__(
        self, source_tokenizer, target_tokenizer=None, source_length=None, target_length=None
    ):
        self.source_tokenizer = check_tokenizer(source_tokenizer, "source_tokenizer")
        super().__init__(target_tokenizer or source_tokenizer, target_length)
        self.source_length = check_length(source_length, "source_length")

    def as_tensor(self, inputs, name="inputs"):
        return as_strings(inputs, name)

    def encode(self, inputs, sample=False):
        """Returns the ids of strings, int32 `(batch, source)`; `(source,)` for one string."""
        return to_ids(inputs, self.source_tokenizer, self.source_length, sample)

    @classmethod
    def is_raw(cls, x):
        if getattr(x, "dtype", None) is not None:
            return not is_numeric(x.dtype)
        # An empty list, and one of None or of numbers, is the preprocessor's to refuse.
        return isinstance(x, (str, bytes)) or is_collection(x)

    @classmethod
    def rank_of_one(cls, spec):
        return 0

    @classmethod
    def is_one(cls, x):
        return isinstance(plain(x), (str, bytes))

    @classmethod
    def as_items(cls, inputs, name="inputs", failures=None):
        return as_list(inputs, name, failures)

    def as_slices(self, inputs, name):
        strings = as_strings(inputs, name)
        if strings.shape.rank == 0:
            raise ValueError(f"`{name}` must be a list of strings, not one string.")
        return strings, None

    def count_source_ids(self, inputs):
        return count_ids(inputs, self.source_tokenizer)

    @staticmethod
    def size(item):
        return len(item)

    def source_tokens(self, inputs, index):
        ids = np.asarray(inputs[self.encoder_input][index])
        return [self.source_tokenizer.id_to_token(int(t)) for t in ids[ids != 0]]

    def serving_inputs(self, allowed_ops):
        tf = import_tensorflow()
        return {"text": (tf.TensorSpec([None], tf.string, name="text"), self.encode)}

    @property
    def resources(self):
        resources = self.source_tokenizer.resources
        if self.target_tokenizer is not self.source_tokenizer:
            resources += self.target_tokenizer.resources
        return resources

    def save_assets(self, directory):
        """Writes the tokenizers' models into `directory`, as presets hold them.

        Args:
            directory: Gets `source_tokenizer/spm.model`, and `target_tokenizer/spm.model` if the
                tokenizers are two.

        Returns:
            The config without the models, for `from_assets`.
        """
        config = self.get_config()
        for name in ("source_tokenizer", "target_tokenizer"):
            if config[name] is not None:
                os.makedirs(os.path.join(directory, name), exist_ok=True)
                getattr(self, name).save(os.path.join(directory, name, _FILE))
                del config[name]["config"]["proto"]
        return config

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the preprocessor which `save_assets` wrote to `directory`, from its config."""
        config = dict(config)
        for name in ("source_tokenizer", "target_tokenizer"):
            if config[name] is not None:
                path = os.path.join(directory, name, _FILE)
                config[name] = SentencePieceTokenizer(path, **config[name]["config"])
        return cls(**config)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        shared = self.target_tokenizer is self.source_tokenizer
        return {
            "source_tokenizer": serialize(self.source_tokenizer),
            "target_tokenizer": None if shared else serialize(self.target_tokenizer),
            "source_length": self.source_length,
            "target_length": self.target_length,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("source_tokenizer", "target_tokenizer"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
