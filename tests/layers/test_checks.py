"""The checks that authors of encoders and decoders call: ours pass, and wrong ones are named."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import (
    CTCPrefixScorer,
    ImageEncoder,
    MultiSourceEncoder,
    RNNDecoder,
    RNNEncoder,
    check_decoder,
    check_encoder,
)
from tests.fewer import fewer_elsewhere
from tests.word_layers import WordDecoder, WordEncoder

ENCODERS = {
    "rnn": lambda: RNNEncoder(3, "rnn", vocabulary_size=9),
    "lstm": lambda: RNNEncoder(3, "lstm", num_layers=2, vocabulary_size=9),
    "words": lambda: WordEncoder(3, 9),
    "two": lambda: MultiSourceEncoder({"a": WordEncoder(3, 9), "b": WordEncoder(3, 12)}),
}
DECODERS = {
    "bahdanau": lambda: RNNDecoder(9, 4, cell="rnn"),
    "coverage": lambda: RNNDecoder(9, 4, cell="rnn", attention="coverage"),
    "luong": lambda: RNNDecoder(9, 4, cell="rnn", attention="luong"),
    "none": lambda: RNNDecoder(9, 4, cell="rnn", attention=None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", fewer_elsewhere(list(ENCODERS), 4))
def test_encoders_pass(name):
    check_encoder(ENCODERS[name]())


def test_encoder_of_images_passes():
    backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 4, strides=4)])
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    check_encoder(ImageEncoder(3, backbone, image_size=(8, 8)), images)
    with pytest.raises(ValueError, match="reads no token ids. Pass `inputs`"):
        check_encoder(ImageEncoder(3, backbone, image_size=(8, 8)))


@pytest.mark.slow
@pytest.mark.parametrize("name", fewer_elsewhere(list(DECODERS), 4))
def test_decoders_pass(name):
    check_decoder(DECODERS[name](), state_sizes=[[3]])


@pytest.mark.slow
def test_decoder_of_a_memory_without_state_passes():
    check_decoder(DECODERS["bahdanau"]())


def test_decoder_that_reads_more_than_values_passes():
    logits = np.random.default_rng(0).normal(0, 2, (3, 5, 9))
    log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    memory = {"ctc_log_probs": log_probs.astype("float32")}
    check_decoder(CTCPrefixScorer(9), memory=memory)
    with pytest.raises(ValueError, match=r"\(3, 5, ...\). Received for 'ctc_log_probs' the shape"):
        check_decoder(CTCPrefixScorer(9), memory={"ctc_log_probs": log_probs[:2]})


def test_smallest_decoder_passes():
    check_decoder(WordDecoder(9, 6))


class LeaksPadding(WordEncoder):
    def call(self, token_ids, training=False):
        memory = super().call(token_ids)
        mean = ops.mean(memory["values"], axis=1, keepdims=True)
        return {**memory, "values": memory["values"] + mean}


class NoMask(WordEncoder):
    def call(self, token_ids, training=False):
        memory = super().call(token_ids)
        return {**memory, "mask": ops.cast(memory["mask"], "int32")}


class WrongShape(WordEncoder):
    def compute_output_shape(self, shape):
        return {"values": (*shape, 2 * self.units), "mask": shape}


class Forgetful(WordEncoder):
    def get_config(self):
        return {**super().get_config(), "units": 3}


class Longer(WordEncoder):
    def memory_length(self, inputs):
        return 1 + super().memory_length(inputs)


class NeverEmpty(WordEncoder):
    def is_empty(self, inputs, memory):
        return ops.zeros_like(memory["mask"][:, 0])


@pytest.mark.parametrize(
    "kind, message",
    [
        (LeaksPadding, "an example alone differs"),
        (NoMask, "dtype int32, not bool"),
        (WrongShape, "`compute_output_shape` tells"),
        (Forgetful, "`get_config` does not tell units"),
        (Longer, "`memory_length` tells 6 of 5"),
        (NeverEmpty, "does not know an empty text"),
    ],
)
def test_wrong_encoders_are_named(kind, message):
    with pytest.raises(AssertionError, match=f"(?s){kind.__name__}: .*{message}"):
        check_encoder(kind(4, 9))


class Peeks(WordDecoder):
    def call(self, targets, memory, **options):
        ahead = ops.concatenate([targets[:, 1:], targets[:, -1:]], axis=1)
        return super().call(ahead, memory, **options)


class PeeksTogether(WordDecoder):
    """Steps too see what comes later, of the other rows."""

    def _attend(self, targets, total, memory):
        logits, weights = super()._attend(targets, total, memory)
        return logits + ops.mean(logits, axis=1, keepdims=True), weights


class Grows(WordDecoder):
    def step(self, tokens, state, memory, return_attention=False):
        logits, state, *weights = super().step(tokens, state, memory, return_attention)
        return logits, {**state, "more": state["sum"]}, *weights


class ReadsPadding(WordDecoder):
    def _attend(self, targets, total, memory):
        mask = ops.ones_like(memory["mask"])
        return super()._attend(targets, total, {**memory, "mask": mask})


class OneRow(WordDecoder):
    """Takes the first row's sum for all of an example."""

    def start(self, memory, rows_per_example=1, max_length=None):
        memory, state = super().start(memory, rows_per_example, max_length)
        return memory, {"sum": ops.roll(state["sum"], 1, axis=0)}


@pytest.mark.parametrize(
    "kind, message",
    [
        (Peeks, "`step` differs from `call`"),
        (PeeksTogether, "`step` differs from `call`"),
        (Grows, "but `step` gives"),
        (ReadsPadding, "an example alone differs"),
        (OneRow, "an example alone differs"),
    ],
)
def test_wrong_decoders_are_named(kind, message):
    with pytest.raises(AssertionError, match=f"(?s){kind.__name__}: .*{message}"):
        check_decoder(kind(9, 6))
