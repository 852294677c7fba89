"""Runs the examples of the docstrings, the README and the pages of docs/."""

import importlib
import inspect
import json
import pkgutil
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.models import preset_folders
from run_page import blocks, run
from tests.captioners import coloured, small_captioner, tiny_backbone
from tests.fewer import chosen
from tests.java import JAVA, quick_meteor

ROOT = Path(__file__).parents[1]
# The texts of examples are longer than the tiny presets take.
pytestmark = pytest.mark.filterwarnings("ignore:.* are cut there")
# The simplest cell is the soonest traced.
CHEAP = [
    ("RNNEncoder(256,", 'RNNEncoder(256, "rnn",'),
    ('attention="bahdanau"', 'attention="luong", cell="rnn"'),
]
EXAMPLE_IMAGE = ROOT / "zoo" / "captioning_flickr8k/assets/examples/man_on_the_beach.jpg"


def documented():
    """Yields name and docstring of everything that is defined in the package and has an example."""
    for module in pkgutil.walk_packages(keras_s2s.__path__, "keras_s2s."):
        if module.name == "keras_s2s.__main__":
            continue
        for name, thing in vars(importlib.import_module(module.name)).items():
            if getattr(thing, "__module__", None) != module.name:
                continue
            yield f"{module.name}.{name}", thing.__doc__ or ""
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    text = inspect.getdoc(function) if inspect.isroutine(function) else None
                    yield f"{module.name}.{name}.{method}", text or ""


EXAMPLES = {name: "\n".join(blocks(text)) for name, text in documented() if blocks(text)}
# They train or export for seconds what README.md trains and exports, too, or wait for Java.
LONG = {
    "keras_s2s.data.feature_cache.cached_features",
    "keras_s2s.evaluation.meteor_reward.MeteorReward",
    "keras_s2s.models.image_captioner.ImageCaptioner",
    "keras_s2s.models.seq2seq.Seq2Seq.export",
    "keras_s2s.models.summarizer.Summarizer",
    "keras_s2s.models.translator.Translator",
    "keras_s2s.recipes.train.train",
}


@pytest.fixture(scope="module", autouse=True)
def tiny_presets(preset, tmp_path_factory):
    """Tiny presets under the names of the shipped ones, for examples to run soon."""
    root, card = tmp_path_factory.mktemp("zoo"), keras_s2s.zoo.card(preset)
    translator = keras_s2s.zoo.load(preset)
    models = {
        "translation": translator,
        "summarization": keras_s2s.models.Summarizer(
            keras_s2s.layers.RNNEncoder(8, "rnn", vocabulary_size=27),
            keras_s2s.layers.RNNDecoder(27, 8, cell="rnn", attention="luong"),
            translator.preprocessor,
        ),
        # Untrained it goes on to the end, and what it says is drawn word by word.
        "captioning": small_captioner(target_length=8, simple=True),
    }
    for task, model in models.items():
        folder = root / preset_folders.ALIASES[task]
        model.save_to_preset(folder)
        shutil.copy(ROOT / "zoo" / folder.name / "recipe.toml", folder)
        keras_s2s.zoo.write_card(folder, {**card, "task": task, "examples": []})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preset_folders, "root", lambda: root)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", chosen(EXAMPLES, *(name for name in EXAMPLES if name not in LONG)))
def test_docstring(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(EXAMPLES[name], name, "exec"), {"keras": keras, "keras_s2s": keras_s2s, "np": np})


