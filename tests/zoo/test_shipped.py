"""The presets that ship with the package, each as its card says."""

import pytest

from keras_s2s import zoo
from keras_s2s.models import preset_folders
from keras_s2s.zoo import cards

NAMES = preset_folders.names()

#: The presets, and what each has to reach on its test sets.
AT_LEAST = {
    "captioning_flickr8k": {
        ("flickr8k_test", "BLEU-1"): 64.0,
        ("flickr8k_test", "BLEU-4"): 21.0,
        ("flickr8k_test", "CIDEr"): 0.52,
    },
    "summarization_arxiv_titles": {("test", "ROUGE-L"): 34.0},
    "translation_de_en": {("tatoeba_test", "BLEU"): 45.0, ("tatoeba_test", "chrF"): 60.0},
    "translation_multi30k_de_en": {
        ("test_2016_flickr", "BLEU"): 38.0,
        ("test_2017_flickr", "BLEU"): 34.0,
    },
}


def test_nothing_is_missing():
    assert set(zoo.list()) == set(AT_LEAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_verify(name):
    assert zoo.verify(name)["examples"]


@pytest.mark.parametrize("name", NAMES)
def test_size(name):
    files = [path for path in (preset_folders.root() / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25_000_000


@pytest.mark.parametrize("name", NAMES)
def test_card(name):
    card = zoo.card(name)
    folder = preset_folders.root() / name
    assert {"recipe.toml", "config.json", "model.weights.h5", "metadata.json"} < set(card["files"])
    assert len(card["examples"]) >= 3
    found = {(metric["dataset"], metric["name"]): metric["value"] for metric in card["metrics"]}
    assert found and all(found[key] >= value for key, value in AT_LEAST[name].items())
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert cards.body(name, card) in readme


@pytest.mark.parametrize("alias", preset_folders.ALIASES)
def test_alias_means_a_shipped_preset(alias):
    assert preset_folders.find(alias) == preset_folders.root() / preset_folders.ALIASES[alias]
    assert preset_folders.ALIASES[alias] in NAMES
