"""Runs the examples of the docstrings, the README and the pages of docs/."""

import importlib
import inspect
import pkgutil
import re
import shutil
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s

ROOT = Path(__file__).parents[1]
EXAMPLE_IMAGE = ROOT / "zoo" / "captioning_flickr8k/assets/examples/man_on_the_beach.jpg"


def blocks(text):
    """Returns the fenced Python blocks of a text."""
    found = re.findall(r"^( *)```python\n(.*?)^\1```", text, flags=re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


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


EXAMPLES = [(name, "\n".join(blocks(text))) for name, text in documented() if blocks(text)]


@pytest.mark.slow
@pytest.mark.parametrize(["name", "code"], EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_docstring(name, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"keras": keras, "keras_s2s": keras_s2s, "np": np})


@pytest.mark.slow
def test_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.de").write_text("ein Hund bellt\neine Katze\nguten Morgen\n" * 7)
    (tmp_path / "train.en").write_text("a dog barks\na cat\ngood morning\n" * 7)
    shutil.copy(EXAMPLE_IMAGE, tmp_path / "beach.jpg")
    code = "\n".join(blocks((ROOT / "README.md").read_text(encoding="utf-8")))
    # So little text gives no more pieces.
    exec(compile(code.replace("8000", "27"), "README.md", "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.stem)
def test_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(path.read_text(encoding="utf-8")))
    exec(compile(code, path.name, "exec"), {})
