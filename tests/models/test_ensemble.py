"""Models that choose each token together."""

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.decoding import Beam
from keras_s2s.layers import (
    CopyHead,
    EnsembleDecoder,
    EnsembleEncoder,
    RNNDecoder,
    RNNEncoder,
    check_decoder,
    check_encoder,
)
from keras_s2s.models import ensemble
from tests.layers.helpers import randomize
from tests.models.helpers import log_softmax, make_batch, make_model, make_simple_model

TEXTS = ["ein Hund", "zwei Katzen", ""]


def make_encoders():
    return [RNNEncoder(units, "rnn", vocabulary_size=9) for units in (3, 4)]


def make_decoders(**options):
    kinds = {"rnn": "bahdanau", "gru": "coverage"}
    return [RNNDecoder(9, 4, cell=c, attention=a, **options) for c, a in kinds.items()]


@pytest.mark.slow
@pytest.mark.every_backend
def test_it_is_an_encoder_and_a_decoder():
    check_encoder(EnsembleEncoder(make_encoders()))
    check_decoder(EnsembleDecoder(make_decoders()))


@pytest.mark.thorough
def test_decoders_that_copy_and_that_do_not_attend():
    check_decoder(EnsembleDecoder(make_decoders(head=CopyHead(2))))
    check_decoder(EnsembleDecoder([*make_decoders(), RNNDecoder(9, 4, attention=None)]))


def make_models(share):
    made = [make_model(share=share, units=units, cell="rnn") for units in (5, 3)]
    return [randomize(model, scale=1.0, seed=seed) for seed, model in enumerate(made)]


@pytest.mark.slow
@pytest.mark.every_backend
@pytest.mark.parametrize("share", [False, True])
def test_probabilities_are_the_mean_of_the_members(share):
    models, (x, _, _) = make_models(share), make_batch()
    logits = keras.ops.convert_to_numpy(ensemble(models)(x))
    members = [np.exp(log_softmax(keras.ops.convert_to_numpy(model(x)))) for model in models]
    np.testing.assert_allclose(np.exp(logits), np.mean(members, axis=0), atol=1e-6)


@pytest.mark.slow
def test_it_decodes():
    models, (x, _, _) = make_models(share=True), make_batch()
    both = ensemble(models)
    features = {"encoder_token_ids": x["encoder_token_ids"]}
    together, one, alone = (
        model.generate(features, sampler=Beam(3), max_length=6)["token_ids"]
        for model in (both, ensemble(models[:1]), models[0])
    )
    np.testing.assert_array_equal(one, alone)
    assert not np.array_equal(together, alone)
    assert sum(w.size for w in both.get_weights()) == sum(
        w.size for model in models for w in model.get_weights()
    )


@pytest.fixture
def translators(make_translator):
    made = [make_translator(share=True, cell="rnn") for _ in range(2)]
    return [randomize(model, scale=1.5, seed=seed) for seed, model in enumerate(made)]


@pytest.mark.slow
def test_it_is_saved_and_exported(translators, tmp_path):
    tf = pytest.importorskip("tensorflow")
    both = ensemble(translators)
    outputs, looked = both.generate(TEXTS, return_attention=True)
    assert outputs[2] == "" and looked[0].weights.shape[0] == len(looked[0].target_tokens)
    x, _, _ = both.preprocessor(TEXTS[:2], ["a dog", "two cats"])
    both.save(tmp_path / "both.keras")
    both.save_to_preset(tmp_path / "both", weights_dtype="float32")
    for again in (
        keras.saving.load_model(tmp_path / "both.keras"),
        keras_s2s.zoo.load(tmp_path / "both"),
    ):
        np.testing.assert_allclose(again(x), both(x), atol=1e-6)
        assert len(again.weights) == len(both.weights)
    both.export(tmp_path / "export")
    served = tf.saved_model.load(str(tmp_path / "export"))
    texts = served.signatures["serving_default"](text=tf.constant(TEXTS))["text"]
    assert [text.decode() for text in texts.numpy()] == outputs


def test_models_that_make_no_ensemble(translators, make_translator, make_model=make_simple_model):
    with pytest.raises(TypeError, match="`models` must be a list of keras_s2s.models.Seq2Seq"):
        ensemble([])
    with pytest.raises(TypeError, match="Received: .'translation'"):
        ensemble(["translation"])
    with pytest.raises(ValueError, match=r"`models\[1\]` is a Translator with share_embedding"):
        ensemble([translators[0], make_translator(share=False)])
    with pytest.raises(ValueError, match=r"`models\[1\]` is a Seq2Seq"):
        ensemble([translators[0], make_model()])
    tagged = make_translator(share=True)
    tagged.preprocessor = tagged.preprocessor.with_prefix("ein")
    with pytest.raises(ValueError, match=r"Those of `models\[1\]` differ from those of `models\[0"):
        ensemble([translators[0], tagged])
    encoders, decoders = make_encoders(), make_decoders()
    with pytest.raises(
        ValueError, match="read the same inputs. Received: encoders of encoder_token_ids .9 to"
    ):
        EnsembleEncoder([*encoders, RNNEncoder(3, vocabulary_size=8)])
    with pytest.raises(ValueError, match="same vocabulary. Received: decoders with 9 and 8 tokens"):
        EnsembleDecoder([*decoders, RNNDecoder(8, 3)])
    with pytest.raises(ValueError, match=r"`encoders\[0\]` must be a keras_s2s.layers.Encoder"):
        EnsembleEncoder(decoders)
    with pytest.raises(ValueError, match="`decoders` must be a list of at least one layer"):
        EnsembleDecoder([])
