import keras
import numpy as np
import pytest

from keras_s2s.data import Batches
from keras_s2s.preprocessing import (
    AudioColumn,
    LogMelSpectrogram,
    Preprocessor,
    SentencePieceTokenizer,
)
from tests.preprocessing.test_wav_files import as_bits, wav

tf = pytest.importorskip("tensorflow")

RATE, TEXTS = 8000, ["one", "two three", ""]


def clips():
    rng = np.random.default_rng(0)
    return [rng.uniform(-0.5, 0.5, length).astype("float32") for length in (900, 400, 0)]


@pytest.fixture(scope="module")
def column():
    mels = LogMelSpectrogram(RATE, num_mels=8, fft_length=128, window_length=100, hop_length=80)
    return AudioColumn(mels)


@pytest.fixture(scope="module")
def preprocessor(column):
    return Preprocessor([column], SentencePieceTokenizer.train(TEXTS, vocabulary_size=13))


@pytest.mark.slow
def test_spectrograms_in_every_form(column):
    expected = column.encode(column.as_batch(clips())).numpy()
    assert expected.shape == (3, 12, 8) and not expected[1, 6:].any() and not expected[2].any()
    alone = [column.encode(column.as_batch(clip)).numpy() for clip in clips()]
    assert [mels.shape for mels in alone] == [(12, 8), (6, 8), (0, 8)]
    for one, row in zip(alone, expected):
        np.testing.assert_allclose(one, row[: len(one)], atol=1e-5)
    files = [wav(as_bits(clip, 32), bits=32, rate=RATE) for clip in clips()]
    np.testing.assert_allclose(column.encode(column.as_batch(files)), expected, atol=1e-3)
    [in_graph] = tf.data.Dataset.from_tensors(files).map(lambda f: column.encode(column.load(f)))
    np.testing.assert_allclose(in_graph, expected, atol=1e-3)
    for made, inputs in zip(
        column.serving_inputs(()).values(),
        (
            {"wav_bytes": tf.constant(files)},
            {"audio": column.as_batch(clips()).to_tensor(), "length": tf.constant([900, 400, 0])},
        ),
    ):
        specs, read = made
        assert specs.keys() == inputs.keys()
        np.testing.assert_allclose(column.encode(read(**inputs)), expected, atol=1e-3)


@pytest.mark.slow
def test_speeds_are_drawn(column):
    fast = AudioColumn(column.spectrogram, speeds=[0.9, 1.0, 1.1])
    batch = fast.as_batch([clips()[0]] * 60)
    frames = (fast.encode(batch, sample=True).numpy().any(axis=-1)).sum(axis=1)
    # 900 samples at 0.9 times the speed are 1,000, at 1.1 times 819.
    assert set(frames) == {13, 12, 11}
    assert set((fast.encode(batch).numpy().any(axis=-1)).sum(axis=1)) == {12}
    # A tone is heard at another pitch.
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / RATE).astype("float32")
    slow = AudioColumn(column.spectrogram, speeds=[0.8])
    power = np.exp(slow.encode(slow.as_batch([tone]), sample=True)[0, 20])
    expected = np.sin(2 * np.pi * 800 * np.arange(5000) / RATE).astype("float32")
    np.testing.assert_allclose(
        power, np.exp(slow.encode(slow.as_batch([expected]))[0, 20]), rtol=0.05, atol=0.5
    )


def test_batches(preprocessor, column):
    batches = Batches.from_raw(preprocessor, clips(), TEXTS, shuffle=False)
    x, labels, _ = batches[0]
    np.testing.assert_allclose(
        np.sort(x["log_mels"].sum(axis=(1, 2))),
        np.sort(column.encode(column.as_batch(clips())).numpy().sum(axis=(1, 2))),
        rtol=1e-5,
    )
    assert labels.shape[0] == 3
    assert batches.as_tf_dataset().element_spec[0]["log_mels"].shape == (None, None, 8)


def test_a_preprocessor_makes_training_batches(preprocessor):
    x, labels, weights = preprocessor(clips(), TEXTS)
    assert x["log_mels"].shape == (3, 12, 8) and labels.shape == weights.shape
    with pytest.raises(ValueError, match="same number of examples. Received: 3 in `source`, 2 in"):
        preprocessor(clips(), TEXTS[:2])


def test_what_is_raw(column):
    assert column.is_raw(clips()) and column.is_raw(["a.wav"]) and column.is_raw(clips()[0])
    assert column.is_raw(tf.TensorSpec([None], tf.string))
    assert not column.is_raw(np.zeros((2, 12, 8), "float32"))
    items, single = column.as_items(clips())
    assert not single and [column.size(item) for item in items] == [900, 400, 0]


def test_its_config(column):
    fast = AudioColumn(column.spectrogram, speeds=[0.9, 1.1], name="a", raw_name="b")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(fast))
    assert again.get_config() == fast.get_config() and again.shape == (None, 8)
    with pytest.raises(ValueError, match="`speeds` must be from 0.5 to 2. Received: .0.1"):
        AudioColumn(speeds=[0.1])
