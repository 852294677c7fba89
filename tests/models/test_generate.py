"""From strings to strings."""

import itertools
import re

import keras
import numpy as np
import pytest

from keras_s2s import decoding
from keras_s2s.models import Alignment
from tests.fewer import chosen, each, fewer_elsewhere
from tests.layers.helpers import numpy, randomize
from tests.models.conftest import SOURCES

pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")
import tensorflow as tf  # noqa: E402

BEAM = decoding.Beam(num_beams=3, num_return_sequences=2)


@pytest.fixture(scope="module")
def expected(translator):
    """One at a time, from the sampler on the memory: tokens to text by the tokenizer alone."""
    texts = []
    for source in SOURCES:
        ids = translator.preprocessor.generate_preprocess([source])["encoder_token_ids"]
        result = translator.generate({"encoder_token_ids": ids})
        target = translator.preprocessor.target_tokenizer
        texts.append(target.detokenize(result["token_ids"][:, 0]).numpy()[0].decode())
    assert len(set(texts)) > 2 and all(texts)
    return texts


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.function")
def test_two_graphs_serve_batches_of_all_sizes(make_translator, monkeypatch):
    model, traced = make_translator(), []
    encode = model.encoder.call
    monkeypatch.setattr(model.encoder, "call", lambda *x, **y: traced.append(1) or encode(*x, **y))
    texts = [model.generate(source) for source in SOURCES]
    assert model.generate(SOURCES) == texts
    assert len(traced) == 1
    # Of these, examples leave the batch when they are done.
    assert model.generate(SOURCES * 5) == texts * 5
    assert model.generate(SOURCES * 4) == texts * 4
    assert len(traced) == 2


FORMS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "objects": lambda x: np.array(x, object),
    "bytes": lambda x: [s.encode() for s in x],
    "tensor": tf.constant,
    "dataset": tf.data.Dataset.from_tensor_slices,
    "batched": lambda x: tf.data.Dataset.from_tensor_slices(x).batch(2),
    "pairs": lambda x: tf.data.Dataset.from_tensor_slices((x, x)).batch(2),
    "generator": lambda x: (s for s in x),
}


@pytest.mark.every_backend
@pytest.mark.slow
@pytest.mark.parametrize("form", fewer_elsewhere(FORMS, 10))
def test_many(form, translator, expected):
    assert translator.generate(FORMS[form](SOURCES)) == expected


def test_one(translator, expected):
    for one in ("eine Katze", b"eine Katze", np.str_("eine Katze"), tf.constant("eine Katze")):
        assert translator.generate(one) == expected[1]
    assert translator.translate("eine Katze") == expected[1]


@pytest.mark.parametrize("batch_size", fewer_elsewhere([2, 3, 1], 3))
def test_order_and_results_do_not_depend_on_batches(batch_size, translator, expected):
    """Inputs of similar length share a batch, so they are computed in another order."""
    twice = [*SOURCES, *reversed(SOURCES)]
    assert translator.generate(twice, batch_size=batch_size) == [*expected, *reversed(expected)]


def test_nothing(translator):
    assert translator.generate([]) == []
    assert translator.generate(np.array([], object)) == []
    assert translator.generate([], return_scores=True, return_attention=True) == ([], [], [])
    assert translator.generate(tf.data.Dataset.from_tensor_slices(["a"]).take(0)) == []


@pytest.mark.thorough
def test_empty_string(translator):
    text, score, alignment = translator.generate("", return_scores=True, return_attention=True)
    assert text == "" and np.isfinite(score)
    assert alignment.weights.shape == (1, 1)
    assert translator.generate(["", "Hund", "   "])[::2] == ["", ""]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [decoding.Greedy(), decoding.Beam(3, length_penalty=0.4)])
def test_confidence_is_the_mean_log_probability(translator, sampler):
    texts, confidences, alignments = translator.generate(
        SOURCES, sampler=sampler, return_confidence=True, return_attention=True
    )
    tokens = [alignment.target_tokens for alignment in alignments]
    # `score` knows of outputs that ended by themselves, in the pieces that their text is cut into.
    cut = translator.preprocessor.target_tokenizer.tokenize(texts).to_list()
    ids = [[translator.preprocessor.target_tokenizer.id_to_token(i) for i in row] for row in cut]
    known = [row for row in range(len(texts)) if tokens[row] == [*ids[row], "</s>"]]
    assert known
    expected = translator.score(SOURCES, texts) / [len(row) for row in tokens]
    np.testing.assert_allclose(np.array(confidences)[known], expected[known], rtol=1e-4)
    alone = translator.generate(SOURCES[0], sampler=sampler, return_confidence=True)
    assert alone == (texts[0], pytest.approx(confidences[0], rel=1e-4))


