"""Tiny models on token ids, and batches for them."""

import keras
import numpy as np

from keras_s2s.layers import RNNDecoder, RNNEncoder
from keras_s2s.models import Seq2Seq
from tests.layers.helpers import randomize
from tests.word_layers import WordDecoder, WordEncoder

SOURCE_SIZE, TARGET_SIZE = 9, 11
PAD, START, END = 0, 2, 3


def make_model(
    attention="bahdanau", share=False, units=5, random_weights=True, cell="rnn", **kwargs
):
    """A built model without preprocessor."""
    size = TARGET_SIZE if share else SOURCE_SIZE
    model = Seq2Seq(
        RNNEncoder(units, cell, vocabulary_size=size, embedding_dim=4),
        RNNDecoder(TARGET_SIZE, units, embedding_dim=4, cell=cell, attention=attention),
        share_embedding=share,
        **kwargs,
    )
    model.build({"encoder_token_ids": (None, None), "decoder_token_ids": (None, None)})
    if random_weights:
        randomize(model)
    return model


def make_simple_model(units=3, **kwargs):
    """For what does not depend on the layers."""
    model = Seq2Seq(WordEncoder(units, SOURCE_SIZE), WordDecoder(TARGET_SIZE, units), **kwargs)
    model.build({"encoder_token_ids": (None, None), "decoder_token_ids": (None, None)})
    return randomize(model)


def make_batch(rows=6, seed=0, padding=0):
    """`(x, labels, sample_weight)` as a preprocessor makes them, of unequal lengths."""
    rng = np.random.default_rng(seed)
    sources = [[*rng.integers(4, SOURCE_SIZE, rng.integers(0, 5)), END] for _ in range(rows)]
    targets = [[*rng.integers(4, TARGET_SIZE, rng.integers(0, 4)), END] for _ in range(rows)]
    labels = pad(targets, padding)
    decoder = pad([[START, *target[:-1]] for target in targets], padding)
    x = {"encoder_token_ids": pad(sources, padding), "decoder_token_ids": decoder}
    return x, labels, (labels != PAD).astype("float32")


def pad(sequences, padding=0):
    width = max(map(len, sequences)) + padding
    return np.array([[*s, *[PAD] * (width - len(s))] for s in sequences], "int32")


def log_softmax(x):
    x = x.astype("float64")
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def same_weights(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def eager(model, **kwargs):
    """Compiled as it was, but without a graph, which costs more than a tiny step."""
    model.compile(run_eagerly=keras.backend.backend() != "jax", **kwargs)
    return model
