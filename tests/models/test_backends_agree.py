"""The same weights give the same numbers on every backend."""

import itertools
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_s2s.layers import RNNDecoder, RNNEncoder
from keras_s2s.models import Translator
from tests.fewer import ALL, chosen
from tests.layers.decoders import WIRINGS
from tests.layers.helpers import BACKEND, randomize, run
from tests.models.helpers import SOURCE_SIZE, TARGET_SIZE, eager, make_batch
from tests.other_backend import environment, skip_unless_installed

ROOT = Path(__file__).parents[2]
CELLS = dict(zip(WIRINGS, itertools.cycle(["gru", "lstm", "rnn"]), strict=False))
# One that loops over its steps, and one that is fused.
SOME = ("bahdanau", "luong")
# JAX compiles each for seconds. The layers of the others are compared in tests/layers.
COMPARED = chosen(WIRINGS, *SOME)
LAYERS = 2 if ALL else 1


def make(wiring):
    cell = CELLS[wiring]
    return Translator(
        RNNEncoder(3, cell, num_layers=LAYERS, residual=True, vocabulary_size=SOURCE_SIZE),
        RNNDecoder(
            TARGET_SIZE, 6, cell=cell, num_layers=LAYERS, bridge="copy", **WIRINGS[wiring]()
        ),
    )


def compute(model, wiring):
    """Logits and, of some, what a beam search finds and the weights after a step of training."""
    x, labels, weight = make_batch()
    found = [run(model, x)]
    if wiring in SOME:
        source = {"encoder_token_ids": x["encoder_token_ids"]}
        result = model.generate(source, max_length=5, sampler="beam")
        found += [result["token_ids"], result["log_probs"]]
        eager(model, optimizer=keras.optimizers.SGD(0.5))
        model.fit(x, labels, sample_weight=weight, batch_size=len(labels), verbose=0)
        found += model.get_weights()
    return found


CHILD = """
import sys
import numpy as np
from tests.models import test_backends_agree as test
folder, backend = sys.argv[1:]
for wiring in test.COMPARED:
    model = test.make(wiring)
    model.load_weights(f"{folder}/{wiring}.weights.h5")
    found = test.compute(model, wiring)
    np.savez(f"{folder}/{backend} {wiring}.npz", *found)
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Folder of the weights of each wiring, and what they give."""
    folder, expected = tmp_path_factory.mktemp("weights"), {}
    for seed, wiring in enumerate(COMPARED):
        model = randomize(make(wiring), seed=seed)
        model.save_weights(folder / f"{wiring}.weights.h5")
        expected[wiring] = compute(model, wiring)
    return folder, expected


@pytest.mark.prepared
@pytest.mark.slow
@pytest.mark.parametrize(
    "backend", [name for name in ("tensorflow", "jax", "torch") if name != BACKEND]
)
def test_same_numbers(backend, expected):
    skip_unless_installed(backend)
    folder, expected = expected
    result = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), backend],
        cwd=ROOT,
        env=environment(backend),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr
    for wiring, arrays in expected.items():
        with np.load(folder / f"{backend} {wiring}.npz") as found:
            for i, array in enumerate(arrays):
                # Ids are equal; sums of log-probabilities are the least exact.
                np.testing.assert_allclose(
                    found[f"arr_{i}"], array, rtol=1e-5, atol=3e-5, err_msg=wiring
                )
