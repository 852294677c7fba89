"""From the encoder's last state to the decoder's first."""

import keras
import numpy as np
import pytest

from keras_s2s.layers import Bridge, RNNDecoder
from tests.layers.helpers import make_memory, numpy, randomize, run, weights

LENGTHS, DIM = [4, 1, 0, 3], 6


def bridged(bridge, memory):
    return run(lambda memory: bridge(memory), memory)


def make(kind, sizes, state):
    memory = make_memory(LENGTHS, DIM, state=state)
    bridge = Bridge(kind, sizes=sizes)
    bridge.build(keras.tree.map_structure(lambda x: x.shape, memory))
    return randomize(bridge), memory


@pytest.mark.every_backend
def test_dense_sees_the_whole_state():
    bridge, memory = make("dense", [[3, 3], [5, 5]], [[4], [2]])
    state = bridged(bridge, memory)
    kernel, bias = weights(bridge)
    summary = np.concatenate([memory["state"][0][0], memory["state"][1][0]], axis=-1)
    flat = np.concatenate([s for layer in state for s in layer], axis=-1)
    np.testing.assert_allclose(flat, np.tanh(summary @ kernel + bias), atol=1e-6)
    assert [[s.shape[1] for s in layer] for layer in state] == [[3, 3], [5, 5]]


@pytest.mark.every_backend
def test_dense_without_a_state_takes_the_mean_of_what_is_valid():
    """Such as the memory of an encoder of images has."""
    bridge, memory = make("dense", [[3]], None)
    [[state]] = bridged(bridge, memory)
    kernel, bias = weights(bridge)
    for row, length in enumerate(LENGTHS):
        mean = memory["values"][row, :length].sum(axis=0) / max(length, 1)
        np.testing.assert_allclose(state[row], np.tanh(mean @ kernel + bias), atol=1e-6)


@pytest.mark.every_backend
def test_copy():
    bridge, memory = make("copy", [[4, 4], [4, 4]], [[4, 4], [4, 4]])
    state = bridged(bridge, memory)
    for got, expected in zip(keras.tree.flatten(state), keras.tree.flatten(memory["state"])):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.every_backend
@pytest.mark.parametrize("state", [None, [[2]]])
def test_zero_needs_no_state(state):
    bridge, memory = make("zero", [[3, 3], [5, 5]], state)
    found = bridged(bridge, memory)
    assert [[s.shape for s in layer] for layer in found] == [[(4, 3)] * 2, [(4, 5)] * 2]
    assert not any(s.any() for s in keras.tree.flatten(found))
    assert not bridge.weights


def test_any_encoder_goes_with_any_decoder():
    """A deep LSTM's state into a shallow GRU."""
    memory = make_memory(LENGTHS, DIM, state=[[2, 2], [3, 3]])
    decoder = RNNDecoder(9, 4, cell="gru", bridge="dense")
    assert numpy(decoder(np.full((4, 2), 2), memory)).shape == (4, 2, 9)


def test_config_round_trip():
    bridge = Bridge("dense", sizes=[[3, 3], [5, 5]], dtype="mixed_bfloat16")
    again = Bridge.from_config(bridge.get_config())
    assert again.get_config() == bridge.get_config()
    assert again.projection.compute_dtype == "bfloat16"
