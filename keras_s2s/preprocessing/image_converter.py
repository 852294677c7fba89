import functools
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_s2s._autograph import unconverted
from keras_s2s._checks import check_image_size
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import asserted, image_files, image_items, image_pixels
from keras_s2s.preprocessing.as_column import utf8


@keras.saving.register_keras_serializable("keras_s2s")
class ImageConverter:
    """Images of any size and form to pixels of one size, in TensorFlow ops.

    Files are decoded, turned as their Exif data say, and put on white where they are transparent;
    grey becomes RGB. The aspect ratio is not kept: the whole picture is squeezed, so that nothing
    is cut off. Pixels stay in 0..255, since scaling belongs to the encoder.

    A picture gives the same in every form: path, contents of the file, PIL image, array, tensor,
    element of a `tf.data.Dataset`, input of an export. Pixels are integers or floats in 0..255.
    Pixels of uint16, and PIL images of the modes I and I;16, are in 0..65535 and become the upper 8
    of their 16 bits, as in files. Floats none of which is above 1 are refused as scaled to 0..1,
    unless all are 0, and so is uint16 with none above 255; cast pictures that dark to uint8.

    Args:
        image_size: Tuple of height and width.

    Call arguments:
        images: As in `keras_s2s.preprocessing.image_items.as_items`; in a graph a tensor of
            strings `()` or `(batch,)`, the contents of files or paths, or of pixels
            `([batch,] height, width, channels)`, or a `tf.RaggedTensor` of pictures.

    Returns:
        Float32 `([batch,] *image_size, 3)`.

    Raises:
        TypeError: If an object is not an image, such as an array of bool.
        ValueError: If an image cannot be read, or its pixels are outside of their range or seem to
            be scaled; the message names it.
        tf.errors.InvalidArgumentError: The same in a graph.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    converter = keras_s2s.preprocessing.ImageConverter((32, 32))
    grey = np.full((10, 20), 7, "uint8")
    assert converter(grey).shape == (32, 32, 3)
    assert converter([grey, np.zeros((5, 5, 4))]).shape == (2, 32, 32, 3)
    ```
    """

    def __init__(self, image_size=(224, 224)):
        self.image_size = check_image_size(image_size)

    def __call__(self, images):
        tf = import_tensorflow()
        if tf.is_tensor(images) and not tf.executing_eagerly():
            return self.convert(images)
        items, single = image_items.as_items(images)
        # Make the decoder before several threads would.
        _decoder(self.image_size, True)
        if single:
            return self._convert_item(items[0])
        # Threads help: reading waits for the disk, and decoding runs outside of Python.
        with ThreadPoolExecutor() as threads:
            pixels = list(threads.map(self._convert_item, items))
        return tf.stack(pixels) if pixels else tf.zeros((0, *self.image_size, 3))

    @unconverted
    def convert(self, images, names=None, paths=True, with_webp=True):
        """Converts images that are tensors.

        Args:
            images: Tensor of strings, `()` or `(batch,)`, or pixels `([batch,] height, width,
                channels)` or `(height, width)`; or a `tf.RaggedTensor` of pixels.
            names: Names of the images in error messages, beside their paths: as many strings. By
                default the number in the batch.
            paths: Whether strings may be paths, too. Not in a server, where they come from
                outside.
            with_webp: As in `image_files.decode`.

        Returns:
            Float32 `([batch,] *image_size, 3)`.
        """
        tf = import_tensorflow()
        if not isinstance(images, tf.RaggedTensor):
            images = tf.convert_to_tensor(images)
        if images.shape.rank is None:
            raise ValueError(
                "Images must have a known rank in a graph. Decode files with `tf.io.decode_image("
                "contents, expand_animations=False)`, or call `tf.ensure_shape(image, (None, None, "
                "3))`."
            )
        is_strings = images.dtype == tf.string
        is_one = images.shape.rank in ((0,) if is_strings else (2, 3))
        if names is None and is_one:
            names = tf.constant("(the only one)")
        elif names is None:
            number = tf.strings.as_string(tf.range(tf.shape(images)[0]))
            names = tf.strings.join(["number ", number, " of the batch (from 0)"])
        if isinstance(images, tf.RaggedTensor):
            convert = self._convert_ragged
        elif is_strings:
            convert = functools.partial(self._convert_string, paths=paths, with_webp=with_webp)
        else:
            return self._convert_pixels(images, names)
        if is_one:
            return convert(images, names)
        return tf.map_fn(
            lambda pair: convert(*pair),
            (images, names),
            fn_output_signature=tf.TensorSpec((*self.image_size, 3), tf.float32),
        )

    def _convert_string(self, string, name, paths, with_webp):
        tf = import_tensorflow()
        if paths:

            def read():
                # Paths need not be valid UTF-8, but error messages must be.
                path = tf.strings.unicode_transcode(string, "UTF-8", "UTF-8")
                return tf.io.read_file(string), tf.strings.join([name, ": ", path])

            is_file = image_files.is_image_file(string)
            string, name = tf.cond(is_file, lambda: (string, name), read)
        return _decoder(self.image_size, with_webp)(string, name)

    def _convert_ragged(self, pixels, name):
        """One picture of a batch whose pictures differ in size."""
        tf = import_tensorflow()
        if isinstance(pixels, tf.RaggedTensor):
            widths = pixels.row_lengths()
            even = tf.reduce_all(widths == widths[:1])
            text = tf.strings.join(["The image ", name, " must have rows of equal width."])
            with tf.control_dependencies([tf.debugging.Assert(even, [text])]):
                pixels = pixels.to_tensor()
        return self._convert_pixels(pixels, name)

    def _convert_pixels(self, pixels, names):
        tf = import_tensorflow()
        if pixels.shape.rank == 2:
            pixels = pixels[..., None]
        image_pixels.check_form(pixels.dtype.name, pixels.shape, "Images")
        pixels = image_pixels.checked(pixels, tf.strings.join(["The image ", names]))
        return self._resize(pixels)

    def _resize(self, pixels):
        return image_files.resize(image_pixels.to_rgb(pixels), self.image_size)

    def _convert_item(self, item):
        """Converts one item eagerly, so that an error can say what is wrong."""
        tf = import_tensorflow()
        if isinstance(item.value, np.ndarray):
            return self._resize(tf.convert_to_tensor(item.value))
        contents = item.value
        if isinstance(contents, str):
            with open(contents, "rb") as file:
                contents = file.read()
        try:
            decode = _decoder(self.image_size, True)
            return decode(tf.constant(contents), tf.constant(utf8(item.name)))
        except tf.errors.OpError as error:
            raise ValueError(
                f"The image {item.name!r} cannot be read ({len(contents):,} bytes): "
                f"{asserted.reason(error)} Replace the file or leave it out."
            ) from error

    def get_config(self):
        return {"image_size": self.image_size}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@functools.cache
def _decoder(size, with_webp):
    """`image_files.decode` as a `tf.function`, so that its many operations are traced once."""
    tf = import_tensorflow()
    return tf.function(
        lambda contents, name: image_files.decode(contents, size, name, with_webp),
        input_signature=[tf.TensorSpec([], tf.string)] * 2,
        autograph=False,
    )
