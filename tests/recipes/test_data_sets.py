"""Splits of a recipe that are made of several sets of files."""

import numpy as np
import pytest

from keras_s2s import recipes, zoo
from keras_s2s.recipes import tokenizer, written
from keras_s2s.recipes.data_sets import Joined, data_sets, join, join_images
from keras_s2s.recipes.recipe import Tokenizer
from keras_s2s.recipes.typed_config import RecipeError
from tests.recipes.test_translation import RECIPE

SETS = """train = [
    { files = ["a.tsv"], times = 2 },
    { files = ["b.tsv"], columns = [1, 0], prefix = "<de> " },
]"""


def test_texts_of_several_tables(tmp_path):
    (tmp_path / "a.tsv").write_text("eins\tone\nzwei\ttwo\n")
    (tmp_path / "b.tsv").write_text("three\tdrei\nfour\t\n")
    (tmp_path / "valid.tsv").write_text("vier\tfour\n")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace('train = ["train.tsv"]', SETS))
    recipe = recipes.read(path)
    assert recipe.data.files() == ["a.tsv", "b.tsv", "valid.tsv", "valid.tsv"]
    recipe.check_files(tmp_path)
    with pytest.warns(UserWarning, match="with an empty side left out"):
        splits = recipe.splits(tmp_path, verbose=0)
    assert splits["train"] == (
        ["eins", "zwei", "eins", "zwei", "<de> drei"],
        ["one", "two", "one", "two", "three"],
    )
    assert splits["valid"] == (["vier"], ["four"])


@pytest.mark.slow
@pytest.mark.parametrize("side", ["inputs_by", "outputs_by"])
def test_texts_that_a_preset_writes(tmp_path, preset, monkeypatch, side):
    (tmp_path / "mono.txt").write_text("zwei drei\n\n1\teins\nvier\n")
    (tmp_path / "valid.tsv").write_text("vier\tfour\n")
    path = tmp_path / "recipe.toml"
    # Two that are the same write together what one of them does.
    by = f'"{preset}"' if side == "inputs_by" else f'["{preset}", "{preset}"]'
    table = f'{{ files = ["mono.txt"], {side} = {by}, sampler = "greedy", prefix = "<x> " }}'
    path.write_text(RECIPE.replace('train = ["train.tsv"]', f"train = [{table}]"))
    recipe = recipes.read(path)
    model, texts = zoo.load(preset), ["zwei drei", "eins", "vier"]
    outputs = model.generate(texts, sampler="greedy")
    expected = (outputs, texts) if side == "inputs_by" else (texts, outputs)
    expected = [f"<x> {text}" for text in expected[0]], expected[1]
    monkeypatch.setattr(written, "_CHUNK", 2)
    assert recipe.read(recipe.data.train, tmp_path, tmp_path / "written") == expected
    # Interrupted in a line after the first chunk, it goes on there; when done, it asks no more.
    [cache] = (tmp_path / "written").iterdir()
    cache.write_text("".join(f"{text}\n" for text in outputs[:2]) + "x")
    assert recipe.read(recipe.data.train, tmp_path, tmp_path / "written") == expected
    monkeypatch.setattr(type(model), "generate", None)
    assert recipe.read(recipe.data.train, tmp_path, tmp_path / "written") == expected
    with pytest.raises(RecipeError, match="are for training data"):
        recipe.read(recipe.data.train, tmp_path)


def test_symbols_are_pieces():
    settings = Tokenizer(vocabulary_size=17, symbols=["<de>"])
    trained = tokenizer.train(settings, ["<de> ein Hund", "eine Katze"])
    assert trained.id_to_token(4) == "<de>"
    assert trained.decode(trained.encode(["<de> eine"])) == ["<de> eine"]


