"""Presets that are other names of a preset: with its weights, and a prefix of their own."""

import json
import shutil

import pytest

import keras_s2s
from keras_s2s import decoding, recipes, zoo

tf = pytest.importorskip("tensorflow")

NAME = "translation_de_en_morning"
RECIPE = f"""
name = "{NAME}"
task = "translation"
start = "translation_de_en"
prefix = "guten Morgen"
[data]
tests = {{ few = ["few.tsv"] }}
[decoding]
num_beams = 2
[card]
title = "Tiny, in the morning"
description = "Knows nothing yet."
licence = "CC0-1.0"
languages = ["de", "en"]
data = [{{ name = "Four sentences", licence = "CC0-1.0" }}]
examples = ["ein Hund", "eine Katze bellt"]
"""


@pytest.fixture
def folder(shipped, preset, tmp_path):
    shutil.copytree(preset, shipped / "translation_de_en")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "few.tsv").write_text("ein Hund\ta dog\neine Katze\ta cat\n", encoding="utf-8")
    written = recipes.train(tmp_path / "recipe.toml", tmp_path / "run", verbose=0)
    return shutil.move(written, shipped / NAME)


@pytest.mark.slow
def test_it_puts_its_prefix_before_each_input(folder, tmp_path):
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "metadata.json",
        "recipe.toml",
    ]
    model, base = zoo.load(folder), zoo.load("translation_de_en")
    texts, beam = ["ein Hund", "eine Katze bellt", ""], decoding.Beam(2, length_penalty=1.0)
    tagged = [f"guten Morgen {text}" if text else "" for text in texts]
    outputs = base.generate(tagged, sampler=beam)
    assert model.generate(texts) == outputs != base.generate(texts, sampler=beam)
    assert outputs[2] == ""
    score = base.score(["guten Morgen ein Hund"], ["a dog"])
    assert model.score(["ein Hund"], ["a dog"]) == pytest.approx(score)
    # In each of the sentences of a long text, too.
    sentences = ["ein Hund bellt.", "Eine Katze bellt.", "Ein Hund, eine Katze."]
    long = " ".join(sentences)
    model.preprocessor.source_length = max(model.preprocessor.count_source_ids(sentences))
    split = model.generate([long], on_long="split")
    assert split == [" ".join(model.generate(sentences)).strip()]

    model = zoo.load(folder)
    model.export(tmp_path / "export")
    served = tf.saved_model.load(str(tmp_path / "export")).signatures["serving_default"]
    assert [t.decode() for t in served(text=tf.constant(texts))["text"].numpy()] == outputs
    # A folder of its own needs no other.
    model.save_to_preset(tmp_path / "own")
    shutil.rmtree(folder.parent / "translation_de_en")
    assert zoo.load(tmp_path / "own").generate(texts) == outputs


@pytest.mark.slow
def test_its_card(folder, tmp_path):
    recipe, model = recipes.read(folder / "recipe.toml"), zoo.load(folder)
    figures = recipes.evaluate(model, recipe, tmp_path)
    recipes.write_card(model, recipe, folder, tmp_path, figures)
    assert NAME in zoo.list()
    assert sorted(zoo.card(NAME)["files"]) == [
        "README.md",
        "config.json",
        "metadata.json",
        "recipe.toml",
    ]
    assert zoo.verify(NAME)["examples"] == zoo.card(NAME)["examples"]
    shared = zoo.card(NAME)["shared_files"]
    assert set(shared) == {"model.weights.h5", "assets/source_tokenizer/spm.model"}
    assert shared.items() <= zoo.verify(NAME)["files"].items()
    # A preset of the same name is not enough: the weights are those that the card is about.
    other = folder.parent / "translation_de_en"
    weights = other / "model.weights.h5"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    zoo.write_card(other)
    for read in (zoo.load, zoo.verify):
        with pytest.raises(ValueError, match=r"translation_de_en.model.weights.h5' was truncated"):
            read(NAME)


def test_without_the_other(folder):
    shutil.rmtree(folder.parent / "translation_de_en")
    for read in (zoo.load, keras_s2s.models.Translator.from_preset):
        with pytest.raises(FileNotFoundError, match="of the preset 'translation_de_en', which is"):
            read(folder)


@pytest.mark.parametrize("name", ["/etc", "..", ".", "", "a/b", "a\\b", "//host/share", 3, ["a"]])
def test_it_names_no_path(folder, name):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "files_of": name}))
    with pytest.raises(ValueError, match="`files_of` in its config must be the name of a preset"):
        zoo.load(folder)


@pytest.mark.slow
def test_it_can_be_copied_with_the_other(folder, tmp_path, monkeypatch):
    copies = shutil.copytree(folder.parent, tmp_path / "copies")
    shutil.rmtree(folder.parent / "translation_de_en")
    monkeypatch.chdir(copies / NAME)
    assert zoo.load(".").preprocessor.source_tokenizer.prefix == "guten Morgen"


def test_what_it_cannot_be(folder, tmp_path):
    path, run = tmp_path / "recipe.toml", tmp_path / "other"
    own = shutil.copytree(folder.parent / "translation_de_en", tmp_path / "own")
    for changes, message in (
        ([f"start={own}"], "gives another name to a shipped preset"),
        (["prefix=語"], "The tokenizer cannot spell `prefix`: '語'"),
        (
            ["data.tests.few={files=['few.tsv'], prefix='ein '}"],
            "and the data have a 'prefix', too",
        ),
        (["start="], "missing 'train', 'valid'"),
        (["data.train=['few.tsv']"], r"\[data\]: missing 'valid'"),
        (["data.train=['few.tsv']", "data.valid=['few.tsv']"], "there is no stage"),
        (["training={epochs=1, batch_size=2, learning_rate=1.0}"], "missing 'train', 'valid'"),
        (["task=captioning"], "which is no ImageCaptioner"),
    ):
        with pytest.raises(ValueError, match=message):
            recipes.train(path, run, changes=changes, verbose=0)
    with pytest.raises(recipes.RecipeError, match="'prefix' is not for task = 'captioning'"):
        recipes.read(path, ["task=captioning"]).set_prefix(None)
    assert not run.exists()
    with pytest.raises(recipes.RecipeError, match="has no validation data"):
        recipes.evaluate(None, recipes.read(path), tmp_path, split="valid")