@pytest.mark.long
@pytest.mark.slow
def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.de").write_text("ein Hund bellt\neine Katze\nguten Morgen\n" * 7)
    (tmp_path / "train.en").write_text("a dog barks\na cat\ngood morning\n" * 7)
    shutil.copy(EXAMPLE_IMAGE, tmp_path / "beach.jpg")
    # So little text gives no more pieces.
    run(
        ROOT / "README.md",
        [*CHEAP, ("8000", "27"), ("256", "16")],
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_readme_on_the_shipped_weights(tmp_path, monkeypatch):
    """Its first blocks: a translation, and a caption. More of the presets has tests of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preset_folders, "root", lambda: ROOT / "zoo")
    shutil.copy(EXAMPLE_IMAGE, tmp_path / "beach.jpg")
    found, code = {}, blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    for block in code[:2]:
        exec(compile(block, "README.md", "exec"), found)
    examples = keras_s2s.zoo.card("captioning")["examples"]
    [caption] = [e["output"] for e in examples if Path(e["input"]).name == EXAMPLE_IMAGE.name]
    assert found["caption"] == caption


PAGES = sorted(path for path in ROOT.glob("docs/**/*.md") if path.parent.name != "tutorials")


# Two inputs have tests of their own, and other pages use what the two comparisons use.
COVERED_ELSEWHERE = {"encoder", "coming_from_kerashub", "coming_from_tfa"}
# `check_decoder` has tried it on the same page.
SHORTER = {"your_own_layers": [('    "averaging": AveragingDecoder(26, 16),\n', "")]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.long] * (path.stem == "your_own_layers"))
        for path in chosen(PAGES, *(path for path in PAGES if path.stem not in COVERED_ELSEWHERE))
    ],
    ids=lambda path: path.stem,
)
def test_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(path, SHORTER.get(path.stem, ()))


def is_short(page):
    return len("\n".join(blocks(page.read_text(encoding="utf-8"))).splitlines()) < 60


@pytest.mark.thorough
@pytest.mark.slow
def test_tutorial_nmt_with_attention(tmp_path, monkeypatch, capsys):
    """As it is written, but on a few sentences."""
    monkeypatch.chdir(tmp_path)
    pairs = {"the dog": "el perro", "the cat": "el gato", "the station": "la estación"}
    lines = [f"{a} and {b}\t{pairs[a]} y {pairs[b]}\n" for a in pairs for b in pairs]
    for name in ("train", "valid", "test"):
        Path(f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    page = ROOT / "docs/tutorials/nmt_with_attention.md"
    run(page, [*CHEAP, ("8000", "28"), ("epochs = 3", "epochs = 2"), ("256", "16")])
    assert is_short(page)
    assert capsys.readouterr().out.count("|version:") == 4
    assert Path("attention.png").stat().st_size > 1000 and Path("translator/1").is_dir()


@pytest.mark.thorough
@pytest.mark.slow
@JAVA
def test_tutorial_image_captioning(tmp_path, monkeypatch, capsys):
    """As it is written, but on drawings, and with a small backbone that knows nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras.applications, "Tiny", tiny_backbone, raising=False)
    quick_meteor(monkeypatch)
    images, captions = coloured(12)
    Path("Flicker8k_Dataset").mkdir()
    names = [f"{i}.jpg" for i in range(len(images))]
    for name, image in zip(names, images):
        image.save(Path("Flicker8k_Dataset") / name)
    lines = [f"{name}#{i}\t{text}\n" for name, text in zip(names, captions) for i in range(5)]
    Path("Flickr8k.token.txt").write_text("".join(lines))
    for split in ("train", "test"):
        Path(f"Flickr_8k.{split}Images.txt").write_text("\n".join(names))
    page = ROOT / "docs/tutorials/image_captioning.md"
    changes = [("3000", "17"), ("epochs = 8", "epochs = 1"), ("256", "16"), CHEAP[1]]
    changes.append(
        ('"MobileNetV2", weights="imagenet"', '"Tiny", weights=None, image_size=(64, 64)')
    )
    run(page, changes)
    assert is_short(page)
    assert capsys.readouterr().out.count("pycocoevalcap:") == 10
    assert Path("attention.png").stat().st_size > 1000 and Path("captioner/1").is_dir()


@pytest.mark.thorough
@pytest.mark.slow
def test_tutorial_summarization(tmp_path, monkeypatch, capsys):
    """As it is written, but with a tiny untrained model."""
    monkeypatch.chdir(tmp_path)
    row = {"text": "ein Hund bellt, a dog barks", "summaries": ["ein Hund", "a dog"]}
    for name in ("train", "valid", "test"):
        Path(f"{name}.jsonl").write_text(f"{json.dumps(row)}\n" * 8)
    page = ROOT / "docs/tutorials/summarization.md"
    run(page)
    assert is_short(page)
    assert capsys.readouterr().out.count("rouge-score:") == 3
    assert Path("attention.png").stat().st_size > 1000 and Path("summarizer/1").is_dir()


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("docs/**/*.md")) + [ROOT / "README.md"], ids=lambda p: p.stem
)
def test_links_between_files(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert not missing
