import json
import shutil

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s import zoo

WEIGHTS, PIECES = "model.weights.h5", "assets/source_tokenizer/spm.model"


@pytest.fixture
def shipped_preset(shipped, preset):
    """A copy of the tiny preset under the name of a shipped one."""
    return shutil.copytree(preset, shipped / "translation_de_en")


@pytest.fixture
def no_model(monkeypatch):
    """Makes the test fail if a model is built."""

    def build(*arguments, **options):
        raise AssertionError("a model was built")

    monkeypatch.setattr(keras_s2s.models.Seq2Seq, "from_preset", build)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["translation", "translation_de_en"])
def test_load_by_name(shipped_preset, name):
    model = zoo.load(name)
    assert isinstance(model, keras.Model) and isinstance(model, keras_s2s.models.Translator)
    example = zoo.card(name)["examples"][0]
    assert model.generate(example["input"]) == example["output"]


def test_load_without_card(preset, tmp_path):
    model = zoo.load(preset)
    model.save_to_preset(tmp_path / "mine")
    again = zoo.load(tmp_path / "mine")
    for ours, theirs in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_load_without_weights(preset):
    ours = zoo.load(preset, load_weights=False).get_weights()
    theirs = zoo.load(preset).get_weights()
    assert [x.shape for x in ours] == [x.shape for x in theirs]
    assert not np.array_equal(ours[0], theirs[0])


def test_load_with_dtype(preset):
    model = zoo.load(preset, dtype="mixed_bfloat16")
    assert model.decoder.compute_dtype == "bfloat16"
    assert model.decoder.variable_dtype == "float32"


@pytest.mark.slow
def test_verify_reports(shipped_preset):
    report = zoo.verify("translation")
    assert report["folder"] == str(shipped_preset)
    assert WEIGHTS in report["files"] and PIECES in report["files"]
    assert len(report["examples"]) == 3


def test_verify_without_examples(shipped_preset):
    card = zoo.card(shipped_preset)
    zoo.write_card(shipped_preset, {**card, "examples": []})
    assert zoo.verify(shipped_preset)["examples"] == []


@pytest.mark.slow
def test_verify_names_the_sentence_that_differs(shipped_preset):
    card = zoo.card(shipped_preset)
    right = card["examples"][1]["output"]
    card["examples"][1]["output"] = "something else"
    zoo.write_card(shipped_preset, card)
    with pytest.raises(ValueError) as error:
        zoo.verify(shipped_preset)
    for part in ("'eine Katze'", "expected 'something else'", f"actual {right!r}"):
        assert part in str(error.value)


@pytest.mark.thorough
@pytest.mark.slow
def test_verify_takes_the_best_of_several(preset, tmp_path):
    folder = tmp_path / "several"
    beam = keras_s2s.decoding.Beam(num_beams=3, num_return_sequences=3)
    model = zoo.load(preset, sampler=beam)
    model.save_to_preset(folder)
    card = zoo.card(preset)
    zoo.write_card(folder, card)
    assert len(zoo.verify(folder)["examples"]) == 3


def change(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-3])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("function", [zoo.load, zoo.verify])
@pytest.mark.parametrize("harm", [change, truncate, empty])
@pytest.mark.parametrize("name", [WEIGHTS, PIECES, "config.json", "metadata.json"])
def test_damaged_file(shipped_preset, no_model, function, harm, name):
    expected = zoo.card(shipped_preset)["files"][name]
    harm(shipped_preset / name)
    with pytest.raises(ValueError, match="was truncated or changed") as error:
        function("translation")
    assert name in str(error.value) and expected in str(error.value)
    assert "reinstall" in str(error.value)


@pytest.mark.parametrize("function", [zoo.load, zoo.verify])
@pytest.mark.parametrize("name", [WEIGHTS, PIECES, "config.json"])
def test_missing_file(shipped_preset, no_model, function, name):
    (shipped_preset / name).unlink()
    with pytest.raises(FileNotFoundError, match=name + "' is missing. Restore it"):
        function("translation")


def test_missing_weights_do_not_matter_without_them(preset, tmp_path):
    folder = shutil.copytree(preset, tmp_path / "architecture")
    (folder / WEIGHTS).unlink()
    (folder / "card.json").unlink()
    assert zoo.load(folder, load_weights=False).count_params() > 0


def test_a_note_in_the_readme_stops_only_verify(shipped_preset):
    with open(shipped_preset / "README.md", "a", encoding="utf-8") as file:
        file.write("Note to self.\n")
    zoo.load(shipped_preset)
    with pytest.raises(ValueError, match="README.md' was truncated or changed"):
        zoo.verify(shipped_preset)


@pytest.mark.parametrize("function", [zoo.load, zoo.verify])
def test_broken_card(shipped_preset, no_model, function):
    truncate(shipped_preset / "card.json")
    card = (shipped_preset / "card.json").read_text(encoding="utf-8")
    (shipped_preset / "card.json").write_text(card[:-5], encoding="utf-8")
    with pytest.raises(ValueError, match="card.json' is no valid card"):
        function(shipped_preset)


@pytest.mark.parametrize("name", [WEIGHTS, PIECES, "config.json"])
@pytest.mark.parametrize("harm", [truncate, empty])
def test_damaged_file_without_card(preset, tmp_path, harm, name):
    folder = shutil.copytree(preset, tmp_path / "mine")
    (folder / "card.json").unlink()
    harm(folder / name)
    with pytest.raises(ValueError, match=name.split("/")[-1]):
        zoo.load(folder)


@pytest.mark.parametrize("function", [zoo.load, zoo.verify, zoo.card])
def test_folder_that_is_no_preset(tmp_path, function):
    with pytest.raises(FileNotFoundError, match="config.json|has no card"):
        function(tmp_path)


@pytest.mark.parametrize("function", [zoo.load, zoo.verify, zoo.card])
def test_unknown_name(shipped_preset, function):
    with pytest.raises(ValueError, match="Did you mean 'translation"):
        function("translation_de_e")


def test_config_holds_no_tokenizer(preset):
    # The tokenizer lies in assets/ once and not once more in the config.
    assert len(json.dumps(json.loads((preset / "config.json").read_text()))) < 20_000
