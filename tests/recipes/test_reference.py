"""The commented reference says what the schema says; test_translation.py trains with it."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from keras_s2s import recipes
from keras_s2s.recipes import recipe as schema

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "keras_s2s" / "recipes" / "reference.toml"
TABLES = {
    "data": schema.Data,
    "tokenizer": schema.Tokenizer,
    "model": schema.Model,
    "sound": schema.Sound,
    "language_model": schema.LanguageModel,
    "training": schema.Stage,
    "decoding": schema.Decoding,
    "evaluation": schema.Evaluation,
    "card": schema.Card,
}


def sections():
    """The text of each table of the reference, the keys before the first under ""."""
    text = REFERENCE.read_text(encoding="utf-8")
    parts = re.split(r"^#? ?\[([\w.]+)\]", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def default(field):
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


@pytest.mark.parametrize("table", ["", *TABLES])
def test_it_names_every_key_with_its_default(table):
    values = tomllib.loads(REFERENCE.read_text(encoding="utf-8"))
    values = values[table] if table else values
    text = sections()[table]
    fields = dataclasses.fields(TABLES.get(table, recipes.Recipe))
    fields = {f.name: f for f in fields if table or f.name not in (*TABLES, "stages")}
    # Required keys are marked, also those that only a recipe which trains needs, and one of the
    # two ways to say how large a batch is.
    required = {
        name
        for name, f in fields.items()
        if f.default is f.default_factory is dataclasses.MISSING
        or name in ("train", "valid", "batch_size")
    }
    lines = re.findall(r"^(# )?(\w+) = (.*)", text, flags=re.MULTILINE)
    assert sorted(key for _, key, _ in lines) == sorted(fields)
    for comment, key, rest in lines:
        assert ("# *" in rest) == (key in required), key
        # What has no default value is commented out.
        assert bool(comment) == (key not in required and default(fields[key]) is None), key
        if key not in required and not comment:
            assert values[key] == default(fields[key]), key
        assert "#" in rest or rest in ("0.0", "1", "5", "1.0"), f"{key} is not explained"


def test_the_keys_are_those_of_both_tasks():
    """A key that only one uses is at its default in the reference, which the other takes."""
    for name, task in recipes.TASKS.items():
        assert isinstance(recipes.read(REFERENCE, [f"task={name}"]), task)
    for change, message in (
        (["model.backbone=VGG16"], r"\[model\]: 'backbone' can only be 'MobileNetV2'"),
        (["prefix=<de>"], "'prefix' replaces that of the preset in 'start'"),
        (["training.part=language_model"], "'part' can only be 'model'"),
        (["decoding.ctc_weight=0.3"], "'ctc_weight' can only be 0.0"),
        (["training.freeze=backbone"], "'freeze' can only be 'nothing' or 'encoder'"),
        (["task=captioning", "tokenizer.shared=false"], "'shared' can only be True"),
        (["task=captioning", "data.number_copies=1"], "'number_copies' needs"),
    ):
        with pytest.raises(recipes.RecipeError, match=message):
            recipes.read(REFERENCE, change)


def test_the_page_links_to_it():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((\.\./keras_s2s/recipes/[\w./]+)\)", page)
    assert "../keras_s2s/recipes/reference.toml" in links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link
    # The keys that it teaches are there.
    listed = set(re.findall(r"`(\w+)\.(\w+)`", page))
    keys = {(table, f.name) for table, cls in TABLES.items() for f in dataclasses.fields(cls)}
    unknown = {pair for pair in listed if pair[0] in TABLES} - keys
    assert not unknown
