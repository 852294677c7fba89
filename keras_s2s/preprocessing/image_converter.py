import functools
import re
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import image_files, image_items


@keras.saving.register_keras_serializable("keras_s2s")
class ImageConverter:
    """Images of any size and form to pixels of one size, in TensorFlow ops.

    Files are decoded, turned as their Exif data say, and put on white where they are transparent;
    grey becomes RGB. The aspect ratio is not kept: the whole picture is squeezed, so that nothing
    is cut off. Pixels stay in 0..255, since scaling belongs to the encoder.

    Args:
        image_size: Tuple of height and width.

    Call arguments:
        images: As of `keras_s2s.preprocessing.image_items.as_items`; in a graph a tensor of
            strings `()` or `(batch,)`, the contents of files or paths, or of pixels
            `([batch,] height, width, channels)`.

    Returns:
        Float32 `([batch,] *image_size, 3)`.

    Raises:
        ValueError: If an image cannot be read; the message names it.

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
        if len(image_size) != 2 or not all(isinstance(s, int) and s > 0 for s in image_size):
            raise ValueError(
                "`image_size` must be two positive integers, height and width. Received: "
                f"{image_size!r}"
            )
        self.image_size = tuple(image_size)

    def __call__(self, images):
        tf = import_tensorflow()
        if tf.is_tensor(images) and not tf.executing_eagerly():
            return self.convert(images)
        items, single = image_items.as_items(images)
        if single:
            return self._convert_item(items[0])
        # Reading and decoding wait for the disk, or run outside of Python.
        with ThreadPoolExecutor() as threads:
            pixels = list(threads.map(self._convert_item, items))
        return tf.stack(pixels) if pixels else tf.zeros((0, *self.image_size, 3))

    def convert(self, images, names=None, paths=True, with_webp=True):
        """The same for tensors only.

        Args:
            images: Tensor of strings, `()` or `(batch,)`, or pixels `([batch,] height, width,
                channels)`.
            names: What error messages call the images beside their paths, strings as many; by
                default the number in the batch.
            paths: Whether strings may be paths, too. Not in a server, where they come from
                outside.
            with_webp: As in `image_files.decode`.

        Returns:
            Float32 `([batch,] *image_size, 3)`.
        """
        tf = import_tensorflow()
        images = tf.convert_to_tensor(images)
        if images.dtype != tf.string:
            return self._convert_pixels(images)
        if images.shape.rank == 0:
            return self._convert_string(images, names, paths, with_webp)
        if names is None:
            number = tf.strings.as_string(tf.range(tf.size(images)))
            names = tf.strings.join(["number ", number, " of the batch, from 0"])
        return tf.map_fn(
            lambda pair: self._convert_string(*pair, paths, with_webp),
            (images, names),
            fn_output_signature=tf.TensorSpec((*self.image_size, 3), tf.float32),
        )

    def _convert_string(self, string, name, paths, with_webp):
        tf = import_tensorflow()
        if paths:
            is_file = image_files.is_image_file(string)
            path = string if name is None else tf.strings.join([name, ": ", string])
            name = tf.where(is_file, "the only one" if name is None else name, path)
            string = tf.cond(is_file, lambda: string, lambda: tf.io.read_file(string))
        name = "the only one" if name is None else name
        return image_files.decode(string, self.image_size, name, with_webp)

    def _convert_pixels(self, pixels):
        tf = import_tensorflow()
        channels = pixels.shape[-1]
        if pixels.shape.rank not in (3, 4) or channels not in image_items.CHANNELS:
            raise ValueError(
                "Images must be ([batch,] height, width, channels) with 1 to 4 channels. Received: "
                f"shape {tuple(pixels.shape)}"
            )
        if pixels.dtype.is_floating:
            within = tf.reduce_all((pixels >= 0) & (pixels <= 255), axis=(-3, -2, -1))
            told = ["Pixels must be in 0..255, and are not in all of these images:", within]
            with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(within), told)]):
                pixels = tf.identity(pixels)
        pixels = tf.cast(pixels, tf.float32)
        if channels in (2, 4):
            alpha = pixels[..., -1:] / 255.0
            pixels = pixels[..., :-1] * alpha + 255.0 * (1 - alpha)
        if channels < 3:
            pixels = tf.repeat(pixels, 3, axis=-1)
        return image_files.resize(pixels, self.image_size)

    def _convert_item(self, item):
        """Eagerly, so that an error can name what is wrong."""
        tf = import_tensorflow()
        if isinstance(item.value, np.ndarray):
            return self._convert_pixels(tf.convert_to_tensor(item.value))
        contents = item.value
        if isinstance(contents, str):
            with open(contents, "rb") as file:
                contents = file.read()
        try:
            decode = _decoder(self.image_size)
            return decode(tf.constant(contents), tf.constant(item.name))
        except tf.errors.OpError as error:
            raise ValueError(
                f"The image {item.name!r} cannot be read ({len(contents):,} bytes): "
                f"{_reason(error)} Replace the file or leave it out."
            ) from error

    def get_config(self):
        return {"image_size": self.image_size}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@functools.cache
def _decoder(size):
    tf = import_tensorflow()
    return tf.function(
        lambda contents, name: image_files.decode(contents, size, name),
        input_signature=[tf.TensorSpec([], tf.string)] * 2,
        autograph=False,
    )


def _reason(error):
    """What TensorFlow found, without the names of its operations."""
    asserted = re.search(r"\[(This image [^\]]*|This is no [^\]]*):\]", error.message)
    if asserted:
        return f"{asserted[1]}."
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", error.message).strip()
    return text.split("\n")[0].rstrip(".") + "."
