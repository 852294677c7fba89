import numpy as np
import pytest

from keras_s2s.preprocessing.resampling import resample

tf = pytest.importorskip("tensorflow")


@tf.function(
    input_signature=[tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int32)],
    autograph=False,
)
def to_16_khz(waveform, rate):
    return resample(waveform, rate, 16000, "a.wav")


def tone(rate, hertz, seconds=0.5):
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype("float32")


def middle(waveform):
    """Without the ends, where the tones begin and end."""
    return waveform[800:-800]


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("hertz", [100, 3000])
def test_a_tone_stays_the_same_tone(rate, hertz):
    found = to_16_khz(tone(rate, hertz), rate).numpy()
    assert abs(len(found) - 8000) <= 1
    expected = tone(16000, hertz)[: len(found)]
    np.testing.assert_allclose(middle(found), middle(expected)[: len(middle(found))], atol=2e-3)


def test_nothing_is_aliased():
    """A tone above half of the new rate would come back as a lower one."""
    assert np.abs(middle(to_16_khz(tone(44100, 12000), 44100).numpy())).max() < 2e-3


def test_the_same_rate_changes_nothing():
    waveform = np.random.default_rng(0).normal(size=100).astype("float32")
    np.testing.assert_array_equal(to_16_khz(waveform, 16000).numpy(), waveform)


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("samples", [0, 1, 2, 441])
def test_lengths(rate, samples):
    found = to_16_khz(np.ones(samples, "float32"), rate)
    assert found.shape == (-(-samples * 16000 // rate),)


@pytest.mark.parametrize("rate", [44101, 15999])
def test_rates_with_too_little_in_common(rate):
    with pytest.raises(tf.errors.InvalidArgumentError, match="cannot be changed to 16000 Hz"):
        to_16_khz(np.ones(10, "float32"), rate)