@pytest.mark.parametrize(
    ["sets", "message"],
    [
        ("[]", r"\[data\]: missing 'train'"),
        ("[3]", r"'files' must be names of files. Received: \[3\]"),
        ('[{ files = ["a.tsv"], time = 2 }]', "'train': unknown key 'time'. Did you mean 'times'"),
        ('[{ files = ["a.tsv"], times = 0 }]', "'times' must be 1 or more. Received: 0"),
        ('[{ files = ["a"], inputs_by = "a", outputs_by = "b" }]', "one of them"),
        ('[{ files = ["a"], outputs_by = [1] }]', "'outputs_by' must be names of presets"),
        ('[{ files = [], inputs_by = "a" }]', "'files' must name a file"),
        ('[{ files = ["a"], sampler = "greedy" }]', "'sampler' is for 'inputs_by'"),
        ('["a.tsv", "b.tsv", "c.tsv"]', "a set is one file, or two.*Several sets are tables"),
        ('[{ files = ["a", "b"], columns = [1, 0] }]', "Exchange the two files"),
        ('[{ files = "a.tsv" }]', "'files' must be of type list. Received: 'a.tsv'"),
        ('["a.tsv", { files = ["b.tsv"] }]', "'files' must be names of files"),
    ],
)
def test_sets_that_cannot_be_read(tmp_path, sets, message):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace('["train.tsv"]', sets))
    with pytest.raises(RecipeError, match=message):
        recipes.read(path)


def test_examples_come_once_outside_of_training(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    for change in ("data.valid=", "data.tests.numbers="):
        with pytest.raises(RecipeError, match="'times' is for training data"):
            recipes.read(path, [change + '{ files = ["a.tsv"], times = 2 }'])
    # A set may have any name.
    recipe = recipes.read(path, ['data.tests.train=["b.tsv"]'])
    assert recipe.data.files() == ["train.tsv", "valid.tsv", "valid.tsv", "b.tsv"]


def test_parts_in_their_order():
    joined = Joined(["abc", "de"], [1, 2])
    assert "".join(joined) == "abcdede" and joined[-1] == "e" and joined[2:5] == ["c", "d", "e"]
    assert joined[[0, 4, 3]] == ["a", "e", "d"]
    with pytest.raises(IndexError):
        joined[7]
    assert not hasattr(joined, "names")
    arrays = Joined([np.arange(6).reshape(3, 2), np.arange(6, 8).reshape(1, 2)], [1, 2])
    assert arrays.shape == (5, 2) and arrays[4].tolist() == [6, 7]
    assert arrays[np.array([4, 0])].tolist() == [[6, 7], [0, 1]]


def test_one_set_stays_as_it_is():
    images = object()
    assert join_images([images], [1]) is images
    assert isinstance(join_images([["a.jpg"]], [2]), Joined)
    assert join([["a"], ["b"]], [2, 1]) == ["a", "a", "b"]
    assert [one.times for one in data_sets(["a.tar", "a.jsonl"], "'train'")] == [1]


def test_sets_for_some_of_the_stages(tmp_path):
    (tmp_path / "a.tsv").write_text("eins\tone\n")
    (tmp_path / "b.tsv").write_text("zwei\ttwo\ndrei\tthree\n")
    (tmp_path / "valid.tsv").write_text("vier\tfour\n")
    path = tmp_path / "recipe.toml"
    sets = '[{ files = ["a.tsv"] }, { files = ["b.tsv"], stages = ["first"] }]'
    path.write_text(RECIPE.replace('train = ["train.tsv"]', f"train = {sets}"))
    stages = ["stages.first.epochs=1", "stages.second.epochs=1"]
    splits = recipes.read(path, stages).splits(tmp_path, verbose=0)
    assert splits["train"] == (["eins", "zwei", "drei"], ["one", "two", "three"])
    assert splits["train.second"] == (["eins"], ["one"]) and "train.first" not in splits
    for changes, message in (
        (["stages.second.epochs=1"], "names 'first', which is none of the stages: second"),
        (
            [*stages, 'data.train=[{ files = ["b.tsv"], stages = ["first"] }]'],
            "second. has no data",
        ),
    ):
        with pytest.raises(RecipeError, match=message):
            recipes.read(path, changes)
