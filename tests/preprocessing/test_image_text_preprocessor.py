import keras
import numpy as np
import pytest

from keras_s2s.preprocessing import (
    ImageColumn,
    ImageConverter,
    ImageTextPreprocessor,
    SentencePieceTokenizer,
    TextPairPreprocessor,
)
from tests.pictures import picture

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")
CAPTIONS = ["a dog runs", "a cat", "two birds"]
SIZE, END, START = (8, 12), 3, 2


@pytest.fixture(scope="module")
def preprocessor():
    # Pieces are single characters. Those that "unigram" finds in so little text hang on rounding.
    tokenizer = SentencePieceTokenizer.train(CAPTIONS, vocabulary_size=18, model_type="bpe")
    return ImageTextPreprocessor(tokenizer, SIZE, target_length=9)


def images(count=3):
    return np.stack([np.asarray(picture(seed=seed)) for seed in range(count)])


def test_captions_are_what_text_is_elsewhere(preprocessor):
    tokenizer = preprocessor.target_tokenizer
    x, labels, weights = preprocessor(images(), CAPTIONS)
    text_x, text_labels, text_weights = TextPairPreprocessor(tokenizer, target_length=9)(
        CAPTIONS, CAPTIONS
    )
    assert x["images"].shape == (3, *SIZE, 3)
    # One caption an image is one of possibly several.
    np.testing.assert_array_equal(x["decoder_token_ids"][:, 0], text_x["decoder_token_ids"])
    np.testing.assert_array_equal(labels[:, 0], text_labels)
    np.testing.assert_array_equal(weights[:, 0], text_weights)


def test_several_captions(preprocessor):
    captions = [["a dog runs", "a cat"], ["two birds"], ["a cat", "a dog", "two"]]
    x, labels, weights = preprocessor(images(), captions)
    assert x["decoder_token_ids"].shape == labels.shape == weights.shape == (3, 3, labels.shape[2])
    assert np.all(x["decoder_token_ids"][..., 0] == START)
    for i, row in enumerate(captions):
        for j in range(3):
            if j >= len(row):
                assert not weights[i, j].any()
                continue
            ids = [*preprocessor.target_tokenizer.encode([row[j]])[0][:8], END]
            assert labels[i, j].tolist()[: len(ids)] == ids
            assert weights[i, j].sum() == len(ids)
    texts = preprocessor.generate_postprocess(labels[:, 0])
    # Cut at nine ids: the start of the first word, seven characters and the end.
    assert texts.tolist() == ["a dog r", "two bir", "a cat"]


@pytest.mark.slow
def test_same_in_a_dataset(preprocessor):
    captions = [["a dog runs", "a cat"], ["two birds", "a cat"]]
    dataset = tf.data.Dataset.from_tensor_slices((images(2), captions)).batch(2)
    [found] = dataset.map(preprocessor)
    for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(preprocessor(images(2), captions))):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_one_image(preprocessor):
    x, labels, _ = preprocessor(images()[0], "a dog runs")
    assert x["images"].shape == (*SIZE, 3) and labels.shape[0] == 1 and len(labels.shape) == 2
    x = preprocessor.generate_preprocess(images()[:2], ["a", "a cat"])
    assert x["images"].shape == (2, *SIZE, 3) and END not in x["prompt_token_ids"]


@pytest.mark.parametrize(
    "captions, error, message",
    [
        (["a"], ValueError, "3 in `source`, 1 in `target`"),
        ([["a"], ["b"]], ValueError, "3 in `source`, 2 in `target`"),
        ([["a"], [], ["b"]], TypeError, r"none of them empty.*Element 1 is \[\]"),
        ([["a"], "b", ["c"]], TypeError, "Element 1 is 'b'"),
        ([["a"], [None], ["b"]], TypeError, r"`target\[1\]`.*Element 0 is None"),
        (["a", 1, "b"], TypeError, "`target`.*Element 1 is 1"),
    ],
)
def test_bad_captions(captions, error, message, preprocessor):
    with pytest.raises(error, match=message):
        preprocessor(images(), captions)


def test_assets_and_config_round_trip(tmp_path, preprocessor):
    config = preprocessor.save_assets(tmp_path)
    assert (tmp_path / "target_tokenizer" / "spm.model").is_file()
    serialized = keras.saving.serialize_keras_object(preprocessor)
    for again in (
        ImageTextPreprocessor.from_assets(tmp_path, config),
        keras.saving.deserialize_keras_object(serialized),
    ):
        assert (again.image_converter.image_size, again.target_length) == (SIZE, 9)
        for a, b in zip(*(tf.nest.flatten(p(images(), CAPTIONS)) for p in (again, preprocessor))):
            np.testing.assert_array_equal(a, b)


def test_bad_arguments(preprocessor):
    with pytest.raises(TypeError, match="`target_tokenizer` must be a tokenizer"):
        ImageTextPreprocessor("spm.model")
    with pytest.raises(ValueError, match="`target_length` must be an int, at least 1"):
        ImageTextPreprocessor(preprocessor.target_tokenizer, target_length=0)
    converter = ImageConverter((4, 4))
    assert ImageTextPreprocessor(preprocessor.target_tokenizer, converter).image_converter is (
        converter
    )


def test_what_is_raw():
    column = ImageColumn((32, 32))
    raw = [["a.jpg"], "a.jpg", b"", images(), images()[0], picture(), np.array(["a.jpg"])]
    assert all(column.is_raw(x) for x in raw)
    assert column.is_raw(tf.TensorSpec((), tf.string))
    assert column.is_raw(tf.TensorSpec((None, None, 3), tf.uint8))
    assert not column.is_raw(None)
