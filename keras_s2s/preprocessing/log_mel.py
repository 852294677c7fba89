"""Log-mel spectrograms of waveforms, in TensorFlow ops."""

import functools

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow

#: The smallest power of a band, so that silence has a logarithm.
FLOOR = 1e-10


@keras.saving.register_keras_serializable("keras_s2s")
class LogMelSpectrogram:
    """Waveforms to the logarithm of the power in bands of the mel scale.

    Frame `i` has the samples around `i * hop_length`. The power is that of librosa's
    `melspectrogram(power=2, htk=True, norm=None, pad_mode="reflect")`, and its logarithm has a
    fixed floor. A waveform gives the same alone and in a batch: its frames do not depend on the
    others, nor on padding.

    Args:
        sample_rate: Integer, samples per second.
        num_mels: Integer, the number of bands.
        fft_length: Integer, samples of a frame.
        window_length: Integer, samples of its Hann window, in the middle of the frame.
        hop_length: Integer, samples from frame to frame.
        min_frequency, max_frequency: Floats, Hz, the range of the bands; by default up to half of
            the sample rate.

    Call arguments:
        waveforms: Float32 `(batch, samples)`.
        lengths: Integers `(batch,)`, the samples of each without padding.

    Returns:
        Float32 `(batch, frames, num_mels)`, with `1 + length // hop_length` frames of each
        waveform, none of an empty one. The rest is padded with rows of 0; no frame is all 0.

    Example:
    ```python
    import numpy as np

    from keras_s2s.preprocessing import LogMelSpectrogram

    spectrogram = LogMelSpectrogram()
    waveforms = np.random.default_rng(0).normal(size=(2, 1600)).astype("float32")
    assert spectrogram(waveforms, [1600, 800]).shape == (2, 11, 80)
    ```

    References:
        Davis and Mermelstein, 1980, https://doi.org/10.1109/TASSP.1980.1163420 (the mel scale in
        speech recognition).
    """

    def __init__(
        self,
        sample_rate=16000,
        num_mels=80,
        fft_length=512,
        window_length=400,
        hop_length=160,
        min_frequency=0.0,
        max_frequency=None,
    ):
        self.sample_rate = check_int("sample_rate", sample_rate, 1)
        self.num_mels = check_int("num_mels", num_mels, 1)
        self.fft_length = check_int("fft_length", fft_length, 2)
        self.window_length = check_int("window_length", window_length, 1)
        self.hop_length = check_int("hop_length", hop_length, 1)
        self.min_frequency = min_frequency
        self.max_frequency = sample_rate / 2 if max_frequency is None else max_frequency
        if window_length > fft_length:
            raise ValueError(
                f"`window_length` must be at most `fft_length`, {fft_length}. Received: "
                f"{window_length}"
            )
        if not 0 <= self.min_frequency < self.max_frequency <= sample_rate / 2:
            raise ValueError(
                "Frequencies must be 0 <= `min_frequency` < `max_frequency` <= `sample_rate` / 2. "
                f"Received: {self.min_frequency}, {self.max_frequency}, {sample_rate} / 2"
            )

    def num_frames(self, lengths):
        """The number of frames of waveforms of these lengths, integers or an integer tensor."""
        tf = import_tensorflow()
        lengths = tf.convert_to_tensor(lengths)
        return tf.where(lengths > 0, 1 + lengths // self.hop_length, 0)

    def __call__(self, waveforms, lengths):
        tf = import_tensorflow()
        waveforms = tf.convert_to_tensor(waveforms, tf.float32)
        lengths = tf.cast(lengths, tf.int32)
        counts = self.num_frames(lengths)
        power = self._power(self._frames(waveforms, lengths, tf.reduce_max(counts, keepdims=False)))
        mels = tf.math.log(tf.maximum(tf.matmul(power, self._bands()), FLOOR))
        is_frame = tf.range(tf.shape(mels)[1]) < counts[:, None]
        return tf.where(is_frame[..., None], mels, 0.0)

    def _frames(self, waveforms, lengths, count):
        """Overlapping pieces `(batch, count, fft_length)`, reflected at both ends."""
        tf = import_tensorflow()
        starts = tf.range(tf.maximum(count, 0)) * self.hop_length - self.fft_length // 2
        index = (starts[:, None] + tf.range(self.fft_length))[None]
        last = tf.maximum(lengths - 1, 0)[:, None, None]
        index = tf.math.floormod(index, tf.maximum(2 * last, 1))
        index = tf.minimum(index, 2 * last - index)
        # Empty waveforms have no frames, but indices; and so may a batch have no samples.
        waveforms = tf.pad(waveforms, [[0, 0], [0, 1]])
        return tf.gather(waveforms, tf.maximum(index, 0), batch_dims=1)

    def _power(self, frames):
        """`(..., fft_length)` to `(..., fft_length // 2 + 1)`."""
        tf = import_tensorflow()
        # A matrix product: servers and LiteRT have it, and it is as fast at these sizes.
        real, imaginary = (tf.matmul(frames, matrix) for matrix in self._transform())
        return tf.square(real) + tf.square(imaginary)

    def _transform(self):
        return _fourier(self.fft_length, self.window_length)

    def _bands(self):
        return _mel_bands(
            self.sample_rate, self.fft_length, self.num_mels, self.min_frequency, self.max_frequency
        )

    def get_config(self):
        return {
            "sample_rate": self.sample_rate,
            "num_mels": self.num_mels,
            "fft_length": self.fft_length,
            "window_length": self.window_length,
            "hop_length": self.hop_length,
            "min_frequency": self.min_frequency,
            "max_frequency": self.max_frequency,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@functools.cache
def _fourier(length, window_length):
    """The real and imaginary parts of a discrete Fourier transform of a frame under a window."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)
    before = (length - window_length) // 2
    window = np.pad(window, (before, length - window_length - before))
    angles = 2 * np.pi * np.outer(np.arange(length), np.arange(length // 2 + 1)) / length
    parts = window[:, None] * np.cos(angles), -window[:, None] * np.sin(angles)
    return tuple(part.astype("float32") for part in parts)


@functools.cache
def _mel_bands(sample_rate, length, num_mels, low, high):
    """Triangles over the frequencies, `(length // 2 + 1, num_mels)`, evenly spaced in mel."""

    def to_mel(hertz):
        return 2595 * np.log10(1 + hertz / 700)

    mels = np.linspace(to_mel(low), to_mel(high), num_mels + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    frequencies = np.arange(length // 2 + 1) * sample_rate / length
    rise = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rise, fall), 0).astype("float32")
