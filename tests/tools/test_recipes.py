"""Recipes: checked before anything is read, and those that ship are what the presets are."""

import json
from pathlib import Path

import pytest

import recipe as recipes

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
    if recipe.card.task == "captioning":
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
    assert recipe.training.dtype == "float32" and recipe.seed == 7


@pytest.mark.parametrize("text", ["name = [", None])
def test_no_recipe(text, tmp_path):
    path = tmp_path / "recipe.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(recipes.RecipeError, match="recipe.toml"):
        recipes.read(path)


def test_missing_data_is_named(tmp_path):
    with pytest.raises(recipes.RecipeError, match="en-de.train.tsv.gz.*--data"):
        recipes.check_files(recipes.read(ROOT / "zoo/translation_de_en/recipe.toml"), tmp_path)
