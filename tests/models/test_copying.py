"""Models that copy from the source: names come back as the source wrote them, everywhere."""

import random
import re
import warnings

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.decoding import Beam
from keras_s2s.layers import CopyHead, RNNDecoder, RNNEncoder
from keras_s2s.models import Translator
from keras_s2s.preprocessing import (
    CutWarning,
    Preprocessor,
    SentencePieceTokenizer,
    SlotWarning,
    TextColumn,
    TextPairPreprocessor,
    WordTokenizer,
)

pytestmark = pytest.mark.prepared
SLOTS = 3
CONTEXTS = ("the {} method is used here", "here we use a {}", "we show how {} works")


def pairs(count, seed):
    """Sentences about made-up names, and titles of the names alone."""
    draw = random.Random(seed)
    names = ["".join(draw.choices("abcdeéfgHK09", k=6)) for _ in range(count)]
    sources = [draw.choice(CONTEXTS).format(name) for name in names]
    return sources, [f"using {name}" for name in names]


def train(head, preprocessor, epochs, seed=1):
    keras.utils.set_random_seed(seed)
    size = preprocessor.target_tokenizer.vocabulary_size
    model = Translator(
        RNNEncoder(24, "rnn", bidirectional=False, vocabulary_size=size),
        RNNDecoder(size, 24, cell="rnn", attention="luong", head=head),
        preprocessor,
        share_embedding=True,
        sampler="greedy",
    )
    model.compile(keras_s2s.optimizers.Adam(1e-2))
    model.fit(*pairs(480, seed=1), batch_size=32, epochs=epochs, verbose=0)
    return model


@pytest.fixture(scope="module")
def words():
    """A model of words, trained; none of the names is in its vocabulary."""
    tokenizer = WordTokenizer.train(CONTEXTS * 2 + ("using",), 40)
    preprocessor = TextPairPreprocessor(tokenizer, copy_slots=SLOTS, target_length=8)
    return train(CopyHead(SLOTS), preprocessor, epochs=3)


SOURCES, TARGETS = pairs(40, seed=2)


@pytest.mark.thorough
@pytest.mark.slow
def test_subwords_spell_names_that_attention_alone_cannot():
    text = sum(pairs(480, seed=1), [])
    tokenizer = SentencePieceTokenizer.train(text, 60)
    right = {}
    for head in (None, CopyHead()):
        model = train(head, TextPairPreprocessor(tokenizer), epochs=4)
        texts = model.generate(SOURCES)
        right[head is None] = sum(a == b for a, b in zip(texts, TARGETS))
    assert right[False] >= 36 and right[True] <= 20, right


@pytest.mark.slow
def test_words_outside_the_vocabulary_come_back(words):
    assert words.generate(SOURCES) == TARGETS
    # More names than slots: some of them, and nothing that the source does not have.
    names = {f"Name{i}" for i in range(SLOTS + 2)}
    text = "the " + " ".join(sorted(names)) + " method is used here"
    with pytest.warns(SlotWarning, match="1 of 1 inputs have more than 3 different words.*index 0"):
        many = words.generate(text)
    assert set(many.split()) <= {*words.preprocessor.target_tokenizer.get_vocabulary(), *names}


@pytest.mark.slow
def test_every_form_gives_the_same(words, tmp_path):
    import tensorflow as tf

    texts = words.generate(SOURCES[:6], batch_size=2)
    assert texts == TARGETS[:6]
    assert words.generate(tf.data.Dataset.from_tensor_slices(SOURCES[:6])) == texts
    words.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").generate(SOURCES[:6]) == texts
    words.save_to_preset(tmp_path / "preset")
    assert keras_s2s.zoo.load(tmp_path / "preset").generate(SOURCES[:6]) == texts


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow exports")
def test_export_copies(words, tmp_path):
    import tensorflow as tf

    words.export(tmp_path / "1", sampler="greedy")
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    texts, scores, alignments = words.generate(
        SOURCES[:5], sampler="greedy", return_scores=True, return_attention=True
    )
    given, names = tf.constant(SOURCES[:5]), ("serving_default", "align", "nbest")
    served = {name: signatures[name](text=given) for name in names}
    for answer in (served["serving_default"], served["align"]):
        assert [text.decode() for text in answer["text"].numpy()] == texts == TARGETS[:5]
        np.testing.assert_allclose(answer["score"], scores, atol=1e-4)
    assert [row[0].decode() for row in served["nbest"]["text"].numpy()] == texts
    for alignment, source, target in zip(
        alignments, served["align"]["source_tokens"], served["align"]["target_tokens"]
    ):
        for pieces, expected in (
            (source, alignment.source_tokens),
            (target, alignment.target_tokens),
        ):
            assert [piece.decode() for piece in pieces.numpy() if piece] == expected
    assert alignments[0].target_tokens[1] == TARGETS[0].split()[1]


@pytest.mark.slow
def test_an_n_best_list_tells_own_words_apart(words):
    """Texts that differ in a copied word alone are two texts."""
    # Untrained it finds all words about equally likely, and its list has most of them.
    model = train(CopyHead(SLOTS), words.preprocessor, epochs=0)
    names = [f"Name{i}" for i in range(SLOTS)]
    sampler = Beam(20, num_return_sequences=15, length_penalty=0.0)
    best = model.generate("the " + " ".join(names) + " method", max_length=2, sampler=sampler)
    assert set(names) <= set(best) and len(set(best)) == 15


