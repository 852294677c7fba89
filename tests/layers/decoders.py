"""Every way to build a decoder, for tests to go through."""

import numpy as np

from keras_s2s.layers import (
    BahdanauAttention,
    CoverageAttention,
    LocationAwareAttention,
    LuongAttention,
    MultiHeadAttention,
    RNNDecoder,
)
from tests.fewer import pairwise
from tests.layers.helpers import STATE_SIZE, make_memory, randomize, tensors

VOCABULARY, UNITS, EMBEDDING, DIM = 11, 5, 4, 6
LENGTHS = [4, 1, 0, 3]

#: Arguments by name. A function makes what must not be shared by two decoders.
WIRINGS = {
    "bahdanau": lambda: {"attention": "bahdanau"},
    "bahdanau_general": lambda: {
        "attention": LuongAttention("general", scale=True),
        "order": "bahdanau",
    },
    "luong": lambda: {"attention": "luong"},
    "luong_concat": lambda: {"attention": LuongAttention("concat", units=3, scale=False)},
    "luong_feeding": lambda: {"attention": "luong", "input_feeding": True},
    "luong_additive_feeding": lambda: {
        "attention": BahdanauAttention(3, normalize=True),
        "order": "luong",
        "input_feeding": True,
    },
    "coverage": lambda: {"attention": CoverageAttention(3)},
    # Looks at the memory after all steps, and each look depends on the one before.
    "luong_location": lambda: {
        "attention": LocationAwareAttention(3, filters=2, kernel_size=3),
        "order": "luong",
    },
    "multi_head_feeding": lambda: {
        "attention": MultiHeadAttention(2, 3, output_dim=7),
        "order": "luong",
        "input_feeding": True,
    },
    "none": lambda: {"attention": None},
}
CELLS = ("rnn", "gru", "lstm")
#: The wirings that run as a loop, as one fused layer, and without attention.
REPRESENTATIVES = ("bahdanau", "luong_feeding", "luong", "none")


def combinations():
    """Wirings with options, so that any two choices meet."""
    layers = [(1, False), (2, False), (2, True)]
    axes = WIRINGS, CELLS, layers, ["dense", "copy", "zero"], [True, False]
    for wiring, cell, (num_layers, residual), bridge, tie_embeddings in pairwise(*axes):
        yield (
            wiring,
            {
                "cell": cell,
                "num_layers": num_layers,
                "bridge": bridge,
                "residual": residual,
                "tie_embeddings": tie_embeddings,
            },
        )


def state_sizes(cell="gru", num_layers=1, units=UNITS):
    return [[units] * STATE_SIZE[cell]] * num_layers


def make(wiring="bahdanau", lengths=LENGTHS, source=None, dtype=None, scale=0.5, **kwargs):
    """A decoder with random weights, and a memory that fits every bridge, as tensors."""
    memory = make_memory(
        lengths, DIM, source, state_sizes(kwargs.get("cell", "gru"), kwargs.get("num_layers", 1))
    )
    decoder = RNNDecoder(
        VOCABULARY, UNITS, embedding_dim=EMBEDDING, dtype=dtype, **{**WIRINGS[wiring](), **kwargs}
    )
    decoder.start(tensors(memory))  # builds it
    return randomize(decoder, scale), memory


def make_targets(batch=4, length=5, seed=0):
    targets = np.random.default_rng(seed).integers(3, VOCABULARY, (batch, length))
    targets[:, 0] = 2
    return targets.astype("int32")
