import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.preprocessing import (
    SentencePieceTokenizer,
    TextPairPreprocessor,
    WordTokenizer,
)
from tests.preprocessing.sentences import make_sentences

PAD, UNK, START, END = 0, 1, 2, 3


@pytest.fixture(scope="module")
def preprocessor(tokenizer):
    return TextPairPreprocessor(tokenizer)


@pytest.fixture(scope="module")
def other_tokenizer():
    texts = [text.upper() for text in make_sentences(100, seed=8)]
    return SentencePieceTokenizer.train(texts, vocabulary_size=60)


def to_lists(nested):
    return tf.nest.map_structure(lambda x: np.asarray(x).tolist(), nested)


def test_layout_of_a_batch(preprocessor, reference):
    sources, targets = ["ein Hund", "", "zwei Männer"], ["der Baum", "Kinder am Fluß", ""]
    x, labels, weights = preprocessor(sources, targets)
    for tensor in (x["encoder_token_ids"], x["decoder_token_ids"], labels):
        assert isinstance(tensor, np.ndarray) and tensor.dtype == "int32"
    assert weights.dtype == "float32"
    for row, source in zip(x["encoder_token_ids"].tolist(), sources):
        ids = [*reference.encode(source), END]
        assert row == ids + [PAD] * (len(row) - len(ids))
    rows = zip(labels.tolist(), x["decoder_token_ids"].tolist(), weights)
    for (label, decoder, weight), target in zip(rows, targets):
        ids = reference.encode(target)
        padding = [PAD] * (len(label) - len(ids) - 1)
        assert label == [*ids, END, *padding]
        assert decoder == [START, *ids, *padding]
        assert weight.tolist() == [1.0] * (len(ids) + 1) + [0.0] * len(padding)


def test_shapes_are_as_wide_as_the_longest(preprocessor, reference):
    sources, targets = make_sentences(20, seed=1), make_sentences(20, seed=2)
    x, labels, _ = preprocessor(sources, targets)
    assert x["encoder_token_ids"].shape == (20, 1 + max(map(len, reference.encode(sources))))
    assert labels.shape == (20, 1 + max(map(len, reference.encode(targets))))


@pytest.mark.slow
def test_same_in_dataset_function_and_eager(preprocessor):
    sources, targets = make_sentences(20, seed=1), make_sentences(20, seed=2)
    eager = to_lists(preprocessor(sources, targets))
    pairs = tf.data.Dataset.from_tensor_slices((sources, targets))
    (mapped,) = pairs.batch(20).map(preprocessor)
    assert to_lists(mapped) == eager
    assert to_lists(tf.function(preprocessor)(tf.constant(sources), tf.constant(targets))) == eager
    one = to_lists(next(iter(pairs.map(preprocessor))))
    assert one == to_lists(preprocessor(sources[0], targets[0]))
    n = len(one[1])
    assert eager[1][0][:n] == one[1] and set(eager[1][0][n:]) <= {PAD}


@pytest.mark.slow
def test_dataset_spec_has_batch_and_length_open(preprocessor):
    strings = tf.TensorSpec([None], tf.string)
    spec = tf.function(preprocessor).get_concrete_function(strings, strings).structured_outputs
    shapes = [tuple(tensor.shape) for tensor in tf.nest.flatten(spec)]
    assert shapes == [(None, None)] * 4


def test_generate_preprocess(preprocessor):
    batch = preprocessor.generate_preprocess(["ein Hund", ""])
    assert list(batch) == ["encoder_token_ids"]
    ids = preprocessor.source_tokenizer.tokenize("ein Hund").numpy().tolist() + [END]
    assert batch["encoder_token_ids"].tolist() == [ids, [END] + [PAD] * (len(ids) - 1)]
    one = preprocessor.generate_preprocess("ein Hund")["encoder_token_ids"]
    assert one.tolist() == ids


def test_generate_postprocess_inverts_labels(preprocessor):
    targets = make_sentences(20, seed=2)
    _, labels, _ = preprocessor(targets, targets)
    nbest = np.stack([labels] * 3, axis=1)
    assert preprocessor.generate_postprocess(nbest).tolist() == [[t] * 3 for t in targets]
    texts = preprocessor.generate_postprocess(tf.constant(nbest)).numpy()
    assert [[text.decode() for text in row] for row in texts] == [[t] * 3 for t in targets]