def test_very_long_string(translator):
    text = translator.generate("Hund " * 2000)
    assert isinstance(text, str)
    # As if cut where the preprocessor cuts.
    assert text == translator.generate("Hund " * 3000)


def test_bytes_that_are_not_utf8(translator):
    broken = b"ein \xff\xfe Hund \xc3"
    assert translator.generate(broken) == translator.generate(broken.decode(errors="replace"))
    assert translator.generate("ein \udcff Hund")


@pytest.mark.parametrize(
    "inputs, message",
    [
        (None, "None"),
        (3, "3 "),
        ([1.5], "Element 0 is 1.5"),
        (["a", None], "Element 1 is None"),
        ([["a"]], "flat list"),
        (np.array([1, 2]), "int64"),
    ],
)
def test_bad_inputs(inputs, message, translator):
    with pytest.raises(TypeError, match=message):
        translator.generate(inputs)


def test_dict_needs_the_key_of_the_encoder(translator):
    with pytest.raises(ValueError, match="encoder_token_ids.*text"):
        translator.generate({"text": ["a"]})


def test_preprocessor_can_be_taken_away(make_translator):
    model = make_translator()
    model.preprocessor = None
    with pytest.raises(ValueError, match="preprocessor"):
        model.generate("a")


@pytest.mark.slow
@pytest.mark.parametrize(
    ["sampler", "width"],
    each(
        [decoding.Greedy(), decoding.Beam(2, coverage_penalty=0.2), decoding.Random(seed=1)],
        [0, 3],
    ),
)
def test_rows_of_padding_alone_and_of_no_width(width, sampler, translator):
    """As an empty text: just an end."""
    ids = np.zeros((2, width), "int32")
    result = translator.generate({"encoder_token_ids": ids}, sampler=sampler)
    np.testing.assert_array_equal(result["lengths"], 1)
    np.testing.assert_array_equal(result["token_ids"][:, 0, 0], 3)
    assert np.isfinite(result["log_probs"]).all()


# Prompts


@pytest.mark.slow
@pytest.mark.parametrize("sampler", chosen(["greedy", "beam"], "greedy"))
def test_outputs_begin_with_their_prompts(sampler, translator, expected):
    prompts = ["a cat", "", "good", "the dog", ""]
    inputs = {"encoder_text": SOURCES, "decoder_text": prompts}
    tokenizer = translator.preprocessor.target_tokenizer
    texts, alignments = translator.generate(inputs, sampler=sampler, return_attention=True)
    for prompt, text, alignment in zip(prompts, texts, alignments):
        pieces = [tokenizer.id_to_token(i) for i in tokenizer.tokenize(prompt).numpy()]
        assert alignment.target_tokens[: len(pieces)] == pieces
        assert text.startswith(prompt)
    if sampler == "greedy":
        assert [texts[1], texts[4]] == [expected[1], expected[4]]
        assert translator.generate({"encoder_text": SOURCES}) == expected
    # Alone as in a batch.
    one = {"encoder_text": SOURCES[0], "decoder_text": prompts[0]}
    assert translator.generate(one, sampler=sampler) == texts[0]


@pytest.mark.slow
def test_what_follows_a_prompt_is_what_the_model_finds_likeliest(translator):
    """The first token after it is that of teacher forcing."""
    inputs = translator.preprocessor.generate_preprocess(["eine Katze"], ["a"])
    prompt = inputs["prompt_token_ids"][0]
    prompt = prompt[prompt != 0]
    assert 3 not in prompt
    forced = np.array([[2, *prompt]], "int32")
    encoder = {"encoder_token_ids": inputs["encoder_token_ids"]}
    logits = numpy(translator({**encoder, "decoder_token_ids": forced}))[0, -1]
    logits[[0, 2]] = -np.inf
    found = translator.generate(inputs)["token_ids"][0, 0]
    np.testing.assert_array_equal(found[: len(prompt)], prompt)
    assert found[len(prompt)] == logits.argmax()
    # The references of a training batch are no prompts.
    free = translator.generate(encoder)["token_ids"]
    leaked = translator.generate({**encoder, "decoder_token_ids": forced})["token_ids"]
    np.testing.assert_array_equal(free, leaked)


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"encoder_text": ["a", "b"], "decoder_text": ["c"]}, "the same length.*2 and 1"),
        ({"encoder_text": ["a"], "prompt": ["c"]}, "decoder_text.*prompt"),
    ],
)
def test_bad_prompts(inputs, message, translator):
    with pytest.raises(ValueError, match=message):
        translator.generate(inputs)


