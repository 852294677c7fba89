"""A model that reads two texts: trained, decoded, drawn, saved and served."""

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.layers import ImageEncoder, MultiSourceEncoder, RNNDecoder, RNNEncoder
from keras_s2s.models import Seq2Seq
from keras_s2s.preprocessing import (
    CutWarning,
    Preprocessor,
    SentencePieceTokenizer,
    TextColumn,
)
from tests.layers.helpers import numpy, randomize
from tests.models.helpers import eager
from tests.word_layers import WordDecoder, WordEncoder

QUESTIONS = ["what is it", "who runs", "where", "what"]
CONTEXTS = ["a dog runs", "the cat", "a dog sees the cat here", "a bird"]
ANSWERS = ["a dog", "the cat", "here", "a bird"]
INPUTS = {"question_text": QUESTIONS, "context_text": CONTEXTS}
ROWS = [dict(zip(INPUTS, row)) for row in zip(*INPUTS.values())]
NAMES = ("question_token_ids", "context_token_ids")


@pytest.fixture(scope="module")
def tokenizers():
    train = SentencePieceTokenizer.train
    return train(QUESTIONS, vocabulary_size=18), train(CONTEXTS + ANSWERS, vocabulary_size=23)


def make(tokenizers, kind=Preprocessor, context_length=None):
    questions, contexts = tokenizers
    encoder = MultiSourceEncoder(
        {
            "question_token_ids": WordEncoder(5, 18),
            "context_token_ids": WordEncoder(5, 23),
        }
    )
    columns = [
        TextColumn(questions, None, "question_token_ids", "question_text"),
        TextColumn(contexts, context_length, "context_token_ids", "context_text"),
    ]
    decoder = WordDecoder(23, 5)
    return randomize(Seq2Seq(encoder, decoder, kind(columns, contexts, target_length=9)), scale=1.5)


@pytest.fixture(scope="module")
def model(tokenizers):
    return make(tokenizers)


def test_memories_stand_one_after_the_other(model):
    features = model.preprocessor.generate_preprocess(INPUTS)
    memory = model.encode(features)
    start = 0
    for name, encoder in zip(NAMES, model.encoder.encoders):
        alone = encoder(features[name])
        end = start + features[name].shape[1]
        for key in ("values", "mask"):
            np.testing.assert_array_equal(numpy(memory[key])[:, start:end], numpy(alone[key]))
        start = end
    assert numpy(memory["values"]).shape[1] == start


def test_recurrent_encoders_start_a_decoder():
    encoder = MultiSourceEncoder(
        {name: RNNEncoder(3, "rnn", vocabulary_size=9) for name in NAMES}, name="both"
    )
    memory = encoder({NAMES[0]: np.array([[5, 3]]), NAMES[1]: np.array([[6, 7, 3]])})
    assert len(memory["state"]) == 2
    assert numpy(RNNDecoder(9, 4, cell="rnn")(np.array([[2, 5]]), memory)).shape == (1, 2, 9)


@pytest.mark.slow
def test_an_example_alone_is_what_it_is_in_a_batch(model):
    texts, scores = model.generate(INPUTS, sampler="beam", return_scores=True)
    for row, text, score in zip(ROWS, texts, scores):
        alone = model.generate(row, sampler="beam", return_scores=True)
        assert alone[0] == text and alone[1] == pytest.approx(score, abs=1e-5)
    # What is empty on all sides gives nothing; on one side something.
    empty = {"question_text": ["", ""], "context_text": ["", "a dog"]}
    assert model.generate(empty)[0] == ""
    np.testing.assert_allclose(
        model.score(INPUTS, ANSWERS), [model.score(r, a) for r, a in zip(ROWS, ANSWERS)], atol=1e-4
    )


