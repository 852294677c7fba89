"""Nothing is cut without a word."""

import warnings

import keras
import numpy as np
import pytest

from keras_s2s import decoding
from keras_s2s.models import Summarizer
from keras_s2s.preprocessing import CutWarning
from tests.models.conftest import SOURCES, TARGETS
from tests.models.helpers import eager

pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")
import tensorflow as tf  # noqa: E402

SENTENCES = ["ein Hund bellt.", "Der Hund sieht die Katze!"]
TEXT = " \n".join(SENTENCES)


@pytest.fixture(scope="module")
def model(make_translator):
    """It reads a sentence of `TEXT` at most."""
    keras.utils.set_random_seed(1)
    model = eager(make_translator(simple=True, target_length=30))
    model.preprocessor.source_length = int(model.preprocessor.count_source_ids(SENTENCES).max())
    return model


def cuts(function, *arguments, **options):
    """What is told of texts that are cut."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arguments, **options)
    return [str(warning.message) for warning in caught if warning.category is CutWarning]


def test_counts_are_those_before_the_cut(model):
    ids = model.preprocessor.generate_preprocess([*SENTENCES, TEXT, ""])["encoder_token_ids"]
    counts = model.preprocessor.count_source_ids([*SENTENCES, TEXT, ""])
    lengths = np.sum(ids != 0, axis=1)
    assert lengths.tolist() == [*counts[:2], model.preprocessor.source_length, 1]
    assert counts[2] > lengths[2] and counts[3] == 1
    assert model.preprocessor.count_target_ids("a dog").shape == ()


def test_generate_says_what_it_cuts(model):
    (message,) = cuts(model.generate, ["Hund", TEXT, "Katze", TEXT])
    most = model.preprocessor.source_length - 1
    assert message.startswith(
        f"2 of 4 inputs have more than {most} pieces, the first at index 1. They are cut there"
    )
    assert cuts(model.generate, [*SENTENCES, ""]) == []
    with pytest.raises(ValueError, match=f"1 of 1 inputs have more than {most} pieces"):
        model.generate(TEXT, on_long="error")
    assert model.generate(SENTENCES, on_long="error") == model.generate(SENTENCES)


@pytest.mark.slow
def test_generate_sentence_by_sentence(model):
    beam = decoding.Beam(3, num_return_sequences=2)
    options = {"sampler": beam, "return_scores": True, "max_length": 5}
    (first, second), scores = model.generate(SENTENCES, **options)
    options["return_confidence"] = True
    texts, joined, confidences = model.generate(["Hund", TEXT], on_long="split", **options)
    each = model.generate(SENTENCES, **options)[2]
    np.testing.assert_allclose(confidences[1], np.mean(each, axis=0), rtol=1e-5)
    assert texts[1] == [f"{a} \n{b}" for a, b in zip(first, second)]
    np.testing.assert_allclose(joined[1], np.mean(scores, axis=0), rtol=1e-5)
    assert texts[0] == model.generate(["Hund"], **options)[0][0]
    # One by itself; bytes; a word that is too long.
    assert model.generate(TEXT.encode(), on_long="split", **options)[0] == texts[1]
    assert cuts(model.generate, "n" * 200, on_long="split") == []


@pytest.mark.slow
def test_long_and_unreadable_inputs_leave_the_others_as_they_are(model):
    inputs = ["Hund", None, TEXT, 3, "Katze"]
    with pytest.warns(UserWarning, match="2 of 5 inputs could not be read"):
        texts = model.generate(inputs, on_long="split", on_error="none")
    alone = [model.generate(text, on_long="split") for text in ("Hund", TEXT, "Katze")]
    assert texts == [alone[0], None, alone[1], None, alone[2]]
    # What is in the way changes no draws of the others.
    sampler = decoding.Random(seed=7)
    with pytest.warns(UserWarning, match="2 of 5"):
        drawn = model.generate(inputs, sampler=sampler, on_long="split", on_error="none")
    short = model.generate(["Hund", "a", "a", "a", "Katze"], sampler=sampler)
    assert (drawn[0], drawn[4]) == (short[0], short[4])
    message = "1 of 3 inputs have more than .* pieces, the first at index 2"
    with pytest.raises(ValueError, match=message):
        model.generate(inputs[:3] + ["a"], on_long="error", on_error="none")


@pytest.mark.slow
def test_a_prompt_begins_the_first_sentence(model):
    text = model.generate({"encoder_text": TEXT, "decoder_text": "a dog"}, on_long="split")
    first = model.generate({"encoder_text": SENTENCES[0], "decoder_text": "a dog"})
    assert text == f"{first} \n{model.generate(SENTENCES[1])}" and first.startswith("a dog")


def test_what_cannot_be_split_is_told(model, monkeypatch):
    monkeypatch.setattr(model.preprocessor, "source_length", 1)
    (message,) = cuts(model.generate, "ab", on_long="split")
    assert message.startswith("2 of 2 inputs have more than 0 pieces")
    with pytest.raises(ValueError, match="`on_long=.split.` cannot return attention"):
        model.generate("ab", on_long="split", return_attention=True)
    with pytest.raises(ValueError, match="'cut', 'error', 'split'. Received: 'drop'"):
        model.generate("ab", on_long="drop")


@pytest.mark.slow
def test_prompts_must_leave_room(model):
    prompts = ["a", "the dog sees"]
    inputs = {"encoder_text": SENTENCES, "decoder_text": prompts}
    count = int(model.preprocessor.count_target_ids(prompts)[1])
    # The prompt and its end.
    assert model.generate(inputs, max_length=count)[1] == prompts[1]
    with pytest.raises(
        ValueError, match=rf"Prompt 1 has {count - 1} pieces.*max_length={count - 1}"
    ):
        model.generate(inputs, max_length=count - 1)
    with pytest.raises(ValueError, match=r"Prompt 0 has .* at most 29 pieces.*target_length=30"):
        model.generate({"encoder_text": "Hund", "decoder_text": "a dog " * 20})
    tensors = model.preprocessor.generate_preprocess(SENTENCES, prompts)
    with pytest.raises(ValueError, match=rf"Prompt 1 has {count - 1} tokens"):
        model.generate(tensors, max_length=count - 1)


@pytest.fixture(scope="module")
def short(make_translator):
    """Of `SOURCES` it cuts two, of `TARGETS` three."""
    model = eager(make_translator(simple=True))
    model.preprocessor.source_length = 10
    return model


INPUTS = "2{} inputs have more than 9 pieces and are cut there"
OUTPUTS = "3{} outputs have more than 7 pieces and are cut there"


@pytest.mark.slow
def test_lists_are_told_before_anything_is_computed(short):
    expected = [
        INPUTS.format(" of 5") + ", the first: 'guten Morgen'",
        OUTPUTS.format(" of 5") + ", the first: 'a dog barks'",
    ]
    for function, options in (
        (short.fit, {"verbose": 0, "epochs": 2}),
        (short.evaluate, {"verbose": 0}),
        (short.score, {}),
    ):
        told = cuts(function, SOURCES, TARGETS, **options)
        assert [message.split(". ")[0] for message in told] == expected
    assert cuts(short.fit, SOURCES[1:2], TARGETS[4:], verbose=0) == []


@pytest.mark.thorough
@pytest.mark.slow
def test_datasets_are_told_once(short):
    pairs = tf.data.Dataset.from_tensor_slices((SOURCES, TARGETS))
    expected = sorted([INPUTS.format(""), OUTPUTS.format("")])
    for told in (
        cuts(short.fit, pairs, verbose=0, epochs=2),
        cuts(short.evaluate, pairs.batch(2), verbose=0),
    ):
        assert sorted(message.split(", the first: ")[0] for message in told) == expected
    few = pairs.filter(lambda source, target: target == "dog")
    assert cuts(short.fit, few, verbose=0) == []
    # Those held out are counted with the others.
    held_out = pairs.skip(2).take(1)
    told = cuts(short.fit, few, validation_data=held_out, verbose=0)
    assert sorted(message.split(" have")[0] for message in told) == ["1 inputs", "1 outputs"]


@pytest.mark.thorough
@pytest.mark.slow
def test_images_have_no_length():
    from tests.captioners import coloured, small_captioner

    captioner = small_captioner(simple=True)
    images, _ = coloured(1)
    assert isinstance(captioner.generate(images[0], on_long="error"), str)
    captions = [["red " * 100, "a red one"]]
    (message,) = cuts(eager(captioner).fit, images, captions, verbose=0)
    assert message.startswith("1 of 2 outputs have more than")


@pytest.mark.slow
def test_a_summary_is_not_made_sentence_by_sentence(model):
    parts = model.encoder, model.decoder, model.preprocessor
    summarizer = Summarizer(*parts)
    with pytest.raises(ValueError, match="is not for a Summarizer, which needs the whole text"):
        summarizer.generate("a", on_long="split")
    with pytest.warns(CutWarning, match="They are cut there.$"):
        summarizer.generate(TEXT, max_length=2)
    with pytest.raises(ValueError, match='at index 0. `on_long="cut"` cuts them.$'):
        summarizer.generate([TEXT], on_long="error")
