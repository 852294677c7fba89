"""Runs the tests of everything that is not bound to TensorFlow on the other backends of Keras."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = [f"tests/{room}" for room in ("backend", "layers", "decoding", "training")]
# JAX compiles the training step of every model anew, which takes minutes.
ON_STRINGS = "tests/models/test_raw_training.py::test_"
MODELS = {
    "jax": [
        "tests/models/test_generate.py",
        f"{ON_STRINGS}score_is_the_sum_of_log_probabilities",
        f"{ON_STRINGS}predictions_of_batches_of_unequal_width_are_joined",
    ],
    "torch": ["tests/models"],
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backend(backend):
    pytest.importorskip(backend)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "not slow"]
    command += [*FOLDERS, *MODELS[backend]]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr
