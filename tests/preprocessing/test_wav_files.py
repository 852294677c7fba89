"""WAV files of all kinds, against what Python's own modules write into them."""

import io
import struct
import wave

import numpy as np
import pytest

from keras_s2s.preprocessing import wav_files

tf = pytest.importorskip("tensorflow")

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
SAMPLES = np.array([0.0, 0.5, -0.5, 0.25, -1.0, 0.75])


def chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def wav(data, tag=PCM, bits=16, channels=1, rate=16000, before=b"", extension=b"", size=None):
    """The bytes of a WAV file, written by hand."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + extension
    body = b"WAVE" + chunk(b"fmt ", form) + before + chunk(b"data", data)
    if size is not None:
        at = body.index(b"data") + 4
        body = body[:at] + struct.pack("<I", size) + body[at + 4 :]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def as_bits(samples, bits):
    integers = np.clip(np.round(samples * 2 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if bits == 8:
        return (integers + 128).astype("uint8").tobytes()
    raw = integers.astype("<i4").view("uint8").reshape(-1, 4)
    return raw[:, : bits // 8].tobytes()


@tf.function(input_signature=[tf.TensorSpec([], tf.string)] * 2, autograph=False)
def decode(contents, name):
    return wav_files.decode(contents, name)


def read(contents):
    waveform, rate = decode(contents, "a.wav")
    return waveform.numpy(), int(rate)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_integers(bits):
    waveform, rate = read(wav(as_bits(SAMPLES, bits), bits=bits, rate=44100))
    assert rate == 44100 and waveform.dtype == "float32"
    np.testing.assert_allclose(waveform, SAMPLES, atol=2.0 ** (1 - bits))


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_floats(kind):
    data = SAMPLES.astype(kind).tobytes()
    waveform, _ = read(wav(data, tag=FLOAT, bits=8 * np.dtype(kind).itemsize))
    np.testing.assert_array_equal(waveform, SAMPLES.astype("float32"))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_what_the_wave_module_writes(width):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((2, width, 8000, 0, "NONE", ""))
        writer.writeframes(as_bits(np.repeat(SAMPLES, 2), 8 * width))
    waveform, rate = read(file.getvalue())
    assert rate == 8000
    np.testing.assert_allclose(waveform, SAMPLES, atol=2.0 ** (1 - 8 * width))


def test_channels_are_averaged():
    stereo = np.stack([SAMPLES, SAMPLES * 0.5], axis=1).reshape(-1)
    waveform, _ = read(wav(as_bits(stereo, 16), channels=2))
    np.testing.assert_allclose(waveform, SAMPLES * 0.75, atol=1e-4)


def test_extensible_header():
    kind = struct.pack("<HHIH", 22, 24, 0, PCM) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    contents = wav(as_bits(SAMPLES, 24), tag=EXTENSIBLE, bits=24, extension=kind)
    np.testing.assert_allclose(read(contents)[0], SAMPLES, atol=1e-6)


def test_other_chunks_are_passed_over():
    before = chunk(b"LIST", b"odd") + chunk(b"data"[::-1], b"four")
    contents = wav(as_bits(SAMPLES, 16), before=before) + chunk(b"LIST", b"behind it")
    np.testing.assert_allclose(read(contents)[0], SAMPLES, atol=1e-4)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_files_from_a_pipe_go_on_to_their_end(size):
    contents = wav(as_bits(SAMPLES, 16), size=size)
    np.testing.assert_allclose(read(contents)[0], SAMPLES, atol=1e-4)


def test_no_samples():
    waveform, rate = read(wav(b""))
    assert waveform.shape == (0,) and rate == 16000


GOOD = wav(as_bits(SAMPLES, 16))


@pytest.mark.parametrize(
    "contents, message",
    [
        (b"", "This is no WAV file"),
        (b"RIFF", "This is no WAV file"),
        (b"ID3\x03" + bytes(100), "This is no WAV file"),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(100), "This is no WAV file"),
        (GOOD[:12], "This WAV file is cut short"),
        (GOOD[:30], "This WAV file is cut short"),
        (GOOD[:-1], "This WAV file is cut short"),
        (wav(as_bits(SAMPLES, 16), tag=6), "neither integers of 8 to 32 bits nor floats"),
        (wav(as_bits(SAMPLES, 16), bits=12), "neither integers of 8 to 32 bits nor floats"),
        (wav(as_bits(SAMPLES, 16), channels=0), "This WAV file has a damaged header"),
        (wav(as_bits(SAMPLES, 16), rate=0), "This WAV file has a damaged header"),
        (GOOD.replace(b"fmt ", b"xxxx"), "This WAV file has a damaged header"),
        (wav(struct.pack("<ff", 0, np.nan), FLOAT, 32), "holds NaN or infinity"),
        (wav(struct.pack("<ff", np.inf, 0), FLOAT, 32), "holds NaN or infinity"),
    ],
)
def test_files_that_cannot_be_read(contents, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message) as error:
        read(contents)
    assert "a.wav" in str(error.value)


def test_a_chunk_of_a_huge_size_ends_the_search():
    before = b"junk" + struct.pack("<I", 0xFFFFFFF0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="is cut short"):
        read(wav(as_bits(SAMPLES, 16), before=before))


def test_it_is_told_by_its_beginning():
    assert wav_files.is_wav(GOOD) and not wav_files.is_wav(b"RIFF") and not wav_files.is_wav(b"")
    assert bool(wav_files.is_wav(tf.constant(GOOD))) and not bool(wav_files.is_wav(tf.constant("")))
