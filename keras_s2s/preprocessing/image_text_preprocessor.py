"""Pairs of images and strings to the tensors that captioners train on and generate from."""

import collections.abc
import os

import keras
import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import image_items
from keras_s2s.preprocessing.columns import as_column, is_collection, is_numeric
from keras_s2s.preprocessing.image_converter import ImageConverter
from keras_s2s.preprocessing.preprocessor import Preprocessor
from keras_s2s.preprocessing.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_s2s.preprocessing.text import as_rows, as_strings

_ASSET = "target_tokenizer/spm.model"


@keras.saving.register_keras_serializable("keras_s2s")
class ImageTextPreprocessor(Preprocessor):
    """Turns images and captions into tensors, and generated ids back into captions.

    The same TensorFlow ops run in `tf.data`, in `generate` and in an exported model. An image may
    have several captions; where images have unequally many, what is missing counts for nothing.

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

    encoder_input = "images"
    raw_keys = ("images", "decoder_text")
    several_targets = True

    def __init__(self, target_tokenizer, image_converter=(224, 224), target_length=None):
        super().__init__(target_tokenizer, target_length)
        if not hasattr(image_converter, "image_size"):
            image_converter = ImageConverter(image_converter)
        self.image_converter = image_converter

    def as_tensor(self, inputs, name="inputs"):
        return self.image_converter(inputs)

    def encode(self, inputs, sample=False):
        return inputs

    def as_targets(self, targets, name="targets"):
        """Returns captions as strings: one for each image, or a list or matrix with several."""
        tf = import_tensorflow()
        if isinstance(targets, tf.RaggedTensor):
            targets = targets.to_tensor("") if targets.dtype == tf.string else targets
        if tf.is_tensor(targets) and targets.dtype == tf.string and targets.shape.rank == 2:
            return targets
        if tf.is_tensor(targets) or isinstance(targets, (str, bytes)):
            return as_strings(targets, name)
        rows = as_rows(targets, name)
        if all(isinstance(row, bytes) for row in rows):
            return as_strings(rows, name)
        for i, row in enumerate(rows):
            if isinstance(row, bytes) or not row:
                row = row.decode("utf-8", "replace") if row else row
                raise TypeError(
                    f"`{name}` must hold a list of captions for every image, none of them empty, "
                    f"or one caption for every image. Element {i} is {row!r}."
                )
        most = max(map(len, rows))
        return tf.constant([row + [b""] * (most - len(row)) for row in rows])

    @classmethod
    def is_raw(cls, x):
        dtype = getattr(x, "dtype", None)
        if dtype is not None and getattr(x, "shape", None) is not None:
            # In a dataset the rank may be unknown.
            is_picture = getattr(x.shape, "rank", 3) is None or len(x.shape) in (2, 3, 4)
            return not is_numeric(dtype) or is_picture
        return image_items.is_one(x) or is_collection(x)

    @classmethod
    def rank_of_one(cls, spec):
        # A grey picture may come without an axis of channels.
        return 0 if spec.dtype.name == "string" else min(spec.shape.rank or 3, 3)

    @classmethod
    def is_one(cls, x):
        return image_items.is_one(x)

    @classmethod
    def as_items(cls, inputs, name="images", failures=None):
        return image_items.as_items(inputs, name, failures)

    def as_slices(self, inputs, name):
        tf = import_tensorflow()
        if image_items.is_one(inputs):
            raise ValueError(f"`{name}` must be a list of images, not one image.")
        inputs = as_column(inputs, name)
        is_list = isinstance(inputs, (list, tuple))
        if isinstance(inputs, collections.abc.Sequence) and not is_list and len(inputs):
            return tf.range(len(inputs)), self._loader(inputs, name)
        items, _ = self.as_items(inputs, name)
        values = [item.value for item in items]
        kinds = {(x.shape, x.dtype) if isinstance(x, np.ndarray) else "file" for x in values}
        if len(kinds) != 1:
            return self.image_converter(items), None
        if kinds == {"file"}:
            # What a path is made of need not be UTF-8.
            slices = tf.constant([os.fsencode(value) for value in values])
        else:
            slices = tf.constant(np.stack(values))
        names = tf.constant([f"{name}[{i}]" for i in range(len(values))])
        return (slices, names), self.load

    def load(self, image, name=None):
        """One image as pixels, of their final size."""
        return self.image_converter.convert(image, name)

    def _loader(self, images, name):
        """Function from a number to the image of that number, which is read only then."""
        tf = import_tensorflow()

        def item(index):
            [item], _ = image_items.as_items(images[int(index)], f"{name}[{int(index)}]")
            return item

        def read(index):
            return os.fsencode(item(index).value)

        def load(index):
            contents = tf.numpy_function(read, [index], tf.string, stateful=False)
            contents.set_shape(())
            label = tf.strings.join([f"{name}[", tf.strings.as_string(index), "]"])
            return self.image_converter.convert(contents, label)

        def convert(index):
            return np.asarray(self.image_converter(item(index)))

        def load_pixels(index):
            pixels = tf.numpy_function(convert, [index], tf.float32, stateful=False)
            return tf.ensure_shape(pixels, (*self.image_converter.image_size, 3))

        # Files are decoded in the graph, outside of Python.
        return load_pixels if isinstance(item(0).value, np.ndarray) else load

    def serving_inputs(self, allowed_ops):
        tf = import_tensorflow()
        with_webp = "DecodeWebP" in allowed_ops

        def of_files(contents):
            # A path would let clients read what lies on the server.
            return self.image_converter.convert(contents, paths=False, with_webp=with_webp)

        pixels = [None, None, None, 3]
        return {
            "image_bytes": (tf.TensorSpec([None], tf.string, name="image_bytes"), of_files),
            **{
                name: (tf.TensorSpec(pixels, dtype, name="images"), self.image_converter.convert)
                for name, dtype in (("images", tf.float32), ("images_uint8", tf.uint8))
            },
        }

    def save_assets(self, directory):
        """Writes the tokenizer's model into `directory`, as presets hold it.

        Args:
            directory: Gets `target_tokenizer/spm.model`.

        Returns:
            The config without the model, for `from_assets`.
        """
        config = self.get_config()
        path = os.path.join(directory, _ASSET)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.target_tokenizer.save(path)
        del config["target_tokenizer"]["config"]["proto"]
        return config

    @classmethod
    def from_assets(cls, directory, config):
        """Makes the preprocessor which `save_assets` wrote to `directory`, from its config."""
        path = os.path.join(directory, _ASSET)
        tokenizer = SentencePieceTokenizer(path, **config["target_tokenizer"]["config"])
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