@pytest.mark.slow
def test_max_length(translator):
    """Tokens, the end counted."""
    sampler = decoding.Greedy(min_length=5)
    count = translator.preprocessor.target_tokenizer.tokenize
    for text in translator.generate(SOURCES, sampler=sampler, max_length=3):
        assert count([text]).row_lengths().numpy()[0] <= 2 + 1
    ids = translator.preprocessor.generate_preprocess(SOURCES)
    result = translator.generate(ids, sampler=sampler, max_length=3)
    assert result["token_ids"].shape[-1] == 3


@pytest.mark.thorough
@pytest.mark.slow
def test_several_sequences(translator):
    texts, scores = translator.generate(SOURCES, sampler=BEAM, return_scores=True)
    assert [len(t) for t in texts] == [len(s) for s in scores] == [2] * len(SOURCES)
    assert all(isinstance(t, str) for row in texts for t in row)
    assert all(isinstance(s, float) and row[0] >= row[1] for row in scores for s in row)
    best = decoding.Beam(num_beams=3)
    assert translator.generate(SOURCES, sampler=best) == [row[0] for row in texts]
    # One input: one list.
    assert translator.generate(SOURCES[0], sampler=BEAM) == texts[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ["single", "sampler", "attention", "scores"],
    fewer_elsewhere(
        itertools.product([False, True], [decoding.Greedy(), BEAM], [False, True], [False, True]), 5
    ),
)
def test_nesting_of_what_is_returned(scores, attention, sampler, single, translator):
    inputs = SOURCES[1] if single else SOURCES[1:3]
    found = translator.generate(
        inputs, sampler=sampler, return_scores=scores, return_attention=attention
    )
    kinds = [str, *([float] if scores else []), *([Alignment] if attention else [])]
    columns = found if len(kinds) > 1 else (found,)
    assert len(columns) == len(kinds) and isinstance(columns, tuple)
    for column, kind in zip(columns, kinds):
        column = [column] if single else column
        assert len(column) == (1 if single else 2)
        for value in column:
            values = value if sampler is BEAM else [value]
            assert len(values) == (2 if sampler is BEAM else 1)
            assert all(type(v) is kind for v in values)