@pytest.mark.slow
def test_score_is_that_of_generated_texts(words):
    texts, scores = words.generate(
        SOURCES[:8], sampler=Beam(3, length_penalty=0.0), return_scores=True
    )
    np.testing.assert_allclose(words.score(SOURCES[:8], texts), scores, atol=1e-4)


@pytest.mark.slow
def test_training_reads_the_same_in_every_form(words):
    """Lists, a dataset of strings, and batches of ids."""
    import tensorflow as tf

    from keras_s2s.data import Batches, ExamplesPerBatch

    expected = words.evaluate(SOURCES, TARGETS, verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices((SOURCES, TARGETS)).batch(16)
    np.testing.assert_allclose(words.evaluate(dataset, verbose=0), expected, rtol=1e-4)
    batches = Batches.from_raw(words.preprocessor, SOURCES, TARGETS, ExamplesPerBatch(16))
    np.testing.assert_allclose(words.evaluate(batches, verbose=0), expected, rtol=1e-4)
    # Names are learnt by their slots, not as unknown.
    x, labels, _ = words.preprocessor(SOURCES[:1], TARGETS[:1])
    size = words.decoder.vocabulary_size
    assert x["encoder_token_ids"].max() == labels.max() == size


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["", "Zorb", "‰ ‱ ※", "we " * 50_000, " ".join(f"n{i}" for i in range(9))]
)
def test_odd_texts(words, text):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = words.generate(text)
    assert isinstance(result, str) and (text or result == "")
    is_long, has_many = len(text) > 1000, text.startswith("n0")
    told = {w.category for w in told}
    assert (CutWarning in told, SlotWarning in told) == (is_long, has_many)


@pytest.mark.slow
def test_prompts_have_words_of_the_vocabulary_or_of_the_input(words):
    inputs = {"encoder_text": SOURCES[:1], "decoder_text": ["using " + TARGETS[0].split()[1]]}
    assert words.generate(inputs) == TARGETS[:1]
    with pytest.raises(ValueError, match="Prompt 0 has 'Zorb', which the vocabulary lacks and the"):
        words.generate({**inputs, "decoder_text": ["Zorb"]})


@pytest.mark.slow
def test_ids_beyond_the_slots_are_unknown(words):
    """Those of one example change nothing of another."""
    size = words.decoder.output_size
    ids = np.array([[5, 6, size + 2, 3], [7, 5, 6, 3]])
    plain = np.where(ids < size, ids, 1)
    alone, beside = (words.generate({"encoder_token_ids": x})["log_probs"] for x in (plain, ids))
    np.testing.assert_allclose(beside, alone, atol=1e-5)


@pytest.mark.slow
def test_too_many_words_are_told_in_training():
    tokenizer = WordTokenizer.train(["we show it"], 8)
    preprocessor = TextPairPreprocessor(tokenizer, copy_slots=1)
    sources, targets = ["we show a b", "we show a", "we show a b c"], ["it", "it", "it"]
    told = re.escape("2 of 3 inputs have more than 1 different words that the vocabulary lacks, th")
    from keras_s2s.data import Batches

    for form in (list, iter, np.array):
        with pytest.warns(SlotWarning, match=told):
            batches = Batches.from_raw(preprocessor, form(sources), targets)
    assert max(x["encoder_token_ids"].max() for x, *_ in batches) == tokenizer.vocabulary_size
    model = Translator(
        RNNEncoder(3, "rnn", vocabulary_size=tokenizer.vocabulary_size),
        RNNDecoder(tokenizer.vocabulary_size, 3, cell="rnn", head=CopyHead(1)),
        preprocessor,
    )
    model.compile(run_eagerly=True)
    for use in (model.fit, model.evaluate):
        with pytest.warns(SlotWarning, match=told):
            use(sources, targets, verbose=0)


def test_what_does_not_go_together():
    text = ["ein Hund", "a dog"]
    words, pieces = WordTokenizer.train(text, 9), SentencePieceTokenizer.train(text, 14)
    other = WordTokenizer(["w", "x", "y", "z"])
    with pytest.raises(TypeError, match="whose pieces spell every word"):
        TextPairPreprocessor(pieces, copy_slots=2)
    with pytest.raises(ValueError, match="With `copy_slots`, .* one vocabulary"):
        TextPairPreprocessor(words, pieces, copy_slots=2)
    columns = [TextColumn(words, copy_slots=2)]
    with pytest.raises(ValueError, match="need a single column and several_targets=False"):
        Preprocessor(columns, words, several_targets=True)
    cases = {
        r"gives ids to 5 words.*head=keras_s2s.layers.CopyHead\(5\)": (
            CopyHead(2),
            TextPairPreprocessor(words, copy_slots=5),
        ),
        "copy_slots=3.*head=": (None, TextPairPreprocessor(words, copy_slots=3)),
        "copy_slots=0, and CopyHead with slots=2": (CopyHead(2), TextPairPreprocessor(words)),
        "need the same vocabulary": (CopyHead(), TextPairPreprocessor(words, other)),
    }
    for message, (head, preprocessor) in cases.items():
        size = preprocessor.target_tokenizer.vocabulary_size
        encoder, decoder = RNNEncoder(4, vocabulary_size=size), RNNDecoder(size, 4, head=head)
        with pytest.raises(ValueError, match=message):
            Translator(encoder, decoder, preprocessor)
