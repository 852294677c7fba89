"""Recipes: checked before anything is read, and those that ship are what the presets are."""

import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from keras_s2s import recipes
from keras_s2s.recipes import toml
from keras_s2s.recipes.schedule import warmup_cosine

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("zoo/*/recipe.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_recipe_describes_its_preset(path):
    recipe = recipes.read(path)
    config = json.loads((path.parent / "config.json").read_text())["config"]
    card = json.loads((path.parent / "card.json").read_text())
    assert recipe.name == path.parent.name
    encoder, decoder = (config[part]["config"] for part in ("encoder", "decoder"))
    model = recipe.model
    sampler = config["sampler"]["config"]
    assert sampler["num_beams"] == recipe.decoding.num_beams
    assert sampler["length_penalty"] == recipe.decoding.length_penalty
    assert [example["input"] for example in card["examples"]] == recipe.card.examples
    assert {metric["dataset"] for metric in card["metrics"]} == set(recipe.data.tests)
    assert decoder["vocabulary_size"] == recipe.tokenizer.vocabulary_size
    assert card["task"] == recipe.task
    if recipe.task == "captioning":
        assert encoder["backbone"] == model.backbone and encoder["weights"] is None
        assert encoder["image_size"] == [model.image_size] * 2
        assert (encoder["units"], decoder["units"]) == (model.encoder_units, model.decoder_units)
        assert decoder["attention"]["config"]["units"] == model.attention_units
        return
    for part, units, layers in (
        (encoder, model.encoder_units, model.encoder_layers),
        (decoder, model.decoder_units, model.decoder_layers),
    ):
        for key, value in {
            "units": units,
            "num_layers": layers,
            "cell": model.cell,
            "embedding_dim": model.embedding_dim,
            "dropout": model.dropout,
            "vocabulary_size": recipe.tokenizer.vocabulary_size,
        }.items():
            assert part[key] == value, key
    assert config["share_embedding"] == recipe.tokenizer.shared
    for key in ("title", "description", "licence", "data", "limitations"):
        assert card[key] == getattr(recipe.card, key)


@pytest.mark.parametrize(
    "change, message",
    [
        ("model.droput=0.1", r"\[model\]: unknown key 'droput'. Did you mean 'dropout'\?"),
        ("training.epochs=many", "'epochs' must be of type int. Received: 'many'"),
        ("training.epochs=1.5", "'epochs' must be of type int"),
        ("training.epochs=true", "'epochs' must be of type int"),
        ("training.epochs=", "missing 'epochs'"),
        ("model=3", "'model' must be a table"),
        ("epochs", "TABLE.KEY=VALUE"),
    ],
)
def test_bad_recipe(change, message):
    with pytest.raises(recipes.RecipeError, match=message) as error:
        recipes.read(ROOT / "zoo" / "translation_de_en" / "recipe.toml", [change])
    assert "\n" not in str(error.value)


def test_changes():
    changes = ["model.dropout=0", "tokenizer.sample_alpha=", "training.dtype=float32", "seed=7"]
    recipe = recipes.read(ROOT / "zoo/translation_multi30k_de_en/recipe.toml", changes)
    assert recipe.model.dropout == 0.0 and isinstance(recipe.model.dropout, float)
    assert recipe.tokenizer.sample_alpha is None
    assert recipe.dtype == "float32" and recipe.seed == 7


@pytest.mark.parametrize("text", ["name = [", None])
def test_no_recipe(text, tmp_path):
    path = tmp_path / "recipe.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(recipes.RecipeError, match="recipe.toml"):
        recipes.read(path)


def test_missing_data_is_named(tmp_path):
    with pytest.raises(recipes.RecipeError, match="en-de.train.tsv.gz.*--data"):
        recipes.read(ROOT / "zoo/translation_de_en/recipe.toml").check_files(tmp_path)


def test_a_task_that_nobody_knows():
    with pytest.raises(recipes.RecipeError, match="'task' must be one of translation, captioning"):
        recipes.read(ROOT / "zoo/translation_de_en/recipe.toml", ["task=parsing"])


def test_schedule_rises_and_falls():
    rates = [float(warmup_cosine(0.5, 10, 110)(step)) for step in range(111)]
    np.testing.assert_allclose(rates[:11], np.linspace(0, 0.5, 11), atol=1e-6)
    np.testing.assert_allclose(rates[60], 0.25, atol=1e-6)  # Half of the way down.
    assert rates[110] == pytest.approx(0, abs=1e-6) and max(rates) == rates[10]
    assert float(warmup_cosine(0.5, 0, 100)(0)) == 0.5


def write_pairs(path, count=100, repeat=2):
    lines = [f"satz nummer {i}\tsentence number {i}\n" for i in range(count)] * repeat
    path.write_text("".join(lines), encoding="utf-8")


def test_recipe_from_pairs(tmp_path):
    write_pairs(tmp_path / "pairs.tsv")
    recipe = recipes.read(recipes.from_pairs(tmp_path / "pairs.tsv", tmp_path / "run"))
    assert recipe.name == "pairs" and recipe.task == "translation"
    splits = {
        name: recipe.read([f"{name}.tsv"], tmp_path / "run") for name in ("train", "valid", "test")
    }
    # Every pair is once in one of them.
    assert {name: len(sources) for name, (sources, _) in splits.items()} == {
        "train": 90,
        "valid": 5,
        "test": 5,
    }
    assert len({source for sources, _ in splits.values() for source in sources}) == 100
    for sources, targets in splits.values():
        assert [s.split()[-1] for s in sources] == [t.split()[-1] for t in targets]
    # All targets of a source are on one side.
    lines = [f"satz nummer {i}\tsentence {i}\n" for i in range(100)]
    more = tmp_path / "more.tsv"
    more.write_text((tmp_path / "pairs.tsv").read_text() + "".join(lines))
    other = recipes.read(recipes.from_pairs(more, tmp_path / "more"))
    parts = [set(other.read([f"{name}.tsv"], tmp_path / "more")[0]) for name in splits]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100
    # Again, it is the same; from other pairs, what is there is not overwritten.
    again = recipes.from_pairs(tmp_path / "pairs.tsv", tmp_path / "run")
    assert recipes.read(again) == recipe
    write_pairs(tmp_path / "pairs.tsv", count=300)
    with pytest.raises(recipes.RecipeError, match="another training. Choose another folder"):
        recipes.from_pairs(tmp_path / "pairs.tsv", tmp_path / "run")


def test_what_is_in_the_pairs_is_shown(tmp_path):
    path, lines = tmp_path / "pairs.tsv", []
    rows = "".join(f"{i}\tsentence {i}\tsatz {i}\n" for i in range(50))
    path.write_text("id\ten\tde\n" + rows + "50\tsentence 1\tsatz 1\n51\tx\t\n")
    with pytest.warns(UserWarning, match="1 row with an empty side left out: line 53"):
        recipe = recipes.from_pairs(path, tmp_path / "run", ("de", "en"), show=lines.append)
    assert lines == [
        f"51 pairs in {path}, 1 of them repetitions, which do not count",
        "first pair: satz 0 -> sentence 0",
    ]
    sources, targets = recipes.read(recipe).read(["train.tsv"], tmp_path / "run")
    assert {(s.split()[0], t.split()[0]) for s, t in zip(sources, targets)} == {
        ("satz", "sentence")
    }


@pytest.mark.parametrize(
    "name",
    [
        b'it\'s "quoted".tsv',
        b"back\\slash \\u0041 \\.tsv",
        b"line\nname = 3\n.tsv",
        b"tab\tbell\a escape\x1b delete\x7f {braces} # = [x].tsv",
        b"not utf-8 \xff\xfe.tsv",
        "Grüße 日本 \U0001f600 \u2028.tsv".encode(),
        b"\x27\x27\x27.tsv",
    ],
)
def test_any_name_of_a_file_makes_a_recipe(name, tmp_path):
    path = tmp_path / os.fsdecode(name)
    write_pairs(path)
    folder = tmp_path / os.fsdecode(name.removesuffix(b".tsv"))
    recipe = recipes.read(recipes.from_pairs(path, folder))
    assert recipe.name == name.removesuffix(b".tsv").decode(errors="replace")
    assert recipe == recipes.read(recipes.from_pairs(path, folder))
    assert len(recipe.read(["valid.tsv"], folder)[0]) == 5


def test_a_change_stays_a_comment(tmp_path):
    text = "# --set " + toml.comment("name=a\nseed = 9\r\x00\udcff") + "\nseed = 1\n"
    assert tomllib.loads(text) == {"seed": 1}
    text.encode("utf-8")


@pytest.mark.parametrize(
    ["count", "batch", "epochs", "sample_alpha"],
    [(100, 400, 20, None), (5000, 700, 20, None), (24_000, 2400, 18, 0.3)],
)
def test_few_pairs_get_small_batches_and_come_often(count, batch, epochs, sample_alpha, tmp_path):
    write_pairs(tmp_path / "pairs.tsv", count, repeat=1)
    recipe = recipes.read(recipes.from_pairs(tmp_path / "pairs.tsv", tmp_path / "run"))
    assert (recipe.training.tokens_per_batch, recipe.training.epochs) == (batch, epochs)
    assert recipe.tokenizer.sample_alpha == sample_alpha


def test_too_few_pairs(tmp_path):
    write_pairs(tmp_path / "pairs.tsv", count=39)
    with pytest.raises(recipes.RecipeError, match="39 different sources; 40"):
        recipes.from_pairs(tmp_path / "pairs.tsv", tmp_path / "run")


def test_only_what_is_around_a_change_is_shown():
    from keras_s2s.recipes.show import around_the_change

    assert around_the_change("5 m².", "5 m2.") == ("5 m².", "5 m2.")
    long = "a" * 50
    before, after = around_the_change(f"{long} x² y² {long}", f"{long} x2 y2 {long}", width=3)
    assert (before, after) == ("... a x² y² aa ...", "... a x2 y2 aa ...")
    assert around_the_change("aab", "aabb", width=1) == ("... b", "... bb")