FORMS = {
    "columns": lambda: (INPUTS, ANSWERS),
    "whole": lambda: ({**INPUTS, "decoder_text": ANSWERS},),
    "rows": lambda: (ROWS, ANSWERS),
    "pairs": lambda: (list(zip(ROWS, ANSWERS)),),
    "dicts": lambda: ([{**row, "decoder_text": answer} for row, answer in zip(ROWS, ANSWERS)],),
    "generator": lambda: ({**row, "decoder_text": answer} for row, answer in zip(ROWS, ANSWERS)),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same(form, model):
    data = FORMS[form]()
    data = (data,) if form == "generator" else data
    expected = model.evaluate(
        *model.preprocessor(INPUTS, ANSWERS)[:2],
        sample_weight=model.preprocessor(INPUTS, ANSWERS)[2],
        verbose=0,
        return_dict=True,
    )
    result = model.evaluate(*data, batch_size=3, verbose=0, return_dict=True)
    for name in ("perplexity", "token_accuracy"):
        assert result[name] == pytest.approx(expected[name], rel=1e-4)
    if form in ("columns", "rows", "generator"):
        inputs = [dict(row) for row in ROWS] if form == "generator" else data[0]
        assert model.generate(inputs) == model.generate(INPUTS)


@pytest.mark.thorough
def test_datasets(model):
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_text")
    pairs = tf.data.Dataset.from_tensor_slices((INPUTS, ANSWERS))
    whole = tf.data.Dataset.from_tensor_slices({**INPUTS, "decoder_text": ANSWERS})
    expected = model.evaluate(INPUTS, ANSWERS, verbose=0, return_dict=True)["perplexity"]
    for data in (pairs, pairs.batch(3), whole, whole.batch(2)):
        result = model.evaluate(data, verbose=0, return_dict=True)
        assert result["perplexity"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_training_changes_both_encoders(tokenizers, tmp_path):
    model = eager(make(tokenizers))
    before = [encoder.get_weights() for encoder in model.encoder.encoders]
    model.fit(INPUTS, ANSWERS, epochs=1, validation_split=0.25, verbose=0)
    for encoder, weights in zip(model.encoder.encoders, before):
        assert all(np.any(a != b) for a, b in zip(encoder.get_weights(), weights))


@pytest.mark.slow
def test_saved_and_loaded(model, tmp_path):
    texts, scores = model.generate(INPUTS, return_scores=True)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset", weights_dtype="float32")
    for again in (
        keras.models.load_model(tmp_path / "model.keras"),
        Seq2Seq.from_preset(tmp_path / "preset"),
    ):
        assert again.encoder.input_names == NAMES
        result = again.generate(INPUTS, return_scores=True)
        assert result[0] == texts
        np.testing.assert_allclose(result[1], scores, atol=1e-5)


@pytest.mark.slow
def test_attention_is_drawn_over_both(model):
    pytest.importorskip("matplotlib")
    text, alignment = model.generate(ROWS[0], return_attention=True)
    assert list(alignment.source_tokens) == list(INPUTS)
    for name, tokens in alignment.source_tokens.items():
        assert "".join(tokens[:-1]).replace("▁", " ").strip() == INPUTS[name][0]
        assert alignment.weights[name].shape == (len(alignment.target_tokens), len(tokens))
    total = sum(weights.sum(axis=1) for weights in alignment.weights.values())
    np.testing.assert_allclose(total, 1, atol=1e-5)
    figure = keras_s2s.visualize.attention(alignment)
    labels = [[t.get_text() for t in axes.get_xticklabels()] for axes in figure.axes]
    shown = [[t.replace("▁", "") or "␣" for t in s] for s in alignment.source_tokens.values()]
    assert labels == shown
    for axes, weights in zip(figure.axes, alignment.weights.values()):
        np.testing.assert_array_equal(axes.images[0].get_array(), weights)


@pytest.mark.slow
def test_long_texts(tokenizers, model):
    short = make(tokenizers, context_length=4)
    with pytest.warns(CutWarning, match="1 of 4 inputs .* 3 pieces of 'context_text'.* index 2"):
        # Of the questions none is too long.
        short.generate({"question_text": [""] * 4, "context_text": ["a", "", CONTEXTS[2], ""]})
    with pytest.warns(CutWarning, match="'context_text' have more than 3 pieces.*`length` of the"):
        eager(short).fit(INPUTS, ANSWERS, verbose=0)
    with pytest.raises(ValueError, match="needs a model with one input"):
        short.generate(INPUTS, on_long="split")


def test_bad_data_is_named(model, tokenizers):
    with pytest.raises(ValueError, match="lacks .'context_text'"):
        model.generate({"question_text": QUESTIONS})
    with pytest.raises(ValueError, match="same length.*'context_text': 3"):
        model.generate({**INPUTS, "context_text": CONTEXTS[:3]})
    with pytest.raises(TypeError, match=r"inputs\['context_text'\]` must hold strings. Element 1"):
        model.generate({**INPUTS, "context_text": ["a", None, "b", "c"]})
    with pytest.raises(ValueError, match="'question_text', 'context_text' and 'decoder_text'"):
        model.fit({"question_text": QUESTIONS}, ANSWERS)
    with pytest.warns(UserWarning, match="1 of 4 inputs could not be read.*Element 1 is None"):
        texts = model.generate(
            {**INPUTS, "context_text": ["a", None, "b", "c"]}, on_error="none", batch_size=2
        )
    assert texts[1] is None and None not in (texts[0], texts[2], texts[3])
    columns = model.preprocessor.columns
    with pytest.raises(ValueError, match="columns of the preprocessor are .'question_token_ids'"):
        Seq2Seq(model.encoder, model.decoder, Preprocessor(columns[:1], tokenizers[1]))
    with pytest.raises(ValueError, match="`name` and a `raw_name` of its own"):
        Preprocessor([columns[0], columns[0]], tokenizers[1])
    with pytest.raises(ValueError, match="'question_token_ids' tokenizer has 23 tokens"):
        swapped = TextColumn(tokenizers[1], None, "question_token_ids", "question_text")
        Seq2Seq(model.encoder, model.decoder, Preprocessor([swapped, columns[1]], tokenizers[1]))


@keras.saving.register_keras_serializable("keras_s2s_tests")
class Quoting(Preprocessor):
    """Outputs that quote the context, as far as `origin` brings it."""

    def origin(self, source):
        if isinstance(source, dict):
            return source["context_text"]
        return np.array([row["context_text"] for row in source], object)

    def generate_postprocess(self, token_ids, origin=None):
        texts = super().generate_postprocess(token_ids, origin)
        if isinstance(texts, np.ndarray):
            quoted = [context.decode() for context in origin.tolist()]
            return np.array(
                [[f"{q}: {t}" for t in row] for q, row in zip(quoted, texts.tolist())], object
            )
        import tensorflow as tf

        if len(texts.shape) == 2:
            origin = tf.broadcast_to(origin[:, None], tf.shape(texts))
        return tf.strings.join([origin, tf.constant(": "), texts])


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow exports")
def test_served_with_two_inputs(tokenizers, tmp_path, capsys):
    import tensorflow as tf

    model = make(tokenizers, Quoting)
    model.export(tmp_path / "1", sampler="beam", max_length=6)
    told = capsys.readouterr().out
    assert "serving_default: " in told and "question_text string (None,)" in told
    texts, scores, alignments = model.generate(
        INPUTS, sampler="beam", max_length=6, return_scores=True, return_attention=True
    )
    assert all(text.startswith(f"{context}: ") for text, context in zip(texts, CONTEXTS))
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    inputs = {name: tf.constant(values) for name, values in INPUTS.items()}
    served = signatures["serving_default"](**inputs)
    assert [text.decode() for text in served["text"].numpy()] == texts
    np.testing.assert_allclose(served["score"], scores, atol=1e-4)
    nbest = signatures["nbest"](**inputs)["text"].numpy()
    assert [text.decode() for text in nbest[:, 0]] == texts
    looked = signatures["align"](**inputs)
    for name in INPUTS:
        tokens = looked[f"{name}_tokens"].numpy()
        for i, alignment in enumerate(alignments):
            source = alignment.source_tokens[name]
            assert [t.decode() for t in tokens[i, : len(source)]] == source
            weights = looked[f"{name}_attention"][i, : len(alignment.target_tokens), : len(source)]
            np.testing.assert_allclose(weights, alignment.weights[name], atol=1e-4)
    features = model.preprocessor.generate_preprocess(INPUTS)
    by_ids = signatures["tokens"](**{name: tf.constant(features[name]) for name in NAMES})
    np.testing.assert_allclose(by_ids["score"], scores, atol=1e-4)


def test_encoders_that_do_not_fit():
    text = RNNEncoder(3, vocabulary_size=9)
    with pytest.raises(ValueError, match="different sizes: .*'b': 8"):
        MultiSourceEncoder({"a": text, "b": RNNEncoder(4, vocabulary_size=9)}).build(
            {"a": (None, None), "b": (None, None)}
        )
    with pytest.raises(ValueError, match="must be a dict"):
        MultiSourceEncoder([text])
    with pytest.raises(ValueError, match=r"`encoders\['b'\]` must be a keras_s2s.layers.Encoder"):
        MultiSourceEncoder({"a": text, "b": MultiSourceEncoder({"c": text, "d": text})})


def test_image_beside_text():
    """The grid of an image stays one where a text stands beside it."""
    backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 4, strides=4)])
    encoder = MultiSourceEncoder(
        {
            "images": ImageEncoder(6, backbone, image_size=(8, 8)),
            "question_token_ids": RNNEncoder(3, vocabulary_size=9),
        }
    )
    inputs = {"images": np.zeros((2, 8, 8, 3)), "question_token_ids": np.array([[5, 3], [6, 3]])}
    memory = encoder(inputs)
    assert numpy(memory["mask"]).shape == (2, 4 + 2)
    weights = np.arange(2 * 6.0).reshape(2, 1, 6)
    split = encoder.split_attention(weights, inputs)
    np.testing.assert_array_equal(split["images"], weights[..., :4].reshape(2, 1, 2, 2))
    np.testing.assert_array_equal(split["question_token_ids"], weights[..., 4:])
