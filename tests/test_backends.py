"""Runs the tests of everything that is not bound to TensorFlow on the other backends of Keras."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.other_backend import environment

ROOT = Path(__file__).parents[1]
# JAX compiles the training step of every model anew, which takes minutes.
SOME_MODELS = [
    f"tests/models/test_{name}"
    for name in (
        "generate.py",
        "seq2seq.py::test_fit_on_bucketed_batches",
        "presets.py::test_keras_file",
        "presets.py::test_preset_in_full_precision",
        "raw_training.py::test_score_is_the_sum_of_log_probabilities",
        "raw_training.py::test_predictions_of_batches_of_unequal_width_are_joined",
    )
]
# Long, or about the backends themselves.
NOT = [
    "tests/models/test_backends_agree.py",
    "tests/models/test_learns.py",
    "tests/models/test_memory.py",
    "tests/models/test_presets.py::test_new_process",
    # Files and other raw data are read by TensorFlow everywhere.
    "tests/models/test_image_captioner.py::test_fit_takes_every_form",
    "tests/models/test_image_captioner.py::test_fit_on_new_pairs_of_paths_lowers_their_loss",
    "tests/models/test_image_captioner.py::test_images_of_unlike_sizes_and_forms",
    "tests/models/test_image_captioner.py::test_bad_images_are_named",
]
LAYERS = ["tests/layers"]
REST = ["tests/backend", "tests/decoding", "tests/training"]
DECODER = "tests/layers/test_rnn_decoder.py"
# Each runs in one process: several, so that there is one for every core until the end.
RUNS = {
    "jax-decoder": [DECODER],
    "jax-layers": [*LAYERS, f"--ignore={DECODER}"],
    "jax-rest": REST,
    "jax-models": SOME_MODELS,
    "torch-layers": [*LAYERS, *REST],
    "torch-models": ["tests/models"],
}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_other_backend(run):
    backend = run.split("-")[0]
    pytest.importorskip(backend)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *RUNS[run]]
    command += [f"--deselect={test}" for test in NOT]
    # The sums of whole models are compared to the last digits.
    variables = environment(backend, fused_loops=run.endswith("models"))
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr
