import os

import keras
import numpy as np

from keras_s2s._autograph import unconverted
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing import audio_items
from keras_s2s.preprocessing.as_column import as_column, is_collection, is_numeric
from keras_s2s.preprocessing.audio_converter import AudioConverter
from keras_s2s.preprocessing.column import Column
from keras_s2s.preprocessing.log_mel import LogMelSpectrogram
from keras_s2s.preprocessing.resampling import can_resample, resample


@keras.saving.register_keras_serializable("keras_s2s")
class AudioColumn(Column):
    """An input that is sound: files, samples and the like to log-mel spectrograms.

    Args:
        spectrogram: `LogMelSpectrogram`, whose sample rate all clips get.
        speeds: List of floats. With `sample=True`, as in training, each clip is played at one of
            these speeds, drawn at random (Ko et al., 2015,
            https://www.isca-archive.org/interspeech_2015/ko15_interspeech.html).
        name: The key of the spectrograms among a model's inputs.
        raw_name: The key of the clips in a dict of raw data.

    Example:
    ```python
    import numpy as np
    from keras_s2s.preprocessing import AudioColumn

    column = AudioColumn()
    batch = column.as_batch([np.zeros(1600, "float32"), (np.zeros(800, "int16"), 8000)])
    assert column.encode(batch).shape == (2, 11, 80)
    ```
    """

    needs_tensorflow = True
    reads_files = True
    is_ragged = True

    def __init__(self, spectrogram=None, speeds=(1.0,), name="log_mels", raw_name="audio"):
        super().__init__(name, raw_name)
        self.spectrogram = LogMelSpectrogram() if spectrogram is None else spectrogram
        self.speeds = tuple(speeds)
        if not self.speeds or not all(0.5 <= speed <= 2 for speed in self.speeds):
            raise ValueError(f"`speeds` must be from 0.5 to 2. Received: {speeds}")
        self._converter = AudioConverter(self.spectrogram.sample_rate)
        rate = self.spectrogram.sample_rate
        for speed in self.speeds:
            if not can_resample(round(speed * rate), rate):
                raise ValueError(
                    f"Clips of {rate} Hz cannot be played at the speed {speed}: {rate} and "
                    f"{round(speed * rate)} have too little in common. Take another of `speeds`, "
                    "or another sample rate."
                )

    @property
    def shape(self):
        return (None, self.spectrogram.num_mels)

    @property
    def seconds_per_step(self):
        return self.spectrogram.hop_length / self.spectrogram.sample_rate

    def as_batch(self, values, name="inputs"):
        return self._converter(values)

    @unconverted
    def encode(self, batch, sample=False):
        """Returns float32 log-mels `(batch, frames, num_mels)`, 0 at padding; of one without batch.

        Args:
            batch: Samples, a tensor `(samples,)` or a `tf.RaggedTensor` `(batch, None)`.
            sample: Whether to draw the speeds.
        """
        tf = import_tensorflow()
        if not isinstance(batch, tf.RaggedTensor):
            if batch.shape.rank == 1:
                return self.encode(tf.RaggedTensor.from_tensor(batch[None]), sample)[0]
            batch = tf.RaggedTensor.from_tensor(batch)
        if sample and self.speeds != (1.0,):
            batch = self._at_speeds(batch, tf.constant(self.speeds))
        return self.spectrogram(batch.to_tensor(), batch.row_lengths())

    def at_speed(self, batch, speed):
        """The log-mels of `encode`, of clips that are played at a speed.

        Args:
            batch: `tf.RaggedTensor` of samples.
            speed: Float.
        """
        if speed != 1:
            batch = self._at_speeds(batch, import_tensorflow().constant([float(speed)]))
        return self.spectrogram(batch.to_tensor(), batch.row_lengths())

    def _at_speeds(self, batch, speeds):
        """The samples of each clip at one of the speeds, drawn: taken for those of another rate."""
        tf = import_tensorflow()
        rate = self.spectrogram.sample_rate
        rates = tf.cast(tf.round(speeds * rate), tf.int32)

        def of_one(waveform):
            drawn = tf.random.uniform([], maxval=tf.size(rates), dtype=tf.int32)
            return resample(waveform, rates[drawn], rate, "a clip at another speed")

        spec = tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0)
        return tf.map_fn(of_one, batch, fn_output_signature=spec)

    def is_raw(self, values):
        dtype = getattr(values, "dtype", None)
        if dtype is not None and getattr(values, "shape", None) is not None:
            rank = getattr(values.shape, "rank", len(values.shape))
            return not is_numeric(dtype) or rank in (1, 2, None)
        return audio_items.is_one(values) or is_collection(values)

    def is_one(self, value):
        return audio_items.is_one(value)

    def rank_of_one(self, batch):
        return 0 if getattr(batch.dtype, "name", str(batch.dtype)) == "string" else 1

    def as_items(self, values, name="audio", failures=None):
        return audio_items.as_items(values, name, failures)

    def as_slices(self, values, name):
        tf = import_tensorflow()
        if audio_items.is_one(values):
            raise ValueError(f"`{name}` must be a list of clips, not one clip.")
        items, _ = self.as_items(as_column(values, name), name)

        def read(index):
            return np.asarray(self._converter(items[int(index)]))

        def load(index):
            waveform = tf.numpy_function(read, [index], tf.float32, stateful=False)
            return tf.ensure_shape(waveform, [None])

        return tf.range(len(items)), load

    @unconverted
    def load(self, clip, name=None):
        """One clip as samples of the sample rate."""
        return self._converter.convert(clip, name)

    def size(self, item):
        if isinstance(item.value, str):
            return os.path.getsize(item.value)
        return len(item.value)

    def serving_inputs(self, allowed_ops):
        tf = import_tensorflow()
        files, samples = f"{self.raw_name}_wav_bytes", self.raw_name
        if self.raw_name == "audio":
            files = "wav_bytes"

        def of_files(**tensors):
            # Paths would let clients read files of the server.
            return self._converter.convert(tensors[files], paths=False)

        def of_samples(**tensors):
            # Rows of samples at the column's rate, of these lengths.
            lengths, width = tensors["length"], tf.shape(tensors[samples])[1]
            fits = tf.reduce_all((lengths >= 0) & (lengths <= width))
            check = tf.debugging.Assert(fits, ["A `length` is not from 0 to", width, lengths])
            with tf.control_dependencies([check]):
                lengths = tf.identity(lengths)
            ragged = tf.RaggedTensor.from_tensor(tensors[samples], lengths=lengths)
            return self._converter.convert(ragged)

        return {
            files: ({files: tf.TensorSpec([None], tf.string, name=files)}, of_files),
            samples: (
                {
                    samples: tf.TensorSpec([None, None], tf.float32, name=samples),
                    "length": tf.TensorSpec([None], tf.int32, name="length"),
                },
                of_samples,
            ),
        }

    def described(self):
        mels = self.spectrogram
        text = f"{mels.num_mels} bands, {mels.sample_rate / mels.hop_length:g} frames a second"
        return [("spectrogram", mels, f"{text}, {mels.sample_rate:,} Hz")]

    def get_config(self):
        return {
            **super().get_config(),
            "spectrogram": keras.saving.serialize_keras_object(self.spectrogram),
            "speeds": list(self.speeds),
        }

    @classmethod
    def from_config(cls, config):
        spectrogram = keras.saving.deserialize_keras_object(config["spectrogram"])
        return cls(**{**config, "spectrogram": spectrogram})
