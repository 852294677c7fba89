"""Sound in every form gives the same waveform, and what is none gives an error that names it."""

import io
import os
import sys

import keras
import numpy as np
import pytest

from keras_s2s.preprocessing import AudioConverter
from tests.preprocessing.test_wav_files import as_bits, wav

tf = pytest.importorskip("tensorflow")
soundfile = pytest.importorskip("soundfile")

SAMPLES = (0.5 * np.sin(np.arange(1000) / 7)).astype("float32")


def in_format(form, rate=16000, samples=SAMPLES, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, **options)
    return file.getvalue()


WAV, FLAC = in_format("WAV", subtype="FLOAT"), in_format("FLAC")


@pytest.fixture
def converter():
    return AudioConverter(16000)


def test_forms_of_one_clip(converter, tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(WAV)
    integers = np.round(SAMPLES * 2**15).astype("int16")
    for clip in (
        WAV,
        str(path),
        path,
        os.fsencode(path),
        SAMPLES,
        SAMPLES.astype("float64"),
        (SAMPLES, 16000),
        (np.stack([SAMPLES, SAMPLES], axis=1), 16000.0),
        {"array": SAMPLES.tolist(), "sampling_rate": 16000, "path": None},
        tf.constant(SAMPLES),
        integers,
        integers.astype("int32") * 65536,
        np.round(SAMPLES * 128 + 128).astype("uint8"),
    ):
        waveform = converter(clip)
        assert waveform.shape == (1000,) and waveform.dtype == tf.float32
        tolerance = 0.01 if getattr(clip, "dtype", None) == np.uint8 else 1e-4
        np.testing.assert_allclose(waveform, SAMPLES, atol=tolerance)


def test_a_batch_is_ragged(converter):
    waveforms = converter([WAV, SAMPLES[:10], (SAMPLES, 8000), np.zeros(0)])
    assert waveforms.row_lengths().numpy().tolist() == [1000, 10, 2000, 0]
    np.testing.assert_array_equal(waveforms[1], SAMPLES[:10])
    assert converter([]).shape[0] == 0
    assert converter(np.zeros((3, 20), "float32")).shape[0] == 3


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates(converter, rate):
    count = 1000 * 16000 // rate + (rate == 44100)
    for clip in (in_format("WAV", rate), (SAMPLES, rate)):
        assert converter(clip).shape == (count,)


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3", "AIFF"])
def test_what_soundfile_reads(converter, form, tmp_path):
    contents = in_format(form)
    waveform = converter(contents).numpy()
    assert abs(len(waveform) - 1000) < 100
    tolerance = 1e-4 if form in ("FLAC", "AIFF") else 0.2
    np.testing.assert_allclose(waveform[:900], SAMPLES[:900], atol=tolerance)
    (tmp_path / "clip").write_bytes(contents)
    np.testing.assert_array_equal(converter(tmp_path / "clip"), waveform)


@pytest.mark.slow
def test_in_a_dataset(converter, tmp_path):
    """WAV files in the graph, others on the host."""
    clips = [WAV, in_format("FLAC", 8000), in_format("WAV", 44100)]
    for i, contents in enumerate(clips):
        (tmp_path / f"{i}").write_bytes(contents)
    expected = converter(clips)
    paths = [str(tmp_path / f"{i}") for i in range(3)]
    for strings in (clips, paths):
        one_by_one = tf.data.Dataset.from_tensor_slices(strings).map(converter)
        for waveform, right in zip(one_by_one, expected, strict=True):
            np.testing.assert_allclose(waveform, right, atol=1e-6)
        [batch] = tf.data.Dataset.from_tensors(strings).map(converter)
        np.testing.assert_array_equal(batch.row_lengths(), expected.row_lengths())
        np.testing.assert_allclose(batch.flat_values, expected.flat_values, atol=1e-6)
    [batch] = tf.data.Dataset.from_tensors(np.stack([SAMPLES] * 2)).map(converter)
    assert batch.row_lengths().numpy().tolist() == [1000, 1000]
    [batch] = tf.data.Dataset.from_tensors(expected).map(converter)
    np.testing.assert_array_equal(batch.flat_values, expected.flat_values)


BROKEN = {
    "cut short": (WAV[:-100], r"This WAV file is cut short"),
    "cut FLAC": (FLAC[:60], r"cannot be read \(60 bytes\)"),
    "no sound": (b"RIFF    AVI " + bytes(50), "cannot be read|no WAV file"),
    "NaN": (wav(np.array([0, np.nan], "<f4").tobytes(), 3, 32), "holds NaN or infinity"),
    "mu-law": (wav(as_bits(SAMPLES, 8), tag=7, bits=8), "neither integers of 8 to 32 bits"),
}


@pytest.mark.slow
@pytest.mark.parametrize("contents, message", BROKEN.values(), ids=BROKEN)
def test_files_that_cannot_be_read(converter, contents, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        converter([WAV, contents])
    assert "audio[1]" in str(error.value)
    path = tmp_path / "clip of mine"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=message) as error:
        converter(str(path))
    assert "clip of mine" in str(error.value)
    dataset = tf.data.Dataset.from_tensors([WAV, contents]).map(converter)
    with pytest.raises(tf.errors.OpError, match=message):
        list(dataset)


@pytest.mark.parametrize(
    "clip, error, message",
    [
        (
            b"nothing",
            ValueError,
            r"`audio\[0\]` is neither the contents nor the path of an audio file",
        ),
        ("nowhere.wav", FileNotFoundError, r"`audio\[0\]`: there is no file 'nowhere.wav'"),
        (np.zeros((4, 5, 6)), ValueError, r"must be \(samples,\) or \(samples, channels\)"),
        (np.zeros((4, 500)), ValueError, r"of up to 8 channels. Received shape \(4, 500\)"),
        (np.array([0, np.nan]), ValueError, r"`audio\[0\]`: the samples hold NaN or infinity"),
        (np.array([0, 3e4]), ValueError, "up to 30000: divide them by the largest"),
        (np.array([True]), TypeError, "Received dtype bool"),
        (np.zeros(5, "int8"), TypeError, "Received dtype int8"),
        ((SAMPLES, 0), ValueError, "the sample rate must be a positive number. Received: 0"),
        ((SAMPLES, 8000.5), ValueError, "the sample rate must be whole"),
        ((SAMPLES, 44101), ValueError, "The sample rate cannot be changed to 16000 Hz"),
        ({"array": SAMPLES}, TypeError, "must hold 'array' and 'sampling_rate'"),
        ([[0.0], [0.0, 1.0]], ValueError, "samples must be a plain array"),
        (None, TypeError, r"`audio\[0\]` must be a clip: paths, contents"),
        (3, TypeError, r"Received: 3 \(int\)"),
    ],
)
def test_what_is_no_clip(converter, clip, error, message):
    with pytest.raises(error, match=message):
        converter([clip])


def test_what_are_no_clips(converter):
    with pytest.raises(TypeError, match="`audio` must be a clip or a list of clips"):
        converter(3)


def test_errors_of_single_clips():
    from keras_s2s.preprocessing.audio_items import as_items

    failures = {}
    items, single = as_items([SAMPLES, "nowhere.wav", None], failures=failures)
    assert not single and [item is None for item in items] == [False, True, True]
    assert sorted(failures) == [1, 2] and isinstance(failures[1], FileNotFoundError)


def test_a_name_that_is_no_utf_8(converter, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.wav"
    with open(path, "wb") as file:
        file.write(WAV[:-5])
    with pytest.raises(ValueError, match="This WAV file is cut short"):
        converter(path)


def test_without_soundfile(converter, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    assert converter(WAV).shape == (1000,)
    with pytest.raises(ImportError, match=r'pip install "keras-s2s\[audio\]"'):
        converter(FLAC)


def test_its_config(converter):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(converter))
    assert again.sample_rate == 16000
    with pytest.raises(ValueError, match="`sample_rate`"):
        AudioConverter(0)
