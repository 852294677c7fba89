"""What is on the disk, and what is refused."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_s2s
from keras_s2s.decoding import Beam, Greedy, Random
from keras_s2s.models._compiled_functions import decode
from keras_s2s.serving import signatures
from tests.layers.helpers import randomize
from tests.models.helpers import eager
from tests.serving.conftest import SERVED, build, corpus

pytestmark = [pytest.mark.slow, pytest.mark.prepared]

OF_IDS_ONLY = pytest.mark.filterwarnings("ignore:.*only signature is `tokens`")
FLOAT, INT, STRING = tf.float32, tf.int32, tf.string


@pytest.fixture(scope="module")
def untrained():
    """Leave its weights alone."""
    keras.utils.set_random_seed(1)
    return build(simple=True)


def ids_only(model):
    """The same layers without a preprocessor: an export has one signature, which is soon traced."""
    return keras_s2s.models.Seq2Seq(model.encoder, model.decoder)


def ask(folder, signature="serving_default", text="eins zwei"):
    outputs = tf.saved_model.load(str(folder)).signatures[signature](text=tf.constant([text]))
    return {name: value.numpy() for name, value in outputs.items()}


def ask_ids(folder, ids):
    tokens = tf.saved_model.load(str(folder)).signatures["tokens"]
    return {name: x.numpy() for name, x in tokens(token_ids=tf.constant(ids)).items()}


@pytest.mark.parametrize("sampler", SERVED)
def test_signatures(sampler, exported):
    expected = {
        "serving_default": {"text": (STRING, 1), "score": (FLOAT, 1), "confidence": (FLOAT, 1)},
        "nbest": {"text": (STRING, 2), "score": (FLOAT, 2), "confidence": (FLOAT, 2)},
        "align": {
            "text": (STRING, 1),
            "score": (FLOAT, 1),
            "confidence": (FLOAT, 1),
            "source_tokens": (STRING, 2),
            "target_tokens": (STRING, 2),
            "attention": (FLOAT, 3),
        },
        "tokens": {
            "token_ids": (INT, 2),
            "length": (INT, 1),
            "score": (FLOAT, 1),
            "confidence": (FLOAT, 1),
        },
    }
    found = tf.saved_model.load(str(exported[sampler])).signatures
    assert set(found) == set(expected)
    for name, outputs in expected.items():
        specs = found[name].structured_outputs
        assert {key: (spec.dtype, spec.shape.rank) for key, spec in specs.items()} == outputs
        assert all(spec.shape[0] is None for spec in specs.values())
        assert not [key for key in specs if key.endswith("_bytes")]
        _, inputs = found[name].structured_input_signature
        if name == "tokens":
            assert inputs == {"token_ids": tf.TensorSpec([None, None], INT, name="token_ids")}
        else:
            assert inputs == {"text": tf.TensorSpec([None], STRING, name="text")}


@pytest.mark.parametrize("sampler", SERVED)
def test_weights_and_tokenizer_are_on_the_disk_once(sampler, model, exported):
    files = list((exported[sampler] / "variables").iterdir())
    assert sum(file.stat().st_size for file in files) <= 1.05 * 4 * model.count_params()
    graph = (exported[sampler] / "saved_model.pb").read_bytes()
    assert graph.count(model.preprocessor.source_tokenizer.proto) == 1


def test_others_may_read_the_folder(exported, tmp_path):
    (tmp_path / "plain").mkdir()
    assert exported["beam"].stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.thorough
@OF_IDS_ONLY
def test_an_export_after_training_has_the_new_weights(tmp_path):
    model, scores = eager(build(simple=True)), []
    for version in (1, 2):
        bare = ids_only(model)
        bare.export(tmp_path / str(version))
        found = ask_ids(tmp_path / str(version), [[5, 6, 3]])
        expected = bare.generate({"encoder_token_ids": np.array([[5, 6, 3]], "int32")})
        width = found["token_ids"].shape[1]
        np.testing.assert_array_equal(found["token_ids"], expected["token_ids"][:, 0, :width])
        np.testing.assert_allclose(found["score"], expected["scores"][:, 0], rtol=1e-4)
        scores.append(found["score"])
        model.fit(*corpus(32), verbose=0)
    assert abs(scores[0] - scores[1]) > 1e-2


@pytest.mark.thorough
def test_two_exports_in_one_process(model, exported, tmp_path):
    model.export(tmp_path / "1", sampler="greedy")
    first, second = map(tf.saved_model.load, (str(tmp_path / "1"), str(exported["beam"])))
    text = tf.constant(["eins zwei drei"])
    texts = [m.signatures["serving_default"](text=text)["text"].numpy() for m in (first, second)]
    assert texts == [b"one two three", b"one two three"]
    del first
    gc.collect()
    assert second.signatures["serving_default"](text=text)["text"].numpy() == texts[1]


def test_a_session_runs_it_too(exported):  # as TensorFlow Serving does
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(exported["beam"]))
        signature = loaded.signature_def["align"]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        found = session.run(outputs, {signature.inputs["text"].name: [b"eins", b"zwei drei"]})
    assert found["text"].tolist() == [b"one", b"two three"]
    np.testing.assert_allclose(found["attention"][1].sum(-1).max(), 1, atol=1e-5)


@pytest.mark.thorough
@OF_IDS_ONLY
def test_max_length(untrained, tmp_path, capsys):
    options = {"sampler": Greedy(min_length=1), "max_length": 2, "verbose": False}
    ids_only(untrained).export(tmp_path / "1", **options)
    assert not capsys.readouterr().out
    found = ask_ids(tmp_path / "1", [[5, 6, 7, 8, 3]])
    assert found["length"] == found["token_ids"].shape[1] == 2


def test_rows_of_padding_alone_and_of_no_width(exported):
    tokens = tf.saved_model.load(str(exported["beam"])).signatures["tokens"]
    for ids in (np.zeros((2, 3), "int32"), np.zeros((2, 0), "int32")):
        found = tokens(token_ids=tf.constant(ids))
        # As an empty text: just an end.
        np.testing.assert_array_equal(found["token_ids"], [[3], [3]])
        assert np.isfinite(found["score"]).all()


@pytest.mark.thorough
@OF_IDS_ONLY
def test_mixed_precision(tmp_path):
    model = ids_only(build("mixed_bfloat16"))
    model.export(tmp_path / "1", sampler="beam", max_length=9)
    ids = np.array([[5, 6, 3]], "int32")
    expected = model.generate({"encoder_token_ids": ids}, sampler="beam", max_length=9)
    found = ask_ids(tmp_path / "1", ids)
    width = found["token_ids"].shape[1]
    np.testing.assert_array_equal(found["token_ids"], expected["token_ids"][:, 0, :width])
    np.testing.assert_allclose(found["score"], expected["scores"][:, 0], rtol=1e-2)


@pytest.mark.thorough
def test_random(untrained, tmp_path):
    sampler = Random(seed=7, num_return_sequences=2)
    untrained.export(tmp_path / "1", sampler=sampler)
    texts = ["eins zwei", "vier", "eins zwei"]
    expected = untrained.generate(texts, sampler=sampler)
    assert expected[0] != expected[2]
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["nbest"]
    for count in (3, 3, 1):
        found = served(text=tf.constant(texts[:count]))["text"].numpy()
        assert [[text.decode() for text in row] for row in found] == expected[:count]


@pytest.mark.thorough
def test_nbest_has_a_text_once(tmp_path):
    """Of a model that finds all pieces equally probable, the unknown one too."""
    model, sampler = randomize(build(simple=True), scale=0), Beam(6, num_return_sequences=6)
    model.export(tmp_path / "1", sampler=Beam(6), max_length=4)
    inputs = model.preprocessor.generate_preprocess(["eins"])
    expected = decode(model, sampler, inputs, 4)
    texts = model.preprocessor.generate_postprocess(expected["token_ids"]).numpy()[0].tolist()
    found = ask(tmp_path / "1", "nbest", "eins")
    assert found["text"][0].tolist() == texts and len(set(texts)) == 6
    np.testing.assert_allclose(found["score"], expected["scores"], rtol=1e-4)
    preprocessor, model.preprocessor = model.preprocessor, None
    by_ids = decode(model, sampler, inputs, 4)["token_ids"]
    assert len(set(preprocessor.generate_postprocess(by_ids).numpy()[0].tolist())) < 6


@pytest.mark.thorough
@OF_IDS_ONLY
def test_random_without_seed(untrained, tmp_path):
    ids_only(untrained).export(tmp_path / "1", sampler="random")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["tokens"]
    first, second = (served(token_ids=tf.constant([[5, 3]])) for _ in range(2))
    assert first["token_ids"].numpy().tolist() != second["token_ids"].numpy().tolist()


@pytest.mark.thorough
def test_without_attention(tmp_path):
    with pytest.warns(UserWarning, match="RNNDecoder has no attention") as record:
        build(attention=None).export(tmp_path / "1")
    assert record[0].filename == __file__
    found = set(tf.saved_model.load(str(tmp_path / "1")).signatures)
    assert found == {"serving_default", "nbest", "tokens"}


@pytest.mark.thorough
@pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a `quantize` method",
    r"ignore:`model.quantize\(\)`. .* were skipped",  # Keras 3.16
)
def test_without_preprocessor(tmp_path, capsys):
    """Of quantized weights, and told as Keras does where `verbose` is not given."""
    model = build()
    model.preprocessor = None
    model.quantize("int8")
    with pytest.warns(UserWarning, match="its only signature is `tokens`") as record:
        model.export(tmp_path / "1")
    assert capsys.readouterr().out.splitlines() == [
        f"Wrote the SavedModel {str(tmp_path / '1')!r} with these signatures:",
        "  tokens: token_ids int32 (None, None) -> token_ids int32 (None, None), "
        "length int32 (None,), score float32 (None,)",
    ]
    ids = np.array([[5, 6, 3]], "int32")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["tokens"](token_ids=ids)
    expected = model.generate({"encoder_token_ids": ids})["token_ids"][:, 0]
    np.testing.assert_array_equal(served["token_ids"], expected)
    assert record[0].filename == __file__
    assert set(tf.saved_model.load(str(tmp_path / "1")).signatures) == {"tokens"}
    assert not [op for op in keras_s2s.serving.ops(tmp_path / "1") if "Sentencepiece" in op]


@OF_IDS_ONLY
def test_existing_folders(exported, untrained, tmp_path):
    with pytest.raises(FileExistsError, match="the next number"):
        untrained.export(exported["beam"])
    assert ask(exported["beam"])["text"] == b"one two"
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        untrained.export(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    ids_only(untrained).export(tmp_path / "empty")
    assert (tmp_path / "empty" / "saved_model.pb").is_file()


def test_recurrent_layers_are_traced_for_any_machine(tmp_path, monkeypatch):
    model = build(cell="gru")
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    assert layers
    layers[0].use_cudnn = True
    before = [layer.use_cudnn for layer in layers]

    def fail(*_):
        assert not any(layer.use_cudnn for layer in layers)
        raise KeyboardInterrupt

    monkeypatch.setattr(signatures, "make", fail)
    with pytest.raises(KeyboardInterrupt):
        model.export(tmp_path / "1")
    assert [layer.use_cudnn for layer in layers] == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ["options", "message"],
    [
        ({"max_length": 0}, "`max_length` must be an int"),
        ({"max_length": "5"}, "`max_length` must be an int"),
        ({"sampler": "best"}, "No sampler is known as 'best'"),
        ({"sampler": Beam(banned_tokens=[99])}, "`banned_tokens`"),
    ],
)
def test_wrong_arguments(options, message, untrained, tmp_path):
    with pytest.raises(ValueError, match=message):
        untrained.export(tmp_path / "1", **options)
    assert not list(tmp_path.iterdir())


def test_other_backends(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"KERAS_BACKEND=tensorflow `.*Translator.from_preset"):
        untrained.export(tmp_path / "1")


def test_models_without_weights_or_of_features(tmp_path):
    layers = keras_s2s.layers
    model = keras_s2s.models.Seq2Seq(layers.RNNEncoder(4), layers.RNNDecoder(9, 4))
    with pytest.raises(ValueError, match="no weights yet"):
        model.export(tmp_path / "1")
    model.build({"encoder_token_ids": (None, None, 3), "decoder_token_ids": (None, None)})
    with pytest.raises(ValueError, match="`vocabulary_size`"):
        model.export(tmp_path / "1")
