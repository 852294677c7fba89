"""Each example may have a limit of its own, and its result is then its own."""

import numpy as np
import pytest
from keras import ops

from keras_s2s.decoding import Beam, Greedy
from keras_s2s.layers import RNNDecoder, RNNEncoder
from tests.fewer import chosen, fewer_elsewhere

SOURCE = np.array([[5, 7, 3, 0, 0, 0], [8, 4, 6, 9, 5, 3], [9, 3, 0, 0, 0, 0]], "int32")
LIMITS = np.array([3, 9, 5], "int32")
SAMPLERS = {
    "greedy": Greedy(),
    "beams": Beam(3, length_penalty=1.0, num_return_sequences=3),
    "coverage": Beam(1, coverage_penalty=1.0),
}


@pytest.fixture(scope="module")
def model():
    encoder, decoder = RNNEncoder(6, vocabulary_size=12), RNNDecoder(12, 6)
    decoder(np.array([[2]]), encoder(np.array([[5]])))
    rng = np.random.default_rng(3)
    # Large enough that hypotheses differ, and unlikely to end by themselves.
    for layer in (encoder, decoder):
        layer.set_weights([rng.normal(size=w.shape).astype("float32") for w in layer.get_weights()])
    return encoder, decoder


@pytest.mark.slow
@pytest.mark.parametrize("name", chosen(SAMPLERS, "beams"))
def test_limits_make_examples_independent(model, name):
    (encoder, decoder), sampler = model, SAMPLERS[name]
    together = sampler(decoder, encoder(SOURCE), 9, limits=LIMITS)
    together = {key: ops.convert_to_numpy(value) for key, value in together.items()}
    for i, limit in fewer_elsewhere(enumerate(LIMITS), 2):
        length = int((SOURCE[i] != 0).sum())
        memory = encoder(SOURCE[i : i + 1, :length])
        alone = sampler(decoder, memory, int(limit), limits=LIMITS[i : i + 1])
        ids = ops.convert_to_numpy(alone["token_ids"])
        np.testing.assert_array_equal(together["token_ids"][i : i + 1, :, :limit], ids)
        np.testing.assert_allclose(
            together["scores"][i : i + 1], ops.convert_to_numpy(alone["scores"]), rtol=1e-5
        )
        assert not together["token_ids"][i, :, limit:].any()


@pytest.mark.parametrize("sampler", [Greedy(), Beam(3)])
def test_the_end_is_forced_at_the_limit(model, sampler):
    encoder, decoder = model
    result = sampler(decoder, encoder(SOURCE), 9, limits=np.ones(3, "int32"))
    ids = ops.convert_to_numpy(result["token_ids"])
    np.testing.assert_array_equal(ids[:, :, 0], 3)
    np.testing.assert_array_equal(ops.convert_to_numpy(result["lengths"]), 1)
