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
from keras_s2s_cli import main
from tests.other_backend import environment, skip_unless_installed

ROOT = Path(__file__).parents[1]
SOURCES, TARGETS = ["ein Hund", "eine Katze", "Hund und Katze"], ["a dog", "a cat", "dog, cat"]
SENTENCE, TRANSLATION = "Wo ist der Bahnhof?", "Where is the station?"
WITHOUT_TENSORFLOW = """
import json, sys

hidden = {name: None for name in ("tensorflow", "tensorflow_text")}
sys.modules.update(hidden)

from keras_s2s_cli import main
from tests.test_missing_packages import SENTENCE, compute

_, result = compute(sys.argv[1])
assert hidden.items() <= sys.modules.items()
print(json.dumps(result), flush=True)
main(["generate", "translation", SENTENCE])
"""


def compute(preset):
    """The model, and what it makes of strings."""
    keras.utils.set_random_seed(1)
    model = keras_s2s.zoo.load(preset)
    texts = model.generate(SOURCES, sampler="beam")
    scores = model.score(SOURCES, TARGETS).tolist()
    model.compile(keras_s2s.optimizers.Adam(1e-2))
    history = model.fit(SOURCES, TARGETS, epochs=2, batch_size=8, verbose=0).history
    return model, {"texts": texts, "scores": scores, "losses": history["loss"]}


def check(result, expected):
    assert result["texts"] == expected["texts"]
    np.testing.assert_allclose(result["scores"], expected["scores"], atol=1e-4)
    np.testing.assert_allclose(result["losses"], expected["losses"], rtol=1e-4)


@pytest.fixture(scope="module")
def eagerly():
    """Graphs take longer to make than the few texts do without."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def expected(preset_for_all, eagerly):
    pytest.importorskip("tensorflow_text")
    return compute(preset_for_all)[1]


pytestmark = [
    pytest.mark.prepared,
    pytest.mark.slow,
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compared with TensorFlow"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eag"),
]


def test_without_tensorflow_text(expected, preset_for_all, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    # It is what needs the package, and may have been imported before.
    monkeypatch.delitem(sys.modules, "keras_s2s.preprocessing.sentence_piece_ops", raising=False)
    model, result = compute(preset_for_all)
    check(result, expected)
    with pytest.raises(ImportError, match="export.*tensorflow-text|tensorflow-text.*export"):
        model.export(tmp_path / "served")
    with pytest.raises(SystemExit):
        main(["generate", "translation", SENTENCE])
    assert capsys.readouterr().out.splitlines()[-1] == TRANSLATION
    assert "keras_s2s.preprocessing.sentence_piece_ops" not in sys.modules


def test_without_tensorflow(expected, preset_for_all, tmp_path):
    skip_unless_installed("jax")
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(preset_for_all)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment("jax") | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    result, text = process.stdout.splitlines()
    check(json.loads(result), expected)
    assert text == TRANSLATION