def test_truncation_keeps_the_end_id(tokenizer):
    preprocessor = TextPairPreprocessor(tokenizer, source_length=5, target_length=3)
    source = "ein Hund läuft über die Wiese"
    x, labels, weights = preprocessor([source], [source])
    ids = tokenizer.tokenize(source).numpy().tolist()
    assert x["encoder_token_ids"].tolist() == [ids[:4] + [END]]
    assert x["decoder_token_ids"].tolist() == [[START, *ids[:2]]]
    assert labels.tolist() == [ids[:2] + [END]]
    assert weights.tolist() == [[1.0] * 3]
    shortest = TextPairPreprocessor(tokenizer, source_length=1).generate_preprocess([source])
    assert shortest["encoder_token_ids"].tolist() == [[END]]


@pytest.mark.parametrize("text", ["n" * 10_000, "ein Hund " * 1_112])
def test_very_long_string_has_a_defined_result(preprocessor, text):
    x, labels, _ = preprocessor([text, ""], ["ein Hund", text])
    assert x["encoder_token_ids"].shape == labels.shape == (2, 256)
    assert x["encoder_token_ids"][0, -1] == labels[1, -1] == END


def test_zero_batch(preprocessor):
    x, labels, weights = preprocessor([], [])
    for tensor in (*x.values(), labels, weights):
        assert tensor.shape == (0, 1)
    assert preprocessor.generate_preprocess([])["encoder_token_ids"].shape == (0, 1)
    assert preprocessor.generate_postprocess(labels).shape == (0,)


def test_wrong_input_names_the_argument(preprocessor):
    with pytest.raises(TypeError, match="`source`.*Element 1 is None"):
        preprocessor(["a", None], ["a", "b"])
    with pytest.raises(TypeError, match="`target`.*Element 0 is 3"):
        preprocessor(["a"], [3])
    with pytest.raises(ValueError, match="2 in `source`, 1 in `target`"):
        preprocessor(["a", "b"], ["c"])


@pytest.mark.parametrize("length", [0, -1, 2.5, "3"])
def test_wrong_length(tokenizer, length):
    with pytest.raises(ValueError, match="`target_length` must be an int, at least 1"):
        TextPairPreprocessor(tokenizer, target_length=length)


def test_wrong_tokenizer(tokenizer):
    with pytest.raises(TypeError, match="`source_tokenizer` must be a tokenizer.*'spm.model'"):
        TextPairPreprocessor("spm.model")
    with pytest.raises(TypeError, match="`target_tokenizer` must be a tokenizer"):
        TextPairPreprocessor(tokenizer, "spm.model")


def test_sampling_only_where_asked_and_possible(tokenizer, sampling_tokenizer):
    texts = make_sentences(30, seed=3)
    preprocessor = TextPairPreprocessor(sampling_tokenizer, tokenizer)
    plain, drawn = preprocessor(texts, texts), preprocessor(texts, texts, sample=True)
    assert to_lists(plain) == to_lists(TextPairPreprocessor(tokenizer)(texts, texts))
    assert to_lists(plain[1:]) == to_lists(drawn[1:])
    assert to_lists(plain[0]) != to_lists(drawn[0])


@pytest.mark.slow
def test_no_draw_is_cut_where_the_text_fits(sampling_tokenizer):
    texts = make_sentences(40, seed=3)
    length = 1 + max(map(len, sampling_tokenizer.encode(texts)))
    preprocessor = TextPairPreprocessor(sampling_tokenizer, None, length, length)
    strings = tf.constant(texts)
    graph = tf.function(lambda: preprocessor(strings, strings, sample=True))
    for call in (lambda: preprocessor(texts, texts, sample=True), graph):
        x, labels, _ = call()
        decode = preprocessor.generate_postprocess
        for ids in (x["encoder_token_ids"], labels):
            assert decode(np.asarray(ids)).tolist() == texts
    assert to_lists(x) != to_lists(preprocessor(texts, texts)[0])


def test_separate_tokenizers(tokenizer, other_tokenizer):
    preprocessor = TextPairPreprocessor(tokenizer, other_tokenizer)
    x, labels, _ = preprocessor(["ein Hund"], ["EIN HUND"])
    assert (
        x["encoder_token_ids"][0, :-1].tolist() == tokenizer.tokenize("ein Hund").numpy().tolist()
    )
    assert labels[0, :-1].tolist() == other_tokenizer.tokenize("EIN HUND").numpy().tolist()
    assert preprocessor.generate_postprocess(labels).tolist() == ["EIN HUND"]
    assert len(preprocessor.resources) == 2


