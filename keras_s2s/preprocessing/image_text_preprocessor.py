"""Turns images and strings into the pixels and ids that captioners read and write."""

import os

import keras

from keras_s2s.preprocessing.image_column import ImageColumn
from keras_s2s.preprocessing.preprocessor import Preprocessor
from keras_s2s.preprocessing.text_column import load_tokenizer, save_tokenizer

_FOLDER = "target_tokenizer"


@keras.saving.register_keras_serializable("keras_s2s")
class ImageTextPreprocessor(Preprocessor):
    """Turns images and captions into pixels and ids, and generated ids back into captions.

    A `Preprocessor` of one `ImageColumn`. An image may have several captions; if images have
    different numbers of captions, the missing ones have weight 0.

    Args:
        target_tokenizer: `SentencePieceTokenizer` of the captions.
        image_converter: `ImageConverter`, or the `image_size` of one.
        target_length: Largest number of ids of a caption, the end id included. `None` means 256.

    Example:
    ```python
    import numpy as np
    from keras_s2s.preprocessing import ImageTextPreprocessor, SentencePieceTokenizer

    tokenizer = SentencePieceTokenizer.train(["a dog", "a cat"], vocabulary_size=11)
    preprocessor = ImageTextPreprocessor(tokenizer, (32, 32))
    x, labels, sample_weight = preprocessor(np.zeros((1, 20, 30, 3)), [["a dog", "a cat"]])
    assert x["images"].shape == (1, 32, 32, 3)
    assert x["decoder_token_ids"].shape == labels.shape == sample_weight.shape
    assert labels.shape[:2] == (1, 2)
    ```
    """

    def __init__(self, target_tokenizer, image_converter=(224, 224), target_length=None):
        super().__init__(
            [ImageColumn(image_converter)], target_tokenizer, target_length, several_targets=True
        )

    @property
    def image_converter(self):
        return self.raw.image_converter

    def save_assets(self, directory):
        """Writes the tokenizer's model into `directory`, as presets hold it.

        Args:
            directory: Gets `target_tokenizer/`.

        Returns:
            The config without the model, for `from_assets`.
        """
        config = self.get_config()
        config[_FOLDER] = save_tokenizer(self.target_tokenizer, os.path.join(directory, _FOLDER))
        return config

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the preprocessor which `save_assets` wrote to `directory`, from its config."""
        tokenizer = load_tokenizer(os.path.join(directory, _FOLDER), config[_FOLDER])
        return cls.from_config({**config, "target_tokenizer": tokenizer})

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "target_tokenizer": serialize(self.target_tokenizer),
            "image_converter": serialize(self.image_converter),
            "target_length": self.target_length,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("target_tokenizer", "image_converter"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
