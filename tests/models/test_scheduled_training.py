"""Training on tokens of the model's own, in whole models."""

import keras
import numpy as np
import pytest

import keras_s2s
from tests.layers.helpers import numpy
from tests.models.helpers import END, PAD, make_batch, make_model


def own_tokens(model, x):
    """What the decoder reads where all tokens are its own, by hand."""
    true = x["decoder_token_ids"]
    likeliest = numpy(model(x)).argmax(-1)
    own = true.copy()
    for row in np.ndindex(true.shape):
        before = likeliest[(*row[:-1], row[-1] - 1)]
        if row[-1] and true[row] and before not in (PAD, END):
            own[row] = before
    return {**x, "decoder_token_ids": own}


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_trains_on_its_own_tokens(several):
    model = make_model(scheduled_sampling=1.0)
    x, _, _ = make_batch()
    if several:
        ids = x["decoder_token_ids"]
        x["decoder_token_ids"] = np.stack([ids, ids[::-1]], axis=1)
    own = own_tokens(model, x)
    assert (own["decoder_token_ids"] != x["decoder_token_ids"]).mean() > 0.2
    got = numpy(model(x, training=True))
    np.testing.assert_allclose(got, numpy(model(own)), atol=1e-5)
    assert np.abs(got - numpy(model(x))).max() > 0.01


@pytest.mark.thorough
@pytest.mark.every_backend
@pytest.mark.slow
def test_fit_counts_its_steps():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 20, 0.5)
    layer = keras_s2s.layers.ScheduledSampling(schedule)
    model = make_model(scheduled_sampling=layer)
    x, labels, weights = make_batch(rows=8)
    model.compile(optimizer=keras_s2s.optimizers.Adam(0.02))
    history = model.fit(x, labels, sample_weight=weights, batch_size=4, epochs=10, verbose=0)
    assert int(numpy(layer.steps)) == 20
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]


@pytest.mark.slow
def test_the_first_pass_drops_nothing_and_adds_no_loss():
    """And a rate of 0 changes nothing: what is dropped then is dropped in the second."""
    decoder = keras_s2s.layers.RNNDecoder(11, 5, embedding_dim=4, dropout=0.5, doubly_stochastic=1)
    encoder = keras_s2s.layers.RNNEncoder(5, vocabulary_size=9)
    model = keras_s2s.models.Seq2Seq(encoder, decoder, scheduled_sampling=0.0)
    x, _, _ = make_batch()
    model(x)
    found = []
    for sampling in (model.scheduled_sampling, None):
        model.scheduled_sampling = sampling
        decoder.seed_generator.state.assign(np.array([7, 0], "uint32"))
        found.append((numpy(model(x, training=True)), [float(numpy(v)) for v in model.losses]))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert len(found[0][1]) == 1 and found[0][1] == found[1][1]


@pytest.mark.slow
def test_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make_model(scheduled_sampling=1.0)
    finally:
        keras.config.set_dtype_policy(policy)
    x, _, _ = make_batch()
    got, expected = numpy(model(x, training=True)), numpy(model(own_tokens(model, x)))
    np.testing.assert_allclose(got, expected, atol=1e-2)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    "rate",
    [0.25, keras.optimizers.schedules.PolynomialDecay(0.0, 9, 0.5)],
    ids=["rate", "schedule"],
)
def test_a_keras_file_keeps_it(rate, tmp_path):
    model = make_model(scheduled_sampling=rate)
    model(make_batch()[0], training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").scheduled_sampling
    assert again.get_config() == model.scheduled_sampling.get_config()
    assert int(numpy(again.steps)) == 1


@pytest.mark.parametrize("bad", ["0.5", 1.5, [0.1]])
def test_what_is_no_rate(bad):
    with pytest.raises(ValueError, match="`rate` must be a number in"):
        make_model(scheduled_sampling=bad)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_preset_can_go_on_with_it(make_translator, tmp_path):
    make_translator().save_to_preset(tmp_path / "preset", weights_dtype="float32")
    plain = keras_s2s.zoo.load(tmp_path / "preset")
    model = keras_s2s.models.Translator.from_preset(tmp_path / "preset", scheduled_sampling=1)
    texts = ["ein Hund", "eine Katze"]
    assert model.generate(texts) == plain.generate(texts)
    x, _, _ = plain.preprocessor(texts, ["a dog", "a cat"])
    assert np.abs(numpy(model(x, training=True)) - numpy(plain(x, training=True))).max() > 0.01
