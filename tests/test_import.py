import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_s2s
from tests.other_backend import environment, skip_unless_installed

ROOT = Path(__file__).parents[1]
ABSTRACT = [
    keras_s2s.decoding.Sampler,
    keras_s2s.layers.Attention,
    keras_s2s.layers.AttentionLoss,
    keras_s2s.layers.Decoder,
    keras_s2s.layers.Encoder,
    keras_s2s.layers.Head,
    keras_s2s.preprocessing.Tokenizer,
    keras_s2s.preprocessing.Column,
]


def run(code, *arguments, warnings="error", **variables):
    """Runs Python code in a new process and returns what it printed."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-W", warnings, "-c", code, *arguments]
    result = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.thorough
@pytest.mark.slow
def test_import_is_cheap():
    found = run("import sys, keras_s2s; print(*sys.modules)").split()
    heavy = {"tensorflow_text", "sentencepiece", "sacrebleu", "typer", "keras_s2s_cli"}
    assert not set(found) & heavy


@pytest.mark.thorough
@pytest.mark.slow
def test_jax_without_tensorflow(tmp_path):
    skip_unless_installed("jax")
    code = """
import sys
for name in ("tensorflow", "tensorflow_text"):
    sys.modules[name] = None  # makes `import` fail as if it were not installed
import keras, keras_s2s
import numpy as np
ids = [[4, 5], [6], [5, 4, 7]] * 4
columns = {"encoder_token_ids": ids, "decoder_token_ids": ids}
batches = keras_s2s.data.Batches(columns, keras_s2s.data.TokensPerBatch(40, max_buckets=1))
model = keras_s2s.models.Translator(
    keras_s2s.layers.RNNEncoder(4, "rnn", vocabulary_size=8),
    keras_s2s.layers.RNNDecoder(8, 4, cell="rnn", attention="luong"),
)
model.fit(batches, verbose=0)
model.save_to_preset(sys.argv[1], weights_dtype="float32")
source = {"encoder_token_ids": np.array([[4, 5, 3], [6, 3, 0]])}
again = keras_s2s.zoo.load(sys.argv[1])
results = [m.generate(source, max_length=6, sampler="beam")["log_probs"] for m in (model, again)]
np.testing.assert_allclose(*results, atol=1e-5)
print(results[0].shape)
"""
    # Keras itself warns when it saves an optimizer.
    found = run(code, str(tmp_path / "preset"), warnings="default", **environment("jax"))
    assert found == "(2, 1)"


def test_public_rooms():
    rooms = "layers decoding preprocessing models data zoo losses metrics".split()
    assert [room for room in rooms if not hasattr(keras_s2s, room)] == []


@pytest.mark.parametrize("room", ["layers", "decoding", "preprocessing", "models"])
def test_every_class_is_registered(room):
    found = vars(getattr(keras_s2s, room)).values()
    classes = [x for x in found if isinstance(x, type) and hasattr(x, "get_config")]
    assert classes
    # Nobody saves an object of a class that is only there to be derived from.
    classes = [x for x in classes if x not in ABSTRACT]
    names = [keras.saving.get_registered_name(x) for x in classes]
    assert [name for name in names if not name.startswith("keras_s2s>")] == []
