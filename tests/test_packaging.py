import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command, cwd, **environment):
    environment = {**os.environ, **environment}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the checkout, with one more preset in its zoo; built outside the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "keras_s2s_cli.py"):
        shutil.copy(ROOT / name, checkout)
    for name in ("keras_s2s", "zoo"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, checkout / name, ignore=ignore)
    probe = checkout / "zoo" / "probe"
    (probe / "assets" / "source_tokenizer").mkdir(parents=True)
    (probe / "assets" / "source_tokenizer" / "spm.model").write_bytes(b"\n")
    (probe / "card.json").write_text('{"description": "A probe.", "files": {}}')
    arguments = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), "."]
    run(sys.executable, "-m", "pip", "wheel", *arguments, cwd=checkout)
    (path,) = folder.glob("*.whl")
    return path, checkout


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel unpacked into an empty folder, as pip does it."""
    folder = tmp_path_factory.mktemp("installed")
    arguments = ["--no-deps", "--target", str(folder), str(wheel[0])]
    run(sys.executable, "-m", "pip", "install", *arguments, cwd=folder)
    return folder


@pytest.mark.prepared
@pytest.mark.slow
def test_wheel_holds_every_file(wheel):
    path, checkout = wheel
    packed = set(zipfile.ZipFile(path).namelist())
    sources = {f"keras_s2s/{name}" for name in files_below(checkout / "keras_s2s")}
    # The zoo's own README is for readers of the checkout.
    zoo = {f"keras_s2s/zoo/presets/{name}" for name in files_below(checkout / "zoo") if "/" in name}
    assert "keras_s2s/zoo/presets/probe/assets/source_tokenizer/spm.model" in zoo
    others = {name for name in packed if ".dist-info/" not in name}
    assert others == sources | zoo | {"keras_s2s_cli.py"}


@pytest.mark.prepared
@pytest.mark.slow
def test_no_extra_takes_pytorch(wheel):
    """Several gigabytes on Linux."""
    with zipfile.ZipFile(wheel[0]) as files:
        [name] = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        needed = re.findall(r"Requires-Dist: ([\w-]+)", files.read(name).decode())
    assert "jax" in needed and "torch" not in needed


@pytest.mark.thorough
@pytest.mark.slow
def test_presets_are_found_outside_the_checkout(installed, tmp_path):
    code = "import keras_s2s; print(*keras_s2s.zoo.list(), keras_s2s.__file__)"
    output = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).split()
    shipped = {path.parent.name for path in ROOT.glob("zoo/*/card.json")}
    assert set(output[:-1]) == shipped | {"probe"}
    assert Path(output[-1]).is_relative_to(installed)


@pytest.mark.thorough
@pytest.mark.slow
def test_the_command_works_outside_the_checkout(installed, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r'pip install \. && keras-s2s generate translation "(.*)"', readme)
    program = str(installed / "bin" / "keras-s2s")
    command = [sys.executable, program, "generate", "translation", sentence]
    output = run(*command, cwd=tmp_path, PYTHONPATH=str(installed))
    examples = json.loads((ROOT / "zoo/translation_de_en/card.json").read_text())["examples"]
    assert [output.strip()] == [e["output"] for e in examples if e["input"] == sentence]


def test_ci_runs_the_command_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"Run the tests:\n\n```bash\n(.*)\n```", readme)
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    # With PyTorch, whose tests would be skipped.
    assert lines.index("pip install torch==2.13.0") < lines.index(command)
