"""Several replicas train as one does: losses, metrics, gradients and their clipping."""

from pathlib import Path

import pytest

from tests import fresh_process
from tests.layers.helpers import BACKEND

ROOT = Path(__file__).parents[2]

DATA = """
import keras
import numpy as np

rng = np.random.default_rng(0)
LENGTHS, SOURCES = (rng.integers(1, 6, 8) for _ in range(2))
# Of the first batch the second replica has no token, and nothing but padding.
LENGTHS[2:4] = 0


def batch(rows):
    steps = np.arange(5)
    valid = steps < LENGTHS[rows, None]
    labels = np.where(valid, rng.integers(4, 12, valid.shape), 0)
    decoder = np.where(valid, np.pad(labels, ((0, 0), (1, 0)), constant_values=2)[:, :-1], 0)
    source = np.where(steps < SOURCES[rows, None], rng.integers(4, 12, valid.shape), 0)
    return {"encoder_token_ids": source, "decoder_token_ids": decoder}, labels, valid * 1.0


TRAIN, VALID = batch(np.arange(7)), batch(np.arange(5))


def fit(loss, optimizer, data=TRAIN, **options):
    keras.utils.set_random_seed(3)
    model = keras_s2s.models.Translator(
        WordEncoder(4, 12),
        keras_s2s.layers.RNNDecoder(
            12, 4, cell="rnn", attention="luong", bridge="zero", doubly_stochastic=0.7
        ),
    )
    model.compile(optimizer, loss)
    options = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0, **options}
    history = model.fit(*data[:2], sample_weight=data[2], **options).history
    return history, model.get_weights(), keras.ops.convert_to_numpy(optimizer.gradient_norm)


def adam():
    # With a large epsilon, else a step hardly depends on the gradient's length; most are clipped.
    return keras_s2s.optimizers.Adam(0.05, epsilon=0.1, global_clipnorm=0.2)


def check(got, expected):
    (history, weights, norm), (history_of_one, weights_of_one, norm_of_one) = got, expected
    for name, values in history_of_one.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
    for value, right in zip(weights, weights_of_one, strict=True):
        np.testing.assert_allclose(value, right, atol=1e-5)
    np.testing.assert_allclose(norm, norm_of_one, rtol=1e-4)
    assert norm > 0.2
"""

TENSORFLOW = """
import tensorflow as tf

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
import keras_s2s
from tests.word_layers import WordEncoder

loss = keras_s2s.losses.TokenCrossentropy(0.1)
expected = fit(loss, adam(), validation_data=VALID)
with tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]).scope():
    # The last batch has 3 rows, and that of the validation data 1: none for the second replica.
    check(fit(loss, adam(), validation_data=VALID), expected)
"""

JAX = """
import keras_s2s
from tests.word_layers import WordEncoder

# Its batches are equally large: 4 rows, of which the second device has none with a token.
data = keras.tree.map_structure(lambda x: x[:4], TRAIN)
loss = keras_s2s.losses.TokenCrossentropy(0.1)
expected = fit(loss, adam(), data)
keras.distribution.set_distribution(keras.distribution.DataParallel())
assert keras.distribution.distribution().device_mesh.shape == (2,)
check(fit(loss, adam(), data), expected)
"""


@pytest.mark.prepared
@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no replicas on PyTorch")
def test_replicas_together_are_as_one():
    code = DATA + (TENSORFLOW if BACKEND == "tensorflow" else JAX)
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    result = fresh_process.run(code, cwd=ROOT, environment=devices)
    assert result.returncode == 0, result.stderr
