"""Runs the tests of everything that is not bound to TensorFlow on the other backends of Keras."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.test_backends_agree import write_expected
from tests.other_backend import environment, skip_unless_installed

ROOT = Path(__file__).parents[1]
# JAX compiles everything anew, which takes minutes; PyTorch runs every step of a loop from Python.
# So the suite takes to them what may differ by backend, which is marked `every_backend`. With
# ALL_CASES=1 in the environment they get all.
ALL = bool(os.environ.get("ALL_CASES"))
FOLDERS = [
    f"tests/{name}" for name in ("layers", "decoding", "backend", "training", "models", "callbacks")
]
# Long, or about the backends themselves.
NOT = [
    "tests/models/test_learns.py",
    "tests/models/test_memory.py",
    "tests/models/test_presets.py::test_new_process",
    # Networks of Keras.
    "tests/layers/test_image_encoder.py::test_backbone_by_name",
    # Files and other raw data are read by TensorFlow everywhere.
    "tests/models/test_image_captioner.py::test_fit_takes_every_form",
    "tests/models/test_image_captioner.py::test_fit_on_new_pairs_of_paths_lowers_their_loss",
    "tests/models/test_image_captioner.py::test_images_of_unlike_sizes_and_forms",
    "tests/models/test_image_captioner.py::test_bad_images_are_named",
]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A folder of what models give on TensorFlow, with which others compare theirs."""
    folder = tmp_path_factory.mktemp("numbers")
    write_expected(folder)
    return folder


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backend(backend, numbers):
    skip_unless_installed(backend)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *FOLDERS]
    command += [f"--deselect={test}" for test in NOT] if ALL else ["-m", "every_backend"]
    variables = environment(backend) | {"NUMBERS_OF_TENSORFLOW": str(numbers)}
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr
