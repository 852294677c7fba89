"""The same weights give the same numbers on every backend."""

import itertools
import os

import keras
import numpy as np
import pytest

from keras_s2s.layers import RNNDecoder, RNNEncoder
from keras_s2s.models import Translator
from tests.fewer import ALL, chosen
from tests.layers.decoders import WIRINGS
from tests.layers.helpers import randomize, run
from tests.models.helpers import SOURCE_SIZE, TARGET_SIZE, eager, make_batch

# The folder of what TensorFlow gives, on other backends.
EXPECTED = os.environ.get("NUMBERS_OF_TENSORFLOW")
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


def write_expected(folder):
    """The weights of each wiring, and what they give on this backend."""
    for seed, wiring in enumerate(COMPARED):
        model = randomize(make(wiring), seed=seed)
        model.save_weights(folder / f"{wiring}.weights.h5")
        np.savez(folder / f"{wiring}.npz", *compute(model, wiring))


@pytest.mark.every_backend
@pytest.mark.skipif(
    EXPECTED is None, reason="other backends compare; tests/test_backends.py runs it there"
)
@pytest.mark.parametrize("wiring", COMPARED)
def test_same_numbers(wiring):
    model = make(wiring)
    model.load_weights(f"{EXPECTED}/{wiring}.weights.h5")
    with np.load(f"{EXPECTED}/{wiring}.npz") as expected:
        for i, array in enumerate(compute(model, wiring)):
            # Ids are equal; sums of log-probabilities are the least exact.
            np.testing.assert_allclose(array, expected[f"arr_{i}"], rtol=1e-5, atol=3e-5)
