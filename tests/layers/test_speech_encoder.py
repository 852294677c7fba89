import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import SpecAugment, SpeechEncoder, check_encoder
from tests.layers.helpers import compiled, randomize

MELS = 6


def clips(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(2.0, 3.0, (length, MELS)).astype("float32") for length in lengths]


def padded(rows, more=0):
    width = max(map(len, rows)) + more
    return np.stack([np.pad(row, ((0, width - len(row)), (0, 0))) for row in rows])


def make(**options):
    options = {"filters": (2, 3), "cell": "rnn", "num_layers": 2, "pyramid_layers": 1} | options
    encoder = SpeechEncoder(3, MELS, **options)
    if not encoder.built:
        encoder.build((None, None, MELS))
    return randomize(encoder, scale=0.7)


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize("options", [{}, {"filters": (), "pyramid_layers": 0}], ids=["all", "rnn"])
def test_it_is_an_encoder(options):
    check_encoder(make(**options), padded(clips(13, 13)))


@pytest.mark.slow
@pytest.mark.every_backend
def test_a_clip_does_not_depend_on_its_batch():
    encoder, lengths = make(), (1, 7, 8, 9, 16, 23)
    rows = clips(*lengths)
    rows[3] *= 100
    encode = compiled(encoder)
    memory = encode(ops.convert_to_tensor(padded(rows, more=5)))
    for i, (row, length) in enumerate(zip(rows, lengths)):
        alone = encode(ops.convert_to_tensor(row[None]))
        positions = -(-length // 8)
        assert alone["values"].shape == (1, positions, 6)
        np.testing.assert_allclose(
            ops.convert_to_numpy(memory["values"])[i, :positions],
            ops.convert_to_numpy(alone["values"])[0],
            atol=1e-5,
        )
        mask = ops.convert_to_numpy(memory["mask"])[i]
        assert mask.tolist() == [True] * positions + [False] * (len(mask) - positions)
        for ours, theirs in zip(
            keras.tree.flatten(memory["state"]), keras.tree.flatten(alone["state"])
        ):
            np.testing.assert_allclose(
                ops.convert_to_numpy(ours)[i], ops.convert_to_numpy(theirs)[0], atol=1e-5
            )


def test_no_frames():
    encoder = make()
    for batch in (np.zeros((2, 0, MELS), "float32"), np.zeros((2, 9, MELS), "float32")):
        memory = encoder(batch)
        assert not ops.convert_to_numpy(memory["mask"]).any()
        assert not ops.convert_to_numpy(memory["values"]).any()
        assert ops.convert_to_numpy(encoder.is_empty(batch, memory)).all()


@pytest.mark.parametrize("length", [0, 1, 8, 9, 31])
def test_its_length(length):
    encoder = make()
    batch = np.zeros((1, length, MELS), "float32")
    assert encoder.memory_length(batch) == encoder(batch)["mask"].shape[1]
    shape = encoder.compute_output_shape((1, max(length, 1), MELS))
    assert shape["values"] == tuple(encoder(batch)["values"].shape)


def test_loudness_does_not_matter_to_the_utterance():
    """A factor of the samples is a summand of the logarithms."""
    encoder, [clip] = make(), clips(20)
    louder = encoder((clip + 3)[None])["values"]
    np.testing.assert_allclose(louder, encoder(clip[None])["values"], atol=1e-4)


def test_stored_normalization():
    encoder = make(normalization="stored")
    rows = clips(30, 50)
    encoder.adapt([padded(rows[:1], more=4), padded(rows[1:])])
    frames = np.concatenate(rows)
    np.testing.assert_allclose(encoder.mean, frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(encoder.deviation, frames.std(axis=0), rtol=1e-5)
    # The first convolution reads values about 0.
    values = encoder._normalize(padded(rows), padded(rows).any(axis=-1))
    values = ops.convert_to_numpy(values)[0, :30]
    expected = (rows[0] - frames.mean(axis=0)) / frames.std(axis=0)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    with pytest.raises(ValueError, match="`batches` must hold at least one frame"):
        encoder.adapt([np.zeros((1, 5, MELS))])
    with pytest.raises(ValueError, match="normalization='utterance'"):
        make().adapt([])


@pytest.mark.slow
def test_it_is_augmented_in_training_alone():
    encoder = make(augmentation=SpecAugment(frequency_width=3, time_share=0.5, seed=1))
    batch = padded(clips(40, 30))
    again = make()
    np.testing.assert_allclose(encoder(batch)["values"], again(batch)["values"], atol=1e-6)
    trained = encoder(batch, training=True)["values"]
    assert np.abs(ops.convert_to_numpy(trained - encoder(batch)["values"])).max() > 0.01
    config = keras.saving.serialize_keras_object(encoder)
    assert keras.saving.deserialize_keras_object(config).augmentation.frequency_width == 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"pyramid_layers": 2}, "`pyramid_layers` must be from 0 to 1"),
        ({"normalization": "batch"}, "`normalization`"),
        ({"cell": "lsm"}, "`cell`"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_spec_augment_hides_ranges():
    layer = SpecAugment(1, 5, 1, 0.25, seed=3)
    ones = np.ones((200, 40, 20), "float32")
    assert (ops.convert_to_numpy(layer(ones)) == 1).all()
    hidden = ops.convert_to_numpy(layer(ones, training=True)) == 0
    bands, times = hidden.all(axis=1), hidden.all(axis=2)
    # Whole ranges: what is hidden is a band or a time.
    np.testing.assert_array_equal(hidden, bands[:, None] | times[:, :, None])
    for ranges, most in ((bands, 5), (times, 10)):
        widths = ranges.sum(axis=1)
        assert set(range(most + 1)) == set(widths.tolist())
        assert (
            np.abs(np.diff(np.pad(ranges.astype(int), ((0, 0), (1, 1))), axis=1)).sum(1) <= 2
        ).all()
    # Stretches of time lie within each clip, and are a share of it.
    mask = np.arange(40) < np.array([8, 40] * 100)[:, None]
    short = (ops.convert_to_numpy(layer(ones, is_frame=mask, training=True)) == 0).all(axis=2)
    assert set(short[::2].sum(axis=1)) == {0, 1, 2} and not short[::2, 8:].any()
