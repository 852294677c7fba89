"""The whole of it learns: to reverse sequences that it has never seen."""

import keras
import numpy as np
import pytest

from keras_s2s.layers import RNNDecoder, RNNEncoder
from keras_s2s.models import Translator
from tests.data.pairs import pair_batches
from tests.models.helpers import END, pad

FIRST, SYMBOLS, LONGEST = 4, 8, 5


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.slow
def test_learns_to_reverse():
    rng = np.random.default_rng(0)
    sequences = {
        tuple(rng.integers(FIRST, FIRST + SYMBOLS, rng.integers(1, LONGEST + 1)).tolist())
        for _ in range(9000)
    }
    sequences = sorted(sequences)
    rng.shuffle(sequences)
    held_out, train = sequences[:300], sequences[300:]
    assert not set(held_out) & set(train)
    batches = pair_batches(train, [s[::-1] for s in train], tokens_per_batch=1024, max_buckets=3)
    size = FIRST + SYMBOLS
    model = Translator(
        RNNEncoder(32, vocabulary_size=size),
        RNNDecoder(size, 48, embedding_dim=32, attention="bahdanau"),
    )
    epochs = 10
    schedule = keras.optimizers.schedules.CosineDecay(0.01, epochs * len(batches))
    model.compile(optimizer=keras.optimizers.Adam(schedule, global_clipnorm=1.0))
    model.fit(batches, epochs=epochs, verbose=0)
    sources = pad([[*s, END] for s in held_out])
    result = model.generate({"encoder_token_ids": sources}, max_length=LONGEST + 1)
    expected = pad([[*s[::-1], END] for s in held_out])
    exact = (result["token_ids"][:, 0] == expected).all(axis=1)
    assert exact.mean() > 0.99, exact.mean()
