"""Every attention in a model: trained, decoded with beams, saved and served."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_s2s
from keras_s2s.decoding import Beam
from keras_s2s.layers import (
    CoverageAttention,
    LocalAttention,
    LocationAwareAttention,
    MultiHeadAttention,
    RNNDecoder,
)
from tests.fewer import chosen
from tests.layers.helpers import randomize
from tests.models.helpers import SOURCE_SIZE, TARGET_SIZE, eager, make_batch
from tests.word_layers import WordEncoder

ATTENTIONS = {
    "coverage": lambda: CoverageAttention(4),
    "location": lambda: LocationAwareAttention(4, filters=2, kernel_size=3),
    "local": lambda: LocalAttention("monotonic", window=1),
    "multi_head": lambda: MultiHeadAttention(2, 3, output_dim=5),
}


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*only signature is `tokens`")
@pytest.mark.parametrize("name", chosen(ATTENTIONS, "coverage"))
def test_trained_saved_and_served(name, tmp_path):
    decoder = RNNDecoder(TARGET_SIZE, 4, cell="rnn", attention=ATTENTIONS[name]())
    model = keras_s2s.models.Seq2Seq(WordEncoder(4, SOURCE_SIZE), decoder)
    x, labels, weights = make_batch()
    model(x)
    randomize(model)
    before = model.get_weights()
    eager(model).fit(x, labels, sample_weight=weights, batch_size=len(labels), verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights()))

    source = {"encoder_token_ids": x["encoder_token_ids"]}
    options = {"max_length": 5, "sampler": Beam(3)}
    expected = model.generate(source, return_attention=True, **options)
    sums = expected["attention"][:, 0].sum(-1)
    assert (sums < 1.001).all() and sums.max() > 0.1
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").generate(source, **options)
    model.export(tmp_path / "1", **options, verbose=False)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["tokens"]
    found = served(token_ids=tf.constant(x["encoder_token_ids"]))
    width = found["token_ids"].shape[1]
    np.testing.assert_array_equal(again["token_ids"], expected["token_ids"])
    np.testing.assert_allclose(again["scores"], expected["scores"], atol=1e-4)
    np.testing.assert_array_equal(found["token_ids"], expected["token_ids"][:, 0, :width])
    np.testing.assert_allclose(found["score"], expected["scores"][:, 0], atol=1e-4)
