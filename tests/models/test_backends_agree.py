"""The same weights give the same numbers on every backend."""

import itertools
import os

import keras
import numpy as np
import pytest

from keras_s2s.layers import CTC, CTCPrefixScorer, RNNDecoder, RNNEncoder, SpeechEncoder
from keras_s2s.models import SpeechRecognizer, Translator
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
COMPARED = [*chosen(WIRINGS, *SOME), "speech"]
LAYERS = 2 if ALL else 1


def make(wiring):
    if wiring == "speech":
        return make_recognizer()
    cell = CELLS[wiring]
    return Translator(
        RNNEncoder(3, cell, num_layers=LAYERS, residual=True, vocabulary_size=SOURCE_SIZE),
        RNNDecoder(
            TARGET_SIZE, 6, cell=cell, num_layers=LAYERS, bridge="copy", **WIRINGS[wiring]()
        ),
    )


def make_recognizer():
    """With a CTC, and with it and a language model in the search."""
    return SpeechRecognizer(
        SpeechEncoder(3, 5, filters=(2,), cell="rnn", num_layers=1),
        RNNDecoder(TARGET_SIZE, 4, cell="rnn", attention="location_aware"),
        auxiliary_loss=CTC(TARGET_SIZE),
        scorers=[
            CTCPrefixScorer(TARGET_SIZE),
            RNNDecoder(TARGET_SIZE, 3, cell="rnn", attention=None, bridge="zero"),
        ],
        scorer_weights=[0.5, 0.3],
    )


def batch_of(wiring):
    x, labels, weight = make_batch()
    if wiring == "speech":
        del x["encoder_token_ids"]
        rng, lengths = np.random.default_rng(1), np.arange(8, 8 + len(labels))
        log_mels = rng.normal(size=(len(labels), 13, 5)).astype("float32")
        is_frame = np.arange(13) < lengths[:, None]
        x["log_mels"] = np.where(is_frame[..., None], log_mels, 0).astype("float32")
    return x, labels, weight


def compute(model, wiring):
    """Logits and, of some, what a beam search finds and the weights after a step of training."""
    x, labels, weight = batch_of(wiring)
    found = [run(model, x)]
    if wiring in (*SOME, "speech"):
        source = {name: value for name, value in x.items() if name != "decoder_token_ids"}
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
