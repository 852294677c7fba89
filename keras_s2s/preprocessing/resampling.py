"""Changes the sample rate of waveforms, in TensorFlow ops."""

import math

from keras_s2s._optional import import_tensorflow

# Zero crossings of the filter on each side, and its cutoff as a share of the largest possible.
_ZEROS, _ROLLOFF = 16, 0.95
# The most weights of a filter: those of 44,101 to 16,000 Hz would fill gigabytes.
_MOST_WEIGHTS = 5_000_000


def resample(waveform, rate, new_rate, name):
    """A waveform at another sample rate, filtered so that nothing is aliased.

    The filter is a sinc under a Hann window (Smith, 2002, Digital Audio Resampling,
    https://ccrma.stanford.edu/~jos/resample/).

    Args:
        waveform: Float32 tensor `(samples,)`.
        rate: Its sample rate, a scalar int32 tensor.
        new_rate: Integer.
        name: Scalar `tf.string`, what an error message calls the waveform.

    Returns:
        Float32 `(ceil(samples * new_rate / rate),)`.

    Raises:
        tf.errors.InvalidArgumentError: If the rates have too little in common, such as 44,101 and
            16,000 Hz.

    Example:
    ```python
    import numpy as np
    import tensorflow as tf

    from keras_s2s.preprocessing.resampling import resample

    tone = tf.constant(np.sin(np.arange(4410) / 44100 * 440 * 2 * np.pi), tf.float32)
    assert resample(tone, tf.constant(44100), 16000, "tone").shape == (1600,)
    ```
    """
    tf = import_tensorflow()
    return tf.cond(
        rate == new_rate, lambda: waveform, lambda: _resample(waveform, rate, new_rate, name)
    )


def can_resample(rate, new_rate):
    """Whether `resample` takes these rates, integers."""
    common = math.gcd(rate, new_rate)
    down, up = rate // common, new_rate // common
    width = math.ceil(_ZEROS / (min(1, up / down) * _ROLLOFF))
    return (2 * width + down) * up <= _MOST_WEIGHTS


def _resample(waveform, rate, new_rate, name):
    tf = import_tensorflow()
    common = _common_divisor(rate, new_rate)
    # Each `down` samples become `up` samples.
    down, up = rate // common, new_rate // common
    cutoff = tf.minimum(1.0, tf.cast(up / down, tf.float32)) * _ROLLOFF
    # The filter reaches over this many samples on each side.
    width = tf.cast(tf.math.ceil(_ZEROS / cutoff), tf.int32)
    taps = 2 * width + down
    message = f"The sample rate cannot be changed to {new_rate} Hz; take a usual one:"
    few = tf.cast(taps, tf.int64) * tf.cast(up, tf.int64) <= _MOST_WEIGHTS
    with tf.control_dependencies([tf.debugging.Assert(few, [message, name])]):
        positions = tf.cast(tf.range(taps) - width, tf.float32)[:, None]
    times = tf.cast(tf.range(up), tf.float32) * tf.cast(down / up, tf.float32)
    kernel = _filter(times - positions, cutoff)
    samples = tf.size(waveform)
    length = tf.cast(
        -(-tf.cast(samples, tf.int64) * tf.cast(up, tf.int64) // tf.cast(down, tf.int64)), tf.int32
    )
    blocks = -(-length // up)
    padded = tf.pad(waveform, [[width, width + down + blocks * down]])
    index = tf.range(blocks)[:, None] * down + tf.range(taps)
    return tf.reshape(tf.matmul(tf.gather(padded, index), kernel), [-1])[:length]


def _filter(times, cutoff):
    """The weights of a low-pass filter, at times in samples."""
    tf = import_tensorflow()
    angle = math.pi * cutoff * times
    sinc = tf.where(angle == 0, 1.0, tf.sin(angle) / tf.where(angle == 0, 1.0, angle))
    hann = tf.where(tf.abs(angle) < math.pi * _ZEROS, tf.cos(angle / (2 * _ZEROS)) ** 2, 0.0)
    return cutoff * sinc * hann


def _common_divisor(a, b):
    tf = import_tensorflow()
    a, b = tf.convert_to_tensor(a), tf.convert_to_tensor(b)
    divisor, _ = tf.while_loop(lambda x, y: y > 0, lambda x, y: (y, x % y), (a, b))
    return divisor