@pytest.mark.slow
def test_alignment(translator):
    texts, alignments = translator.generate(SOURCES, return_attention=True)
    preprocessor = translator.preprocessor
    for source, text, alignment in zip(SOURCES, texts, alignments):
        pieces = [
            preprocessor.source_tokenizer.id_to_token(i)
            for i in preprocessor.source_tokenizer.tokenize(source).numpy()
        ]
        assert alignment.source_tokens[:-1] == pieces
        joined = "".join(t for t in alignment.target_tokens if not re.fullmatch("<.*>", t))
        assert joined.replace("▁", " ").split() == text.split() or "⁇" in text
        shape = (len(alignment.target_tokens), len(alignment.source_tokens))
        assert alignment.weights.shape == shape
        np.testing.assert_allclose(alignment.weights.sum(-1), 1, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.slow
def test_attention_of_a_model_without(make_translator):
    import keras_s2s

    base = make_translator()
    model = keras_s2s.models.Translator(
        keras_s2s.layers.RNNEncoder(4, vocabulary_size=base.encoder.vocabulary_size),
        keras_s2s.layers.RNNDecoder(base.decoder.vocabulary_size, 4, attention=None),
        base.preprocessor,
    )
    assert isinstance(model.generate("Hund"), str)
    with pytest.raises(ValueError, match="attention"):
        model.generate("Hund", return_attention=True)


@pytest.mark.slow
def test_generate_after_training_uses_the_new_weights(make_translator):
    model = make_translator()
    before = model.generate(SOURCES, return_scores=True)[1]
    randomize(model, scale=0.8, seed=3)
    assert np.abs(np.array(before) - model.generate(SOURCES, return_scores=True)[1]).max() > 1e-3


@pytest.mark.slow
def test_draws_belong_to_the_request(make_translator, monkeypatch):
    model, traced = make_translator(simple=True), []
    encode = model.encoder.call
    monkeypatch.setattr(model.encoder, "call", lambda *x, **y: traced.append(1) or encode(*x, **y))
    sources = SOURCES[:3] * 4

    def draw(sampler, **options):
        return model.generate(sources, sampler=sampler, **options)

    def seeded(seed):
        return decoding.Random(temperature=2.0, seed=seed)

    first = draw(seeded(3))
    assert all(len(set(first[i::3])) > 2 for i in range(3))
    assert draw(seeded(3), batch_size=6) == first
    count = len(traced)
    assert draw(seeded(3)) == first != draw(seeded(np.int64(4)))
    free = decoding.Random(temperature=2.0)
    assert draw(free) != draw(free)
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert len(traced) == count
    by_name = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        by_name.append([draw("random"), draw("random")])
    assert by_name[0] == by_name[1] and by_name[0][0] != by_name[0][1]


@pytest.mark.slow
def test_nbest_lists_have_a_text_once(make_translator):
    """Of a model that finds all pieces equally probable, the unknown one too."""
    model = make_translator(simple=True)
    randomize(model, scale=0)
    preprocessor, sampler = model.preprocessor, decoding.Beam(8, num_return_sequences=6)
    texts, scores = model.generate(SOURCES, sampler=sampler, return_scores=True)
    assert all(len(set(row)) == 6 for row in texts)
    assert np.isfinite(scores).all() and (np.diff(scores) <= 0).all()
    inputs = preprocessor.generate_preprocess(SOURCES)
    ids = model.generate(inputs, sampler=sampler)["token_ids"]
    found = preprocessor.generate_postprocess(ids)
    assert found.tolist() == texts
    by_ids = sampler(model.decoder, model.encoder(numpy(inputs["encoder_token_ids"])), 8)[
        "token_ids"
    ]
    found = preprocessor.generate_postprocess(numpy(by_ids))
    assert any(len(set(row)) < 6 for row in found.tolist())


@pytest.mark.every_backend
@pytest.mark.slow
def test_what_changes_after_a_first_call(make_translator):
    """Compiled functions must not outlive what they were compiled from."""
    model = make_translator(simple=True)
    sampler = decoding.Greedy(min_length=6)
    count = model.preprocessor.target_tokenizer.tokenize
    long = model.generate("ein Hund", sampler=sampler)
    model.preprocessor.target_length = 2
    assert len(count(model.generate("ein Hund", sampler=sampler))) <= 2 < len(count(long))

    class Greedy(decoding.Greedy):
        def _choose(self, step, choices, search):
            return tuple(x[:, 1:] for x in choices.best(2))

    model.preprocessor.target_length = 8
    assert model.generate("ein Hund", sampler=Greedy(min_length=6)) != long

    class Banning(decoding.Greedy):
        """With an option that its config does not tell."""

        def __init__(self, token=None):
            super().__init__(banned_tokens=() if token is None else [token])

        def get_config(self):
            return {}

    ids = count(long).numpy()
    for token in (None, int(ids[-1]), None):
        text = model.generate("ein Hund", sampler=Banning(token))
        assert token is None or token not in count(text).numpy()


def test_few_compiled_functions_are_kept(translator):
    functions = translator._functions
    for length in range(2 * functions.SIZE):
        functions.decode(translator, decoding.Greedy(min_length=length), False)
    assert len(functions._cache) <= functions.SIZE


@pytest.mark.every_backend
@pytest.mark.slow
def test_generate_in_the_middle_of_training(make_translator):
    model = make_translator(simple=True)
    texts = []

    def generate(batch, logs):
        texts.append(model.generate("eine Katze"))

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=generate)
    targets = ["a cat"] * len(SOURCES)
    model.compile(keras.optimizers.Adam(0.03))
    # All in one batch, so that there is one shape to compile.
    model.fit(SOURCES, targets, epochs=12, batch_size=len(SOURCES), callbacks=[watch], verbose=0)
    assert texts[-1] == model.generate("eine Katze") and len(set(texts)) > 1


@pytest.mark.thorough
@pytest.mark.slow
def test_separate_tokenizers_of_unequal_size(make_translator):
    """Ids of the two sides mean different pieces."""
    model = make_translator()
    preprocessor = model.preprocessor
    assert preprocessor.source_tokenizer is not preprocessor.target_tokenizer
    assert model.encoder.vocabulary_size == 26 and model.decoder.vocabulary_size == 21
    source = set("".join(SOURCES)) - set("a dog barks a cat good morning the sees")
    assert not source & set("".join(model.generate(SOURCES)))


@pytest.mark.slow
@pytest.mark.parametrize("side", ["source", "target"])
def test_vocabulary_of_another_size_than_the_tokenizer(side, tokenizers):
    import keras_s2s

    sizes = {"source": 26, "target": 21}
    sizes[side] += 1
    with pytest.raises(ValueError, match=f"{side} tokenizer.*vocabulary_size={sizes[side]}"):
        keras_s2s.models.Translator(
            keras_s2s.layers.RNNEncoder(4, vocabulary_size=sizes["source"]),
            keras_s2s.layers.RNNDecoder(sizes["target"], 4),
            keras_s2s.preprocessing.TextPairPreprocessor(*tokenizers),
        )


@pytest.mark.thorough
@pytest.mark.slow
def test_mixed_precision(make_translator, translator):
    model = make_translator(dtype="mixed_bfloat16")
    texts, scores = model.generate(SOURCES, return_scores=True)
    assert all(isinstance(t, str) for t in texts) and np.isfinite(scores).all()
    assert keras.backend.standardize_dtype(model.encoder(np.ones((1, 1)))["values"].dtype) == (
        "bfloat16"
    )
