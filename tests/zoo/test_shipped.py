"""The presets that ship with the package, each as its card says."""

import time

import pytest

import keras_s2s
from keras_s2s import zoo
from keras_s2s.zoo import cards, folders

NAMES = folders.names()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_verify(name):
    assert zoo.verify(name)["examples"]


@pytest.mark.parametrize("name", NAMES)
def test_size(name):
    files = [path for path in (folders.root() / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25_000_000


@pytest.mark.parametrize("name", NAMES)
def test_card(name):
    card = zoo.card(name)
    folder = folders.root() / name
    assert {"recipe.toml", "config.json", "model.weights.h5", "metadata.json"} < set(card["files"])
    assert len(card["examples"]) >= 3 and card["metrics"]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert cards.body(name, card) in readme


@pytest.mark.skipif("translation_de_en" not in NAMES, reason="the zoo has no preset for it yet")
def test_first_translation_comes_soon():
    def seconds():
        start = time.perf_counter()
        assert zoo.load("translation").generate("Wo ist der Bahnhof?")
        return time.perf_counter() - start

    # The first pays for what TensorFlow does once per process; the machine may be busy.
    seconds()
    assert min(seconds(), seconds()) < 3


@pytest.mark.parametrize("alias", folders.ALIASES)
def test_alias_means_a_shipped_preset(alias):
    if folders.ALIASES[alias] not in NAMES:
        pytest.skip("the zoo has no preset for it yet")
    assert isinstance(zoo.load(alias), keras_s2s.models.Seq2Seq)
