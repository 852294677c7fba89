"""Pairs of strings to the arrays that sequence to sequence models train on and generate from."""

import os

import keras

from keras_s2s.preprocessing.preprocessor import Preprocessor
from keras_s2s.preprocessing.text_column import (
    TextColumn,
    check_length,
    check_tokenizer,
    load_tokenizer,
    save_tokenizer,
    without_prefix,
)

_TOKENIZERS = ("source_tokenizer", "target_tokenizer")


@keras.saving.register_keras_serializable("keras_s2s")
class TextPairPreprocessor(Preprocessor):
    """Turns pairs of strings into ids for training, and generated ids back into strings.

    A `Preprocessor` of one `TextColumn`. Sequences are padded on the right with 0 to the longest
    of the batch; none is empty: each ends with the end id, so the empty string is just the end id.
    Longer texts are cut, the end id kept.

    Args:
        source_tokenizer: `SentencePieceTokenizer` of the input text.
        target_tokenizer: Tokenizer of the output text. `None` is the source's without its
            `prefix`. To draw segmentations differently on the two sides of a shared vocabulary,
            pass two tokenizers with the same `proto`.
        source_length: Largest number of source ids, the end id included. `None` means 256.
        target_length: Largest number of target ids, the end id included. `None` means 256.
        copy_slots: Integer, for a decoder with `keras_s2s.layers.CopyHead(slots)` and a
            `WordTokenizer` of both texts: how many different words of an input, of those that the
            vocabulary lacks, can be copied into the output. The first of them have ids from
            `vocabulary_size` on, in the input and in its output; others stay unknown.

    Example:
    ```python
    from keras_s2s.preprocessing import SentencePieceTokenizer, TextPairPreprocessor

    tokenizer = SentencePieceTokenizer.train(["ein Hund", "a dog"], vocabulary_size=14)
    preprocessor = TextPairPreprocessor(tokenizer)
    x, labels, sample_weight = preprocessor(["ein Hund"], ["a dog"])
    assert x["decoder_token_ids"].shape == labels.shape == sample_weight.shape
    assert preprocessor.generate_postprocess(labels).tolist() == ["a dog"]
    ```
    """

    def __init__(
        self,
        source_tokenizer,
        target_tokenizer=None,
        source_length=None,
        target_length=None,
        copy_slots=0,
    ):
        check_tokenizer(source_tokenizer, "source_tokenizer")
        length = check_length(source_length, "source_length")
        column = TextColumn(source_tokenizer, length, copy_slots=copy_slots)
        super().__init__(
            [column], target_tokenizer or without_prefix(source_tokenizer), target_length
        )

    @property
    def source_tokenizer(self):
        return self.raw.tokenizer

    @property
    def source_length(self):
        return self.raw.length

    @source_length.setter
    def source_length(self, value):
        self.raw.length = check_length(value, "source_length")

    @property
    def copy_slots(self):
        return self.raw.copy_slots

    def with_prefix(self, prefix):
        """Returns a copy whose `source_tokenizer` has another `prefix`, or with `None` none.

        Raises:
            TypeError: If the tokenizer is none that takes a prefix.
            ValueError: If it cannot spell the prefix.
        """
        source = self.source_tokenizer
        if not hasattr(source, "prefix"):
            raise TypeError(f"A {type(source).__name__} takes no `prefix`.")
        tokenizer = type(source).from_config({**source.get_config(), "prefix": prefix})
        return type(self).from_config({**self.get_config(), "source_tokenizer": tokenizer})

    def count_source_ids(self, inputs):
        """Returns the number of ids of each input, the end id included, before any is cut."""
        return self.raw.count_ids(inputs)

    @property
    def resources(self):
        if self.target_tokenizer is without_prefix(self.source_tokenizer):
            return self.source_tokenizer.resources
        return super().resources

    def save_assets(self, directory):
        """Writes the tokenizers' models into `directory`, as presets hold them.

        Args:
            directory: Gets `source_tokenizer/`, and `target_tokenizer/` if the tokenizers are two.

        Returns:
            The config without the models, for `from_assets`.
        """
        config = self.get_config()
        for name in _TOKENIZERS:
            if config[name] is not None:
                folder = os.path.join(directory, name)
                config[name] = save_tokenizer(getattr(self, name), folder)
        return config

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the preprocessor which `save_assets` wrote to `directory`, from its config."""
        config = dict(config)
        for name in _TOKENIZERS:
            if config[name] is not None:
                config[name] = load_tokenizer(os.path.join(directory, name), config[name])
        return cls(**config)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        shared = self.target_tokenizer is without_prefix(self.source_tokenizer)
        return {
            "source_tokenizer": serialize(self.source_tokenizer),
            "target_tokenizer": None if shared else serialize(self.target_tokenizer),
            "source_length": self.source_length,
            "target_length": self.target_length,
            **({"copy_slots": self.copy_slots} if self.copy_slots else {}),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in _TOKENIZERS:
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
