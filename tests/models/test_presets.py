"""Models as `.keras` files and preset folders, with their tokenizers."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from keras_s2s import decoding
from keras_s2s.layers import RNNDecoder, RNNEncoder
from keras_s2s.models import Seq2Seq, Translator
from tests.fewer import chosen
from tests.layers.helpers import BACKEND, numpy
from tests.models.conftest import SOURCES, TARGETS
from tests.models.helpers import eager, make_model, same_weights

pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")


@pytest.fixture(scope="module")
def saved(translator, tmp_path_factory):
    """The folder of a preset; read it, never write into it."""
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    translator.save_to_preset(folder)
    return folder


@pytest.fixture
def damaged(saved, tmp_path):
    """A copy of it, to break."""
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "damaged"))


def same_model(again, model):
    assert type(again) is type(model)
    assert again.preprocessor.get_config() == model.preprocessor.get_config()
    assert again.generate(SOURCES) == model.generate(SOURCES)


@pytest.mark.slow
@pytest.mark.parametrize("share", chosen([False, True], True))
def test_keras_file(share, make_translator, tmp_path):
    model = make_translator(share, sampler=decoding.Beam(num_beams=2))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    same_weights(again, model)
    same_model(again, model)
    assert isinstance(again.sampler, decoding.Beam)


COPIES = {
    "clone_model": keras.models.clone_model,
    "from_config": lambda model: Translator.from_config(model.get_config()),
    "serialize": lambda model: keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    ),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("way", COPIES)
def test_copies_keep_the_tokenizers(way, translator):
    again = COPIES[way](translator)
    assert again is not translator
    again.set_weights(translator.get_weights())
    same_model(again, translator)


def test_config_is_json(translator):
    config = json.loads(json.dumps(translator.get_config()))
    assert Translator.from_config(config).count_params() == translator.count_params()


# Presets


@pytest.mark.slow
def test_preset_rounds_the_weights_to_float16(translator, saved):
    again = Translator.from_preset(saved)
    assert type(again) is Translator
    for a, b in zip(again.get_weights(), translator.get_weights(), strict=True):
        assert a.dtype == "float32"
        np.testing.assert_array_equal(a, b.astype("float16").astype("float32"))
    assert again.preprocessor.get_config() == translator.preprocessor.get_config()
    assert again.generate(SOURCES) == Translator.from_preset(saved).generate(SOURCES)


def test_files_of_a_preset(translator, saved):
    files = {str(f.relative_to(saved)) for f in saved.rglob("*") if f.is_file()}
    assert files == {
        "config.json",
        "model.weights.h5",
        "metadata.json",
        "assets/source_tokenizer/spm.model",
        "assets/target_tokenizer/spm.model",
    }
    metadata = json.loads((saved / "metadata.json").read_text())
    assert metadata["parameter_count"] == translator.count_params()
    assert {"keras_version", "keras_s2s_version", "date_saved"} < set(metadata)
    # The tokenizers are assets and nowhere else.
    assert len((saved / "config.json").read_bytes()) < 20_000


def data_sets(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("share", chosen([False, True], True))
def test_preset_holds_each_parameter_once_and_no_optimizer(share, make_translator, tmp_path):
    """After training too, when Adam has twice the model."""
    model = eager(make_translator(share, simple=True))
    model.fit(SOURCES, TARGETS, verbose=0)
    model.save_to_preset(tmp_path)
    found = data_sets(tmp_path / "model.weights.h5")
    assert {value.dtype.name for value in found.values()} == {"float16"}
    assert sum(value.size for value in found.values()) == model.count_params()
    again = Translator.from_preset(tmp_path)
    assert (again.encoder.embedding is again.decoder.embedding) == share
    assert isinstance(again.optimizer, keras.optimizers.Adam)
    assert numpy(again.optimizer.learning_rate) == pytest.approx(5e-4, rel=1e-6)
    assert again.evaluate(SOURCES, TARGETS, verbose=0)[0] == pytest.approx(
        model.evaluate(SOURCES, TARGETS, verbose=0)[0], rel=1e-2
    )


@pytest.mark.slow
def test_preset_of_a_shared_tokenizer(make_translator, tmp_path):
    make_translator(share=True).save_to_preset(tmp_path)
    assert not (tmp_path / "assets" / "target_tokenizer").exists()
    again = Translator.from_preset(tmp_path)
    assert again.preprocessor.target_tokenizer is again.preprocessor.source_tokenizer


@pytest.mark.every_backend
def test_preset_in_full_precision(translator, tmp_path):
    translator.save_to_preset(tmp_path, weights_dtype="float32")
    same_weights(Translator.from_preset(tmp_path), translator)


@pytest.mark.slow
def test_saving_again_replaces(make_translator, tmp_path):
    make_translator(share=False).save_to_preset(tmp_path)
    model = make_translator(share=True)
    model.save_to_preset(tmp_path)
    assert Translator.from_preset(tmp_path).count_params() == model.count_params()


def test_architecture_alone(saved, translator):
    model = Translator.from_preset(saved, load_weights=False)
    assert model.count_params() == translator.count_params()
    assert any(
        np.abs(a - b).max() > 0.1 for a, b in zip(model.get_weights(), translator.get_weights())
    )


@pytest.mark.slow
def test_arguments_in_place_of_the_saved_ones(saved, translator):
    assert isinstance(Translator.from_preset(saved, sampler="beam").sampler, decoding.Beam)
    beam = decoding.Beam(num_beams=2, length_penalty=0.3)
    model = Translator.from_preset(saved, sampler=beam, name="mine")
    assert model.sampler.get_config() == beam.get_config() and model.name == "mine"
    assert Translator.from_preset(saved, preprocessor=None).preprocessor is None
    model = Translator.from_preset(saved, preprocessor=translator.preprocessor)
    assert model.preprocessor is translator.preprocessor


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "float64"])
def test_preset_under_another_dtype_policy(policy, saved, translator):
    if policy == "float64" and BACKEND != "tensorflow":
        pytest.skip("JAX has no float64 unless told so; Keras's embedding reverses in float32")
    model = Translator.from_preset(saved, dtype=policy)
    compute = policy.removeprefix("mixed_")
    variables = "float32" if policy.startswith("mixed") else compute
    assert {v.dtype for v in model.trainable_variables} == {variables}
    x, _, _ = translator.preprocessor(SOURCES, TARGETS)
    logits = model(x)
    assert keras.backend.standardize_dtype(logits.dtype) == compute
    # Every layer computes in it, the model itself included.
    assert model.compute_dtype == compute
    policies = {layer.compute_dtype for layer in model._flatten_layers()}
    assert policies == {compute}
    # And what is saved has it still.
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(model)
        ).compute_dtype
        == compute
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_preset_of_a_plain_seq2seq(tmp_path):
    """Its shapes are known from its parts, and it generates as before."""
    model = make_model()
    model.save_to_preset(tmp_path, weights_dtype="float32")
    again = Seq2Seq.from_preset(tmp_path)
    assert type(again) is Seq2Seq and again.built
    same_weights(again, model)
    ids = {"encoder_token_ids": np.array([[4, 5, 3], [6, 3, 0]])}
    np.testing.assert_array_equal(
        again.generate(ids)["token_ids"], model.generate(ids)["token_ids"]
    )


def test_preset_of_a_model_that_was_not_built(tmp_path):
    model = Seq2Seq(RNNEncoder(4), RNNDecoder(9, 4))
    with pytest.raises(ValueError, match="no weights yet"):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


@pytest.mark.slow
def test_preset_of_features(tmp_path):
    """An encoder of features, whose size the token ids do not tell."""
    model = Seq2Seq(RNNEncoder(4), RNNDecoder(9, 4))
    inputs = {
        "encoder_token_ids": np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32"),
        "decoder_token_ids": np.array([[2, 4], [2, 5]]),
    }
    expected = model(inputs)
    model.save_to_preset(tmp_path, weights_dtype="float32")
    np.testing.assert_allclose(
        numpy(Seq2Seq.from_preset(tmp_path)(inputs)), numpy(expected), atol=1e-6
    )


@pytest.mark.slow
def test_preset_of_another_class(tmp_path):
    make_model().save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="Seq2Seq.*Translator"):
        Translator.from_preset(tmp_path)


# Damage


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Translator.from_preset(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["config.json", "model.weights.h5", "assets/target_tokenizer/spm.model"]
)
def test_missing_file(name, damaged):
    (damaged / name).unlink()
    with pytest.raises(FileNotFoundError, match=Path(name).name):
        Translator.from_preset(damaged)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize(
    "name", ["config.json", "model.weights.h5", "assets/source_tokenizer/spm.model"]
)
def test_truncated_file(name, share, damaged):
    content = (damaged / name).read_bytes()
    (damaged / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=Path(name).name):
        Translator.from_preset(damaged)


@pytest.mark.parametrize(
    "content",
    ["null", "[]", "{}", '{"config": {}}', '{"config": {"preprocessor": {}}}', '"config"'],
)
def test_config_that_is_none(content, damaged):
    (damaged / "config.json").write_text(content)
    with pytest.raises(ValueError, match="config.json"):
        Translator.from_preset(damaged)


def test_config_of_an_unknown_class(damaged):
    config = json.loads((damaged / "config.json").read_text())
    config["registered_name"] = config["class_name"] = "Oracle"
    config["module"] = "nowhere"
    (damaged / "config.json").write_text(json.dumps(config))
    with pytest.raises((TypeError, ValueError), match="Oracle"):
        Translator.from_preset(damaged)


def test_weights_with_a_hole(damaged):
    content = bytearray((damaged / "model.weights.h5").read_bytes())
    content[3000:5000] = bytes(2000)
    (damaged / "model.weights.h5").write_bytes(bytes(content))
    with pytest.raises(ValueError, match="model.weights.h5"):
        Translator.from_preset(damaged)


@pytest.mark.slow
def test_weights_of_another_model(damaged, make_translator):
    make_translator(share=True).save_to_preset(damaged / "other")
    (damaged / "other" / "model.weights.h5").replace(damaged / "model.weights.h5")
    with pytest.raises(ValueError):
        Translator.from_preset(damaged)


# Another process

ROOT = Path(__file__).parents[2]
CHILD = """
import json, sys
import keras
import keras_s2s
folder = sys.argv[1]
sources = json.loads(sys.argv[2])
file = keras.models.load_model(folder + "/model.keras")
preset = keras_s2s.zoo.load(folder + "/preset")
print(json.dumps({
    "file": file.generate(sources),
    "preset": preset.generate(sources),
    "score": file.score(sources, sources).tolist(),
    "optimizer": type(file.optimizer).__name__,
}))
"""


@pytest.mark.thorough
@pytest.mark.slow
def test_new_process(make_translator, tmp_path):
    options = {"target_length": 30, "sampler": decoding.Beam(num_beams=2), "cell": "rnn"}
    model = make_translator(share=True, **options)
    model.compile(optimizer=keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit(SOURCES, TARGETS, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset")
    command = [sys.executable, "-c", CHILD, str(tmp_path), json.dumps(SOURCES)]
    environment = {**os.environ, "PYTHONWARNINGS": "error::UserWarning"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["file"] == model.generate(SOURCES)
    assert found["preset"] == Translator.from_preset(tmp_path / "preset").generate(SOURCES)
    np.testing.assert_allclose(found["score"], model.score(SOURCES, SOURCES), atol=1e-4)
    assert found["optimizer"] == "SGD"
