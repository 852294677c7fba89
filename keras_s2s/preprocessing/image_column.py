import collections.abc
import os

import keras
import numpy as np

from keras_s2s._autograph import unconverted
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import image_items
from keras_s2s.preprocessing.as_column import as_column, is_collection, is_numeric
from keras_s2s.preprocessing.column import Column
from keras_s2s.preprocessing.image_converter import ImageConverter


@keras.saving.register_keras_serializable("keras_s2s")
class ImageColumn(Column):
    """An input that is images: files, arrays and the like to pixels of one size.

    Args:
        image_converter: `ImageConverter`, or the `image_size` of one.
        name: The key of the pixels among a model's inputs.
        raw_name: The key of the images in a dict of raw data.

    Example:
    ```python
    import numpy as np
    from keras_s2s.preprocessing import ImageColumn

    column = ImageColumn((32, 32))
    assert column.as_batch(np.zeros((1, 20, 30, 3))).shape == (1, 32, 32, 3)
    ```
    """

    needs_tensorflow = True
    reads_files = True

    def __init__(self, image_converter=(224, 224), name="images", raw_name="images"):
        super().__init__(name, raw_name)
        if not hasattr(image_converter, "image_size"):
            image_converter = ImageConverter(image_converter)
        self.image_converter = image_converter

    @property
    def shape(self):
        return (*self.image_converter.image_size, 3)

    def as_batch(self, values, name="inputs"):
        return self.image_converter(values)

    def encode(self, batch, sample=False):
        return batch

    def is_raw(self, values):
        dtype = getattr(values, "dtype", None)
        if dtype is not None and getattr(values, "shape", None) is not None:
            # In a dataset the rank may be unknown.
            shape = values.shape
            is_picture = getattr(shape, "rank", 3) is None or len(shape) in (2, 3, 4)
            return not is_numeric(dtype) or is_picture
        return image_items.is_one(values) or is_collection(values)

    def is_one(self, value):
        return image_items.is_one(value)

    def rank_of_one(self, batch):
        # A grey picture may come without an axis of channels.
        is_files = getattr(batch.dtype, "name", str(batch.dtype)) == "string"
        rank = getattr(batch.shape, "rank", len(batch.shape))
        return 0 if is_files else min(rank or 3, 3)

    def as_items(self, values, name="images", failures=None):
        return image_items.as_items(values, name, failures)

    def as_slices(self, values, name):
        tf = import_tensorflow()
        if image_items.is_one(values):
            raise ValueError(f"`{name}` must be a list of images, not one image.")
        values = as_column(values, name)
        is_list = isinstance(values, (list, tuple))
        if isinstance(values, collections.abc.Sequence) and not is_list and len(values):
            return tf.range(len(values)), self._loader(values, name)
        items, _ = self.as_items(values, name)
        images = [item.value for item in items]
        kinds = {(x.shape, x.dtype) if isinstance(x, np.ndarray) else "file" for x in images}
        if len(kinds) != 1:
            return self.image_converter(items), None
        if kinds == {"file"}:
            # Paths need not be valid UTF-8.
            slices = tf.constant([os.fsencode(image) for image in images])
        else:
            slices = tf.constant(np.stack(images))
        names = tf.constant([f"{name}[{i}]" for i in range(len(images))])
        return (slices, names), lambda one: self.load(*one)

    @unconverted
    def load(self, image, name=None):
        """One image as pixels, of their final size."""
        return self.image_converter.convert(image, name)

    def _loader(self, images, name):
        """Function from an index to the image at this index, which is read only then."""
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
        files, pixels = f"{self.raw_name}_bytes", self.raw_name
        if self.raw_name == "images":
            files = "image_bytes"
        with_webp = "DecodeWebP" in allowed_ops

        def of_files(**tensors):
            # Paths would let clients read files of the server.
            return self.image_converter.convert(tensors[files], paths=False, with_webp=with_webp)

        def of_pixels(**tensors):
            return self.image_converter.convert(tensors[pixels])

        shape = [None, None, None, 3]
        return {
            files: ({files: tf.TensorSpec([None], tf.string, name=files)}, of_files),
            **{
                name: ({pixels: tf.TensorSpec(shape, dtype, name=pixels)}, of_pixels)
                for name, dtype in ((pixels, tf.float32), (f"{pixels}_uint8", tf.uint8))
            },
        }

    def described(self):
        height, width = self.image_converter.image_size
        return [("image_converter", self.image_converter, f"image size: {height} x {width}")]

    def get_config(self):
        return {
            **super().get_config(),
            "image_converter": keras.saving.serialize_keras_object(self.image_converter),
        }

    @classmethod
    def from_config(cls, config):
        converter = keras.saving.deserialize_keras_object(config["image_converter"])
        return cls(**{**config, "image_converter": converter})