@pytest.mark.parametrize("shared", [True, False])
def test_config_and_assets(tokenizer, other_tokenizer, tmp_path, shared):
    target = None if shared else other_tokenizer
    preprocessor = TextPairPreprocessor(tokenizer, target, source_length=9, target_length=7)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(preprocessor)))
    assets = json.loads(json.dumps(preprocessor.save_assets(tmp_path)))
    assert "proto" not in json.dumps(assets)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.model"))
    names = ["source_tokenizer/spm.model", "target_tokenizer/spm.model"]
    assert files == (names[:1] if shared else names)
    texts = make_sentences(5, seed=4)
    for other in (
        keras.saving.deserialize_keras_object(config),
        TextPairPreprocessor.from_assets(tmp_path, assets),
    ):
        assert (other.target_tokenizer is other.source_tokenizer) == shared
        assert to_lists(other(texts, texts)) == to_lists(preprocessor(texts, texts))


def test_draws_of_lists_are_those_of_the_random_seed(sampling_tokenizer):
    texts = make_sentences(30, seed=3)
    preprocessor = TextPairPreprocessor(sampling_tokenizer)
    draws = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        draws.append([to_lists(preprocessor(texts, texts, sample=True)) for _ in range(2)])
    assert draws[0] == draws[1] != draws[2] and draws[0][0] != draws[0][1]


def test_a_prefix_is_for_inputs_alone(preprocessor, tokenizer, tmp_path):
    tagged = preprocessor.with_prefix("der Baum")
    x, labels, _ = tagged(["ein Hund"], ["ein Hund"])
    plain, same, _ = preprocessor(["der Baum ein Hund"], ["ein Hund"])
    assert to_lists(x) == to_lists(plain) and labels.tolist() == same.tolist()
    assert tagged.count_source_ids(["ein Hund"]).tolist() == [x["encoder_token_ids"].shape[1]]
    in_graph = tagged(tf.constant(["ein Hund"]), tf.constant(["ein Hund"]))
    assert to_lists(in_graph[0]) == to_lists(x)
    # One resource serves both sides of an export.
    assert len(tagged.resources) == 1
    serialized = keras.saving.serialize_keras_object(tagged)
    config = tagged.save_assets(tmp_path)
    assert config["target_tokenizer"] is None
    for again in (
        keras.saving.deserialize_keras_object(serialized),
        TextPairPreprocessor.from_assets(tmp_path, config),
    ):
        assert to_lists(again(["ein Hund"], ["ein Hund"])[0]) == to_lists(x)
    assert to_lists(tagged.with_prefix(None)(["ein Hund"], ["ein Hund"])) == to_lists(
        preprocessor(["ein Hund"], ["ein Hund"])
    )


def test_a_prefix_outlives_the_cut(tokenizer, reference):
    tagged = TextPairPreprocessor(tokenizer, source_length=8).with_prefix("der Baum")
    start = reference.encode("der Baum")
    [ids] = tagged(["ein Hund " * 9], [""])[0]["encoder_token_ids"].tolist()
    assert len(ids) == 8 and ids[: len(start)] == start and ids[-1] == END
    assert tagged(["", "ein"], ["", ""])[0]["encoder_token_ids"][0].tolist()[:2] == [END, PAD]
    # No text would be left.
    least = len(start) + 2
    tagged.source_length = least
    for shorter in (
        lambda: TextPairPreprocessor(tagged.source_tokenizer, None, least - 1),
        lambda: setattr(tagged, "source_length", least - 1),
    ):
        with pytest.raises(ValueError, match=f"'der Baum' takes .* Pass `length` >= {least}"):
            shorter()


def test_a_prefix_where_none_can_be(tokenizer):
    tagged = SentencePieceTokenizer(tokenizer.proto, prefix="ein")
    with pytest.raises(
        ValueError, match="`target_tokenizer` must have no `prefix`, which is for inputs"
    ):
        TextPairPreprocessor(tokenizer, tagged)
    words = TextPairPreprocessor(WordTokenizer(["ein", "Hund"]))
    with pytest.raises(TypeError, match="A WordTokenizer takes no `prefix`"):
        words.with_prefix("ein")
