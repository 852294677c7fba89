"""An exported captioner gives in a process without this library what the model gives here."""

import numpy as np
import pytest

import keras_s2s
from keras_s2s.decoding import Beam
from tests.captioners import SIZE, coloured, small_captioner
from tests.pictures import encoded, picture, turned
from tests.serving.conftest import in_new_process

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")
pytestmark = [pytest.mark.slow, pytest.mark.prepared]
BEAMS = 3


@pytest.fixture(scope="module")
def model(captioner):
    parts = captioner.encoder, captioner.decoder, captioner.preprocessor
    return keras_s2s.models.ImageCaptioner(*parts, sampler=Beam(num_beams=BEAMS))


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "1"
    model.export(folder)
    return folder


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported)).signatures


@pytest.fixture(scope="module")
def files():
    images, _ = coloured(4, seed=11)
    return [
        encoded(images[0], "PNG"),
        encoded(images[1], "JPEG"),
        encoded(images[2], "WEBP"),
        encoded(images[3], "GIF"),
        encoded(images[0].convert("L"), "PNG"),
        encoded(images[1].convert("RGBA"), "PNG"),
        turned(6, images[2]),
        encoded(picture(1, 1), "PNG"),
        encoded(picture(900, 700), "JPEG"),
    ]


# Texts are served by TensorFlow as it comes, which optimizes each graph for seconds.
UNOPTIMIZED = """
import tensorflow as tf

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
"""


@pytest.fixture(scope="module")
def served(exported, files, tmp_path_factory):
    contents = np.array(files, object)
    pixels = np.stack([np.asarray(image) for image in coloured(4, seed=11)[0]])
    requests = {
        (name, "image_bytes"): (exported, name, {"image_bytes": contents})
        for name in ("serving_default", "nbest", "align")
    }
    requests["none"] = exported, "serving_default", {"image_bytes": contents[:0]}
    requests["images"] = exported, "images", {"images": pixels.astype("float32")}
    requests["images_uint8"] = exported, "images_uint8", {"images": pixels}
    small = np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype("float32")
    requests["tokens"] = exported, "tokens", {"images": small}
    answers = in_new_process(list(requests.values()), tmp_path_factory, UNOPTIMIZED)
    return dict(zip(requests, answers))


def decoded(array):
    return [text.decode() for text in array]


def test_files_give_the_same(model, files, served):
    texts, scores = model.generate(files, return_scores=True)
    answer = served["serving_default", "image_bytes"]
    assert decoded(answer["text"]) == texts
    np.testing.assert_allclose(answer["score"], scores, atol=1e-4)
    assert served["none"]["text"].shape == served["none"]["score"].shape == (0,)


def test_pixels_give_the_same(model, served):
    images, captions = coloured(4, seed=11)
    texts = model.generate([np.asarray(image) for image in images])
    assert texts == captions
    assert decoded(served["images"]["text"]) == decoded(served["images_uint8"]["text"]) == texts


def test_best_of_several(model, files, served):
    sampler = Beam(num_beams=BEAMS, num_return_sequences=BEAMS)
    texts, scores = model.generate(files, sampler=sampler, return_scores=True)
    answer = served["nbest", "image_bytes"]
    assert [decoded(row) for row in answer["text"]] == texts
    np.testing.assert_allclose(answer["score"], scores, atol=1e-4)


def test_attention_over_the_grid(model, files, served):
    _, alignments = model.generate(files, return_attention=True)
    answer = served["align", "image_bytes"]
    assert answer["attention"].shape[2:] == model.encoder.grid
    assert set(answer) == {"text", "score", "confidence", "target_tokens", "attention"}
    for tokens, attention, expected in zip(
        answer["target_tokens"], answer["attention"], alignments
    ):
        count = len(expected.target_tokens)
        assert decoded(tokens)[:count] == expected.target_tokens
        np.testing.assert_allclose(attention[:count], expected.weights, atol=1e-4)
        assert not attention[count:].any()


def test_token_ids_without_text(model, served):
    images = np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype("float32")
    ids = model.generate({"images": images})["token_ids"][:, 0]
    found = served["tokens"]["token_ids"]
    np.testing.assert_array_equal(found, ids[:, : found.shape[1]])
    assert not ids[:, found.shape[1] :].any()


@pytest.mark.parametrize(
    "bad, message",
    [
        (b"A text.", "no JPEG, PNG, GIF or WebP"),
        (encoded(picture(), "JPEG")[:900], "cut short"),
        # The server has files of its own, which are nobody's business.
        (b"/etc/passwd", "no JPEG"),
    ],
)
def test_one_bad_file_of_a_batch_is_told(bad, message, signatures, files):
    served = signatures["serving_default"]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"(?s){message}.*number 2 of the batch"
    ):
        served(image_bytes=tf.constant([*files[:2], bad, files[3]]))


def test_bad_pixels_are_told(signatures):
    served = signatures["images"]
    images = np.zeros((3, 8, 8, 3), "float32")
    for value, message in ((np.nan, "0..255"), (0.5, "scaled to 0..1")):
        images[1] = value
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"image number 1 .*{message}"):
            served(images=tf.constant(images))
    served = signatures["tokens"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="scaled to 0..1.*0"):
        served(images=tf.fill((2, *SIZE, 3), 0.5))


def test_only_known_operations(exported):
    found = set(keras_s2s.serving.ops(exported))
    assert found <= keras_s2s.serving.ALLOWED_OPS
    assert "DecodeWebP" in found and "ReadFile" not in found


@pytest.mark.thorough
def test_for_servers_without_webp(tmp_path, monkeypatch):
    allowed = keras_s2s.serving.ALLOWED_OPS - {"DecodeWebP"}
    for module in (keras_s2s.serving, keras_s2s.serving.allowed_ops):
        monkeypatch.setattr(module, "ALLOWED_OPS", allowed)
    small_captioner(units=4).export(tmp_path / "1", sampler="greedy")
    assert "DecodeWebP" not in keras_s2s.serving.ops(tmp_path / "1")


def test_without_preprocessor(model, tmp_path):
    bare = keras_s2s.models.ImageCaptioner(model.encoder, model.decoder)
    with pytest.warns(UserWarning, match="no preprocessor.*only signature is `tokens`"):
        bare.export(tmp_path / "1", sampler="greedy")
    assert not [op for op in keras_s2s.serving.ops(tmp_path / "1") if "Sentencepiece" in op]


def test_weights_lie_on_the_disk_once(model, exported):
    size = sum(path.stat().st_size for path in (exported / "variables").iterdir())
    assert size < 4 * model.count_params() + 20_000
