import copy

import pytest

from keras_s2s import zoo

CARD = {
    "title": "Tiny: German to English",
    "description": "Knows nothing yet.",
    "task": "translation",
    "languages": ["de", "en"],
    "licence": "CC0-1.0",
    "data": [{"name": "Four sentences", "licence": "CC0-1.0"}],
    "metrics": [
        {
            "name": "BLEU",
            "value": 1.5,
            "spread": 0.5,
            "dataset": "Four sentences",
            "signature": "nrefs:1|tok:13a",
        }
    ],
    "recipe": {"train": "keras-s2s train recipe.toml", "evaluate": ""},
    "examples": [{"input": 'Sie sagt: "Ä".', "output": "?"}],
}


@pytest.fixture
def card():
    return copy.deepcopy(CARD)


@pytest.fixture
def paper(shipped, card):
    """A shipped preset with files and a card but no model in it."""
    folder = shipped / "translation_de_en"
    (folder / "assets" / "source_tokenizer").mkdir(parents=True)
    (folder / "assets" / "source_tokenizer" / "spm.model").write_bytes(b"pieces\r\n")
    (folder / "config.json").write_text("{}")
    (folder / "model.weights.h5").write_bytes(bytes(1000))
    (folder / "recipe.toml").write_text("epochs = 1\n")
    zoo.write_card(folder, card)
    return folder
