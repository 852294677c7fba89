"""Strings where TensorFlow, or TensorFlow Text, is not installed: the same as where they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s
from tests.other_backend import environment, skip_unless_installed

ROOT = Path(__file__).parents[1]
SOURCES, TARGETS = ["ein Hund", "eine Katze", "Hund und Katze"], ["a dog", "a cat", "dog, cat"]
# Beginning with what hides the packages, as `python -c` does not find them.
CODE = """
import json, sys

hidden, preset, sources, targets = map(json.loads, sys.argv[1:])
sys.modules.update({name: None for name in hidden})

import keras
import keras_s2s
from keras_s2s_cli import main

if keras.backend.backend() == "tensorflow":  # where graphs are long in the making
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
keras.utils.set_random_seed(1)
model = keras_s2s.zoo.load(preset)
result = {"texts": model.generate(sources, sampler="beam")}
result["scores"] = model.score(sources, targets).tolist()
model.compile(keras_s2s.optimizers.Adam(1e-2))
history = model.fit(sources, targets, epochs=2, batch_size=8, verbose=0).history
result["losses"] = history["loss"]
assert not set(hidden) & {name for name, module in sys.modules.items() if module}
if len(hidden) == 1:
    try:
        model.export("served")
    except ImportError as error:
        result["error"] = str(error)
print(json.dumps(result), flush=True)
main(["generate", "translation", "Wo ist der Bahnhof?"])
"""


@pytest.fixture(scope="module")
def expected(preset_for_all):
    pytest.importorskip("tensorflow_text")
    model = keras_s2s.zoo.load(preset_for_all)
    result = {"texts": model.generate(SOURCES, sampler="beam")}
    result["scores"] = model.score(SOURCES, TARGETS).tolist()
    model.compile(keras_s2s.optimizers.Adam(1e-2), run_eagerly=True)
    history = model.fit(SOURCES, TARGETS, epochs=2, batch_size=8, verbose=0).history
    return result | {"losses": history["loss"]}


@pytest.mark.prepared
@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compared with TensorFlow")
@pytest.mark.parametrize(
    "backend, hidden",
    [("tensorflow", ["tensorflow_text"]), ("jax", ["tensorflow_text", "tensorflow"])],
    ids=["no_tensorflow_text", "no_tensorflow"],
)
def test_lists_of_strings(backend, hidden, expected, preset_for_all, tmp_path):
    skip_unless_installed(backend)
    arguments = map(json.dumps, (hidden, str(preset_for_all), SOURCES, TARGETS))
    process = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(backend) | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    first, text = process.stdout.splitlines()
    result = json.loads(first)
    assert result["texts"] == expected["texts"]
    np.testing.assert_allclose(result["scores"], expected["scores"], atol=1e-4)
    np.testing.assert_allclose(result["losses"], expected["losses"], rtol=1e-4)
    assert text == "Where is the station?"
    if backend == "tensorflow":
        assert "tensorflow-text" in result["error"] and "export" in result["error"]
