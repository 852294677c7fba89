"""Runs the tests of everything that is not bound to TensorFlow on the other backends of Keras."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.other_backend import environment, skip_unless_installed

ROOT = Path(__file__).parents[1]
# JAX compiles everything anew, which takes minutes; PyTorch runs every step of a loop from Python.
# So the suite takes to them what differs by backend: the layers, one graph with the search in it,
# training, saving. With ALL_CASES=1 in the environment they get all.
SOME_DECODING = [
    f"tests/decoding/test_{name}.py" for name in ("beam", "graph", "greedy", "sampler", "top_k")
]
SOME_MODELS = [
    f"tests/{name}"
    for name in (
        "callbacks/test_resume.py::test_half_written_state_is_not_read",
        "callbacks/test_tensorboard.py::test_scalars_of_keras_and_of_steps",
        "callbacks/test_tensorboard.py::test_gradients_by_variable",
        "models/test_generate.py::test_generate_in_the_middle_of_training",
        "models/test_generate.py::test_many",
        "models/test_generate.py::test_mixed_precision",
        "models/test_generate.py::test_outputs_begin_with_their_prompts",
        "models/test_generate.py::test_what_changes_after_a_first_call",
        "models/test_image_captioner.py::test_several_captions_are_as_many_examples",
        "models/test_presets.py::test_keras_file",
        "models/test_presets.py::test_preset_in_full_precision",
        "models/test_raw_training.py::test_fit[lists]",
        "models/test_raw_training.py::test_score_is_the_sum_of_log_probabilities",
        "models/test_scheduled_training.py::test_fit_counts_its_steps",
        "models/test_seq2seq.py::test_fit_on_bucketed_batches",
        "models/test_seq2seq.py::test_keras_file_goes_on_training_where_it_stopped",
    )
]
ALL = bool(os.environ.get("ALL_CASES"))
# Long, or about the backends themselves.
NOT = [
    "tests/models/test_backends_agree.py",
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
LAYERS = ["tests/layers"]
DECODING = ["tests/decoding"] if ALL else SOME_DECODING
MODELS = ["tests/models", "tests/callbacks"] if ALL else SOME_MODELS
REST = ["tests/backend", "tests/training"]
# Each runs in one process. The sums of whole models are compared to the last digits.
RUNS = {
    "jax-layers": [*LAYERS, *DECODING, *REST],
    "jax-models": MODELS,
    "torch": [*LAYERS, *DECODING, *REST, *MODELS],
}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_other_backend(run):
    backend = run.split("-")[0]
    skip_unless_installed(backend)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *RUNS[run]]
    command += [f"--deselect={test}" for test in NOT]
    variables = environment(backend, fused_loops=run.endswith("models"))
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr
