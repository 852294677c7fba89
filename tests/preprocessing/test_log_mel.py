import keras
import numpy as np
import pytest

from keras_s2s.preprocessing import LogMelSpectrogram
from keras_s2s.preprocessing.log_mel import FLOOR

tf = pytest.importorskip("tensorflow")

# The powers of some frames of `chirp()`, by librosa 0.11:
# librosa.feature.melspectrogram(
#     y=chirp(), sr=16000, n_fft=512, hop_length=160, win_length=400, window="hann", center=True,
#     pad_mode="reflect", power=2.0, n_mels=20, fmin=20.0, fmax=7600.0, htk=True, norm=None
# )
LIBROSA = {
    0: [
        114.76,
        500.187,
        750.024,
        261.772,
        19.7179,
        6.84592,
        2.81213,
        1.25437,
        0.310199,
        0.404322,
        0.21082,
        0.116229,
        0.114,
        0.0852431,
        0.266931,
        0.295226,
        0.137478,
        0.414523,
        0.341366,
        0.303352,
    ],
    1: [
        0.806695,
        66.3849,
        1330.02,
        317.401,
        0.296826,
        0.107996,
        0.0608,
        0.116566,
        0.0487287,
        0.1292,
        0.121024,
        0.138124,
        0.125834,
        0.153781,
        0.206926,
        0.161954,
        0.225792,
        0.424646,
        0.279399,
        0.373241,
    ],
    2: [
        0.0373358,
        4.0873,
        917.127,
        814.872,
        1.51133,
        0.0371263,
        0.0889163,
        0.0844099,
        0.0810664,
        0.187393,
        0.134528,
        0.253816,
        0.225158,
        0.209427,
        0.230998,
        0.179694,
        0.363414,
        0.283023,
        0.250153,
        0.303083,
    ],
    12: [
        0.0422993,
        0.0485669,
        0.0906932,
        0.137865,
        12.3625,
        1381.39,
        320.678,
        0.0633172,
        0.0680208,
        0.108329,
        0.063106,
        0.119925,
        0.154424,
        0.175545,
        0.262236,
        0.208036,
        0.311179,
        0.326318,
        0.263692,
        0.310861,
    ],
    13: [
        0.0320328,
        0.025261,
        0.0460659,
        0.109255,
        0.746584,
        1018.96,
        691.066,
        0.15079,
        0.155554,
        0.0753263,
        0.0996604,
        0.210449,
        0.194488,
        0.222471,
        0.273807,
        0.240138,
        0.263433,
        0.449078,
        0.362749,
        0.48057,
    ],
    24: [
        0.0536281,
        0.0597457,
        0.0743669,
        0.13637,
        0.109092,
        0.183639,
        0.3941,
        711.873,
        1008.97,
        0.731902,
        0.220839,
        0.307715,
        0.288557,
        0.241929,
        0.161744,
        0.189479,
        0.318501,
        0.344775,
        0.296337,
        0.451538,
    ],
    25: [
        2.79381,
        3.4416,
        4.46069,
        6.28214,
        7.21853,
        13.8469,
        29.6292,
        657.577,
        954.253,
        56.2129,
        8.59809,
        4.56302,
        2.49055,
        1.42889,
        0.693676,
        0.900296,
        0.703083,
        0.569529,
        0.345162,
        0.460367,
    ],
}


def chirp():
    times = np.arange(4000) / 16000
    noise = np.random.default_rng(7).normal(size=4000)
    tone = 0.3 * np.sin(2 * np.pi * (300 + 2000 * times) * times)
    return (tone + 0.01 * noise).astype("float32")


def clips(*lengths):
    rng = np.random.default_rng(0)
    return [rng.normal(size=length).astype("float32") for length in lengths]


def padded(rows, value=0.0):
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - len(row)), constant_values=value) for row in rows])


@pytest.fixture(scope="module")
def spectrogram():
    return LogMelSpectrogram(num_mels=20, min_frequency=20.0, max_frequency=7600.0)


def test_it_equals_librosa(spectrogram):
    mels = spectrogram(chirp()[None], [4000]).numpy()
    assert mels.shape == (1, 26, 20) and mels.dtype == "float32"
    for frame, powers in LIBROSA.items():
        np.testing.assert_allclose(np.exp(mels[0, frame]), powers, rtol=2e-3, atol=1e-5)


def test_a_clip_does_not_depend_on_its_batch(spectrogram):
    """Quiet beside loud, short beside long, whatever the padding holds."""
    quiet, loud, short = clips(1000, 3000, 161)
    rows = [quiet * 1e-3, loud * 100, short]
    lengths = [len(row) for row in rows]
    for value in (0.0, 7.0, np.nan):
        mels = spectrogram(padded(rows, value), lengths).numpy()
        for row, length, found in zip(rows, lengths, mels):
            [alone] = spectrogram(row[None], [length]).numpy()
            assert len(alone) == 1 + length // 160
            np.testing.assert_allclose(found[: len(alone)], alone, atol=1e-5)
            assert not found[len(alone) :].any()


@pytest.mark.parametrize("length", [1, 2, 160, 256, 257, 512])
def test_short_clips(spectrogram, length):
    """As NumPy reflects them, over and over."""
    [clip] = clips(length)
    mels = spectrogram(clip[None], [length]).numpy()
    whole = np.pad(clip, 256, mode="reflect" if length > 1 else "edge")
    index = np.arange(1 + length // 160)[:, None] * 160 + np.arange(512)
    window = np.pad(np.hanning(401)[:-1], 56)
    power = np.abs(np.fft.rfft(whole[index] * window)) ** 2
    expected = np.log(np.maximum(power @ spectrogram._bands(), FLOOR))
    np.testing.assert_allclose(mels[0], expected, atol=1e-2)


def test_empty_clips_and_batches(spectrogram):
    mels = spectrogram(padded(clips(0, 320)), [0, 320]).numpy()
    assert mels.shape == (2, 3, 20) and not mels[0].any() and mels[1].all()
    assert spectrogram(np.zeros((2, 0), "float32"), [0, 0]).shape == (2, 0, 20)
    assert spectrogram(np.zeros((0, 5), "float32"), np.zeros(0, "int32")).shape == (0, 0, 20)


def test_silence_is_the_floor(spectrogram):
    mels = spectrogram(np.zeros((1, 800), "float32"), [800]).numpy()
    np.testing.assert_allclose(mels, np.log(FLOOR), rtol=1e-6)


def test_in_a_graph(spectrogram):
    rows = clips(700, 900)
    expected = spectrogram(padded(rows), [700, 900]).numpy()
    dataset = tf.data.Dataset.from_tensors((padded(rows), [700, 900])).map(spectrogram)
    np.testing.assert_allclose(next(iter(dataset)).numpy(), expected, atol=1e-5)


def test_its_config(spectrogram):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(spectrogram))
    assert again.get_config() == spectrogram.get_config()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"window_length": 513}, "`window_length` must be at most `fft_length`, 512"),
        ({"max_frequency": 9000.0}, "`max_frequency` <= `sample_rate` / 2"),
        ({"min_frequency": 8000.0}, "`min_frequency` < `max_frequency`"),
        ({"num_mels": 0}, "`num_mels`"),
        ({"hop_length": 0.5}, "`hop_length`"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LogMelSpectrogram(**options)
