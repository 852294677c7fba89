from pathlib import Path

import pytest

from keras_s2s.models import preset_folders


@pytest.fixture(autouse=True)
def three(shipped):
    for name in ("translation_de_en", "translation_multi30k_de_en", "speech_digits"):
        (shipped / name).mkdir()
        (shipped / name / "card.json").write_text("{}")
    (shipped / "half_trained").mkdir()


def test_the_checkout_is_the_root(monkeypatch):
    monkeypatch.undo()
    assert preset_folders.root() == Path(__file__).parents[2] / "zoo"
    assert (preset_folders.root() / "README.md").is_file()


def test_names_are_folders_with_a_card():
    assert preset_folders.names() == [
        "speech_digits",
        "translation_de_en",
        "translation_multi30k_de_en",
    ]


def test_name_and_alias(shipped):
    assert preset_folders.find("speech_digits") == shipped / "speech_digits"
    assert preset_folders.find("translation") == shipped / "translation_de_en"


@pytest.mark.parametrize("kind", [str, Path])
def test_path(tmp_path, kind):
    (tmp_path / "mine").mkdir()
    assert preset_folders.find(kind(tmp_path / "mine")) == tmp_path / "mine"


def test_name_wins_over_folder(tmp_path, shipped, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "translation").mkdir()
    assert preset_folders.find("translation") == shipped / "translation_de_en"
    assert preset_folders.find("./translation").resolve() == tmp_path / "translation"


@pytest.mark.parametrize("name", ["translation_de_eng", "Translation_DE_EN", "translation_de-en"])
def test_near_match(name):
    with pytest.raises(ValueError, match=r"Did you mean 'translation_de_en'") as error:
        preset_folders.find(name)
    assert repr(name) in str(error.value)
    assert "speech_digits, translation_de_en, translation_multi30k_de_en" in str(error.value)


@pytest.mark.parametrize("name", ["zzz", ""])
def test_no_near_match(name):
    with pytest.raises(ValueError, match=r"Unknown preset '.*'\. Shipped presets: translation, "):
        preset_folders.find(name)


def test_nothing_shipped(shipped, monkeypatch):
    monkeypatch.setattr(preset_folders, "root", lambda: shipped / "nowhere")
    with pytest.raises(ValueError, match="Shipped presets: none"):
        preset_folders.find("translation")


@pytest.mark.parametrize("path", ["no/such/folder", Path("none")])
def test_no_folder(path):
    with pytest.raises(FileNotFoundError, match=r"no preset folder at '(no|none)"):
        preset_folders.find(path)


@pytest.mark.parametrize("name", [None, 3, b"translation", ["translation"]])
def test_not_a_name(name):
    with pytest.raises(TypeError, match="`name_or_path` must be the name"):
        preset_folders.find(name)
