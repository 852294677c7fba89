"""An export gives in a process without this library what the model gives in this one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_s2s
from keras_s2s.decoding import Beam
from tests.layers.helpers import randomize
from tests.serving.conftest import SAMPLERS, SERVED, TEXTS, corpus

pytestmark = [pytest.mark.slow, pytest.mark.prepared]


def decoded(array):
    return [text.decode() for text in array]


@pytest.fixture(scope="module")
def generated(model):
    """Texts, scores, confidences and alignments of each sampler."""
    options = dict.fromkeys(["return_scores", "return_confidence", "return_attention"], True)
    return {name: model.generate(TEXTS, sampler=SAMPLERS[name], **options) for name in SERVED}


@pytest.fixture(scope="module")
def reloaded(model, tmp_path_factory):
    """Texts of each sampler, from the saved model."""
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    again = keras.models.load_model(path)
    return {name: again.generate(TEXTS, sampler=SAMPLERS[name]) for name in SERVED}


def test_the_model_has_learned_something(generated):
    assert generated["beam"][0][:3] == ["one two three", "four", ""]


@pytest.mark.parametrize("sampler", SERVED)
def test_texts_before_saving_after_and_served_are_the_same(sampler, generated, reloaded, served):
    texts, scores, confidences, _ = generated[sampler]
    assert reloaded[sampler] == texts
    for signature in ("serving_default", "align"):
        found = served[sampler, signature, "all"]
        assert decoded(found["text"]) == texts
        np.testing.assert_allclose(found["score"], scores, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found["confidence"], confidences, rtol=1e-4, atol=1e-4)


def other_models():
    """Models that share little with the one above, with random weights."""
    sources, targets = corpus(100)
    train = keras_s2s.preprocessing.SentencePieceTokenizer.train
    pair = keras_s2s.preprocessing.TextPairPreprocessor
    layers, translator = keras_s2s.layers, keras_s2s.models.Translator
    two = translator(
        layers.RNNEncoder(6, "lstm", num_layers=2, residual=True, vocabulary_size=24),
        layers.RNNDecoder(
            22, 6, cell="lstm", num_layers=2, attention="luong", input_feeding=True, bridge="zero"
        ),
        pair(train(sources, 24), train(targets, 22), target_length=12),
    )
    one = translator(
        layers.RNNEncoder(6, "rnn", bidirectional=False, vocabulary_size=34),
        layers.RNNDecoder(34, 6, cell="rnn", attention=layers.LuongAttention("dot")),
        pair(train(sources + targets, 34), target_length=12),
        share_embedding=True,
    )
    for seed, model in enumerate((two, one)):
        randomize(model, scale=1.5, seed=seed)
    return {"two_tokenizers": two, "shared_embedding": one}


@pytest.mark.thorough
@pytest.mark.parametrize("which", ["two_tokenizers", "shared_embedding"])
def test_other_models_are_served_the_same(which, tmp_path):
    model = other_models()[which]
    options = {"sampler": SAMPLERS["beam"], "return_scores": True, "return_attention": True}
    texts = TEXTS[:4]
    right, scores, alignments = model.generate(texts, **options)
    assert any(right)
    model.export(tmp_path / "1", sampler=SAMPLERS["beam"])
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["align"]
    found = {name: x.numpy() for name, x in served(text=tf.constant(texts)).items()}
    assert decoded(found["text"]) == right
    np.testing.assert_allclose(found["score"], scores, rtol=1e-4, atol=1e-4)
    for i, alignment in enumerate(alignments):
        for side in ("source_tokens", "target_tokens"):
            pieces = getattr(alignment, side)
            assert decoded(found[side][i])[: len(pieces)] == pieces
        target, source = alignment.weights.shape
        weights = found["attention"][i, :target, :source]
        np.testing.assert_allclose(weights, alignment.weights, atol=1e-5)


@pytest.mark.parametrize("sampler", SERVED)
def test_nbest_is_the_whole_beam(sampler, model, generated, served):
    best, best_scores, *_ = generated[sampler]
    texts, scores = [[text] for text in best], [[score] for score in best_scores]
    if sampler == "beam":
        whole = Beam(**{**SAMPLERS["beam"].get_config(), "num_return_sequences": 3})
        texts, scores = model.generate(TEXTS, sampler=whole, return_scores=True)
    found = served[sampler, "nbest", "all"]
    assert [decoded(row) for row in found["text"]] == texts
    np.testing.assert_allclose(found["score"], scores, rtol=1e-4, atol=1e-4)
    assert decoded(found["text"][:, 0]) == best


@pytest.mark.parametrize("sampler", SERVED)
def test_align(sampler, generated, served):
    found = served[sampler, "align", "all"]
    attention = found["attention"]
    assert attention.shape == (
        len(TEXTS),
        found["target_tokens"].shape[1],
        found["source_tokens"].shape[1],
    )
    for i, expected in enumerate(generated[sampler][3]):
        source, target = len(expected.source_tokens), len(expected.target_tokens)
        empty = [""] * (attention.shape[2] - source)
        assert decoded(found["source_tokens"][i]) == expected.source_tokens + empty
        empty = [""] * (attention.shape[1] - target)
        assert decoded(found["target_tokens"][i]) == expected.target_tokens + empty
        np.testing.assert_allclose(attention[i, :target, :source], expected.weights, atol=1e-5)
        np.testing.assert_allclose(attention[i, :target, :source].sum(-1), 1, atol=1e-5)
        assert not attention[i, target:].any()
        assert not attention[i, :, source:].any()


@pytest.mark.parametrize("sampler", SERVED)
def test_tokens(sampler, model, source_ids, served):
    expected = model.generate({"encoder_token_ids": source_ids}, sampler=SAMPLERS[sampler])
    found = served[sampler, "tokens", "all"]
    width = expected["lengths"].max()
    np.testing.assert_array_equal(found["token_ids"], expected["token_ids"][:, 0, :width])
    np.testing.assert_array_equal(found["length"], expected["lengths"][:, 0])
    np.testing.assert_allclose(found["score"], expected["scores"][:, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", SERVED)
def test_a_text_alone_is_served_as_among_others(sampler, served):
    together = served[sampler, "serving_default", "all"]
    for i in range(len(TEXTS)):
        alone = served[sampler, "serving_default", i]
        assert alone["text"][0] == together["text"][i]
        np.testing.assert_allclose(alone["score"][0], together["score"][i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", SERVED)
def test_a_batch_of_none(sampler, served):
    beams = 3 if sampler == "beam" else 1
    shapes = {
        "serving_default": {"text": (0,), "score": (0,), "confidence": (0,)},
        "nbest": {"text": (0, beams), "score": (0, beams), "confidence": (0, beams)},
        "align": {
            "text": (0,),
            "score": (0,),
            "confidence": (0,),
            "source_tokens": (0, 1),
            "target_tokens": (0, 1),
            "attention": (0, 1, 1),
        },
    }
    for signature, expected in shapes.items():
        found = served[sampler, signature, "none"]
        assert {name: value.shape for name, value in found.items()} == expected
    found = served[sampler, "tokens", "none"]
    assert {name: len(value) for name, value in found.items()} == dict.fromkeys(found, 0)
