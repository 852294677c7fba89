"""With 16-bit floats as Keras's default dtype, ids and probabilities keep their digits."""

import keras
import numpy as np
import pytest

from keras_s2s.training import Perplexity, TokenAccuracy, TokenCrossentropy


@pytest.fixture(params=["bfloat16", "float16"])
def floatx(request):
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield
    keras.config.set_floatx(before)


@pytest.mark.every_backend
def test_ids_are_not_rounded(floatx):
    # 2,049 is none of the numbers of either dtype.
    labels, logits = np.array([[2049]]), np.zeros((1, 1, 3000), "float32")
    logits[0, 0, 2049] = 20
    sure = {"sample_weight": np.ones((1, 1), "float32")}
    assert float(TokenCrossentropy()(labels, logits, **sure)) < 0.01
    metric = Perplexity(dtype="float32")
    metric.update_state(labels, logits, **sure)
    assert float(metric.result()) < 1.01
    metric = TokenAccuracy(dtype="float32")
    metric.update_state(labels, logits, **sure)
    assert float(metric.result()) == 1
