import functools
import io
import os
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_s2s._autograph import unconverted
from keras_s2s._checks import check_int
from keras_s2s._optional import import_soundfile, import_tensorflow
from keras_s2s.preprocessing import asserted, audio_items, wav_files
from keras_s2s.preprocessing.as_column import utf8
from keras_s2s.preprocessing.resampling import resample


@keras.saving.register_keras_serializable("keras_s2s")
class AudioConverter:
    """Sound of any form to waveforms of one sample rate, in TensorFlow ops.

    WAV files are decoded in the graph. Others, such as FLAC, Ogg and MP3, are read by the package
    `soundfile`, so not by an exported model. Several channels are averaged.

    A clip gives the same in every form: path, contents of the file, samples with their rate,
    tensor, element of a `tf.data.Dataset`, input of an export. Samples that come without a rate
    have that of the converter.

    Args:
        sample_rate: Integer, samples per second.

    Call arguments:
        clips: As in `keras_s2s.preprocessing.audio_items.as_items`; in a graph a tensor of
            strings `()` or `(batch,)`, the contents of files or paths, or of samples `([batch,]
            samples)`, or a `tf.RaggedTensor` of samples.

    Returns:
        Float32 samples: of one clip a tensor `(samples,)`, of several a `tf.RaggedTensor`
        `(batch, None)`.

    Raises:
        TypeError: If an object is no clip.
        ValueError: If a clip cannot be read; the message names it.
        tf.errors.InvalidArgumentError: The same in a graph.
        ImportError: If a file needs `soundfile`, which is not installed.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    converter = keras_s2s.preprocessing.AudioConverter(8000)
    samples = np.zeros((16000, 2), "int16")
    waveforms = converter([(samples, 16000), np.zeros(100, "float32")])
    assert waveforms.row_lengths().numpy().tolist() == [8000, 100]
    ```
    """

    def __init__(self, sample_rate=16000):
        self.sample_rate = check_int("sample_rate", sample_rate, 1)

    def __call__(self, clips):
        tf = import_tensorflow()
        if tf.is_tensor(clips) and not tf.executing_eagerly():
            return self.convert(clips)
        items, single = audio_items.as_items(clips)
        if single:
            return tf.constant(self._convert_item(items[0]))
        # Threads help: reading waits for the disk, and decoding runs outside of Python.
        with ThreadPoolExecutor() as threads:
            waveforms = list(threads.map(self._convert_item, items))
        lengths = [len(waveform) for waveform in waveforms]
        values = np.concatenate([*waveforms, np.zeros(0, "float32")])
        return tf.RaggedTensor.from_row_lengths(values, np.array(lengths, "int64"))

    @unconverted
    def convert(self, clips, names=None, paths=True):
        """Converts clips that are tensors.

        Args:
            clips: Tensor of strings, `()` or `(batch,)`, or of samples at the converter's rate,
                `([batch,] samples)`; or a `tf.RaggedTensor` of samples.
            names: Names of the clips in error messages, beside their paths: as many strings. By
                default the number in the batch.
            paths: Whether strings may be paths, and files other than WAV. Not in a server, where
                they come from outside and which has no `soundfile`.

        Returns:
            As the call.
        """
        tf = import_tensorflow()
        if clips.dtype != tf.string:
            return self._checked(clips)
        if names is None and clips.shape.rank == 0:
            names = tf.constant("(the only one)")
        elif names is None:
            number = tf.strings.as_string(tf.range(tf.shape(clips)[0]))
            names = tf.strings.join(["number ", number, " of the batch (from 0)"])
        if clips.shape.rank == 0:
            return self._convert_string(clips, names, paths)
        return tf.map_fn(
            lambda pair: self._convert_string(*pair, paths),
            (clips, names),
            fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
        )

    def _checked(self, samples):
        """Samples as floats of one channel, which may hold nothing but numbers."""
        tf = import_tensorflow()
        ragged = isinstance(samples, tf.RaggedTensor)
        values = samples.flat_values if ragged else tf.convert_to_tensor(samples)
        if values.dtype in (tf.int16, tf.int32):
            values = tf.cast(values, tf.float32) / -float(values.dtype.min)
        elif values.dtype == tf.uint8:
            values = (tf.cast(values, tf.float32) - 128) / 128
        elif not values.dtype.is_floating:
            raise TypeError(
                "Samples must be floats from -1 to 1, or integers of 8 (unsigned), 16 or 32 bits. "
                f"Received dtype {values.dtype.name}."
            )
        values = tf.cast(values, tf.float32)
        # Also false for NaN.
        usual = tf.reduce_all(tf.abs(values) <= audio_items.LARGEST)
        message = "The samples of a clip hold NaN, infinity or numbers far outside of -1 to 1."
        check = tf.debugging.Assert(usual, [message])
        with tf.control_dependencies([check]):
            values = tf.identity(values)
        if ragged:
            return samples.with_flat_values(values)
        return values if values.shape.rank == 1 else tf.RaggedTensor.from_tensor(values)

    def _convert_string(self, string, name, paths):
        tf = import_tensorflow()
        if not paths:
            return self._decoded(string, name)

        def read():
            # Paths need not be valid UTF-8, but error messages must be.
            path = tf.strings.unicode_transcode(string, "UTF-8", "UTF-8")
            return tf.io.read_file(string), tf.strings.join([name, ": ", path])

        is_file = tf.numpy_function(_is_file, [string], tf.bool, stateful=False)
        contents, name = tf.cond(is_file, lambda: (string, name), read)
        waveform = tf.cond(
            wav_files.is_wav(contents),
            lambda: self._decoded(contents, name),
            lambda: tf.numpy_function(self._read_on_host, [contents, name], tf.float32),
        )
        return tf.ensure_shape(waveform, [None])

    def _decoded(self, contents, name):
        return _decoder(self.sample_rate)(contents, name)

    def _convert_item(self, item):
        """Converts one item eagerly to an array, so that an error can say what is wrong."""
        tf = import_tensorflow()
        name = utf8(item.name)
        if isinstance(item.value, np.ndarray):
            if item.rate in (None, self.sample_rate):
                return item.value
            convert = functools.partial(_resampler(self.sample_rate), item.value, item.rate, name)
            size = f"{len(item.value):,} samples"
        else:
            contents = item.value
            if isinstance(contents, str):
                with open(contents, "rb") as file:
                    contents = file.read()
            if not wav_files.is_wav(contents):
                return self._read_on_host(contents, name.encode())
            convert = functools.partial(_decoder(self.sample_rate), contents, name)
            size = f"{len(contents):,} bytes"
        try:
            return convert().numpy()
        except tf.errors.OpError as error:
            raise ValueError(
                f"The clip {item.name!r} cannot be read ({size}): {asserted.reason(error)} Replace "
                "it or leave it out."
            ) from error

    def _read_on_host(self, contents, name):
        """A file of another format than WAV, as an array."""
        kind, name = audio_items.kind_of_file(contents), name.decode()
        message = f"The clip {name!r} cannot be read ({len(contents):,} bytes): "
        if kind is None:
            raise ValueError(
                f"{message}this is not an audio file; it begins with {contents[:12]!r}. Replace it "
                "or leave it out."
            )
        soundfile = import_soundfile()
        try:
            samples, rate = soundfile.read(io.BytesIO(contents), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise ValueError(f"{message}{error} Replace it or leave it out.") from error
        item = audio_items.AudioItem(samples.mean(axis=1), rate, name)
        return self._convert_item(item)

    def get_config(self):
        return {"sample_rate": self.sample_rate}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _is_file(string):
    """Whether a string holds the contents of a file, and is no path."""
    return np.bool_(
        audio_items.kind_of_file(string) is not None and not os.path.isfile(string[:4096])
    )


@functools.cache
def _decoder(sample_rate):
    """From the contents of a WAV file to a waveform, traced once."""
    tf = import_tensorflow()

    def decode(contents, name):
        waveform, rate = wav_files.decode(contents, name)
        return resample(waveform, rate, sample_rate, name)

    signature = [tf.TensorSpec([], tf.string)] * 2
    return tf.function(decode, input_signature=signature, autograph=False)


@functools.cache
def _resampler(sample_rate):
    tf = import_tensorflow()
    return tf.function(
        lambda waveform, rate, name: resample(waveform, rate, sample_rate, name),
        input_signature=[
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.string),
        ],
        autograph=False,
    )
