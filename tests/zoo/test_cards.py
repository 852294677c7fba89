import hashlib
import json
import os
import re
import shutil

import pytest

from keras_s2s import zoo


def test_card_holds_the_hash_of_every_file(paper):
    files = zoo.card("translation")["files"]
    found = {p.relative_to(paper).as_posix(): p for p in paper.rglob("*") if p.is_file()}
    assert set(files) == set(found) - {"card.json"}
    for name, sha256 in files.items():
        assert sha256 == hashlib.sha256(found[name].read_bytes()).hexdigest()


def test_list_gives_name_and_description(paper):
    assert zoo.list() == {"translation_de_en": "Knows nothing yet."}


def test_card_returns_what_was_written(paper, card):
    written = zoo.card(paper)
    assert {key: written[key] for key in card} == card


def test_hashes_anew(paper, card):
    before = zoo.card(paper)
    (paper / "recipe.toml").write_text("epochs = 2\n")
    after = zoo.write_card(paper)
    changed = {name for name in after["files"] if after["files"][name] != before["files"][name]}
    assert changed == {"recipe.toml"}
    assert {key: after[key] for key in card} == card


def test_missing_key(paper, card):
    del card["licence"], card["data"]
    with pytest.raises(ValueError, match="lacks licence, data"):
        zoo.write_card(paper, card)


def test_no_card(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no card"):
        zoo.card(tmp_path)


@pytest.mark.parametrize("text", ["", '{"files": {', "[]", "{}", '{"files": []}'])
def test_broken_card(paper, text):
    (paper / "card.json").write_text(text)
    with pytest.raises(ValueError, match=r"card\.json' is no valid card.*Restore it"):
        zoo.card(paper)


def test_readme_header_is_what_model_hubs_read(paper):
    header = (paper / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    fields = dict(line.split(": ", 1) for line in header.splitlines())
    fields = {key: json.loads(value) for key, value in fields.items()}
    assert fields["language"] == ["de", "en"]
    assert fields["license"] == "cc0-1.0"
    assert fields["library_name"] == "keras-s2s"
    assert fields["datasets"] == ["Four sentences"]
    (model,) = fields["model-index"]
    assert model["name"] == "translation_de_en"
    (result,) = model["results"]
    assert result["dataset"]["name"] == "Four sentences"
    assert result["metrics"] == [{"type": "bleu", "name": "BLEU", "value": 1.5}]


def test_readme_body(paper):
    text = (paper / "README.md").read_text(encoding="utf-8")
    assert "# Tiny: German to English\n" in text
    assert "| Four sentences | BLEU | 1.5 ± 0.5 | `nrefs:1\\|tok:13a` |" in text
    assert 'model.generate("Sie sagt: \\"Ä\\".")' in text
    assert "- train: `keras-s2s train recipe.toml`" in text
    assert "What it cannot do" not in text and "evaluate" not in text


def test_limits_stand_with_the_limitations(paper, card):
    zoo.write_card(paper, {**card, "limitations": "Short ones.", "limits": "Up to 9 pieces."})
    readme = (paper / "README.md").read_text(encoding="utf-8")
    assert "## What it cannot do\n\nShort ones.\n\nUp to 9 pieces.\n" in readme


@pytest.mark.slow
@pytest.mark.parametrize("name", [b'a "quoted" \\name', b"line\nend", b"not utf-8 \xff"])
def test_folders_of_any_name_have_cards(preset, name, tmp_path):
    folder = tmp_path / os.fsdecode(name)
    shutil.copytree(preset, folder)
    zoo.write_card(folder)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (call,) = re.findall(r"keras_s2s\.zoo\.load\((.*)\)", readme)
    assert json.loads(call) == name.decode(errors="replace")
    assert zoo.load(folder).name == zoo.load(preset).name


def test_samples_in_a_table(paper, card):
    samples = [{"input": "a|b\nc", "output": "A | B", "remark": "wrong"}]
    zoo.write_card(paper, {**card, "samples": samples})
    assert "\n| a\\|b c | A \\| B | wrong |\n" in (paper / "README.md").read_text()


def test_samples_with_references_are_a_list(paper, card):
    sample = {"input": "A long text.", "output": "A text", "reference": "Text", "remark": "good"}
    zoo.write_card(paper, {**card, "samples": [sample, {**sample, "remark": ""}]})
    readme = (paper / "README.md").read_text(encoding="utf-8")
    first, second = readme.split("## Samples")[1].split("## Data")[0].split("\n2. ")
    assert first.split() == (
        "1. A long text. - output: A text - reference: Text - remark: good".split()
    )
    assert second.split() == "A long text. - output: A text - reference: Text".split()
