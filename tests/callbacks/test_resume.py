"""Training that was killed gives what training that was not gives."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.callbacks import _state
from tests import fresh_process
from tests.data.pairs import pair_batches
from tests.models.helpers import make_simple_model

ROOT = Path(__file__).parents[2]
# Dropout and sampling, so that random states matter; a plateau, so that counts of callbacks do.
# The training to be killed is a fork, since to import TensorFlow takes longer than to train.
TRAINING = """
import os
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np

import keras_s2s
from tests.data.pairs import pair_batches
from tests.word_layers import WordDecoder, WordEncoder

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


class Slow(keras.callbacks.Callback):
    def __init__(self, folder, pause):
        super().__init__()
        self.folder, self.pause = folder, pause

    def on_train_batch_end(self, batch, logs=None):
        (self.folder / "batch").write_text(f"{self.epoch} {batch}")
        if (self.epoch, batch) == (2, 2):
            time.sleep(self.pause)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


def train(folder, pause=0.0):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    ids = [rng.integers(4, 12, rng.integers(1, 6)).tolist() for _ in range(24)]
    batches = pair_batches(ids, ids, batch_size=6, seed=5)
    model = keras_s2s.models.Translator(
        WordEncoder(8, vocabulary_size=12, dropout=0.3),
        WordDecoder(12, 8),
        scheduled_sampling=keras_s2s.layers.ScheduledSampling(
            keras.optimizers.schedules.PolynomialDecay(0.0, 50, 0.5)
        ),
    )
    x, _, _ = batches[0]
    model.build({name: (None, None) for name in x})
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=keras.backend.backend() != "jax")
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=2, min_delta=10, verbose=0)
    resume = keras_s2s.callbacks.Resume(folder / "state", [plateau])
    callbacks = [Slow(folder, pause), plateau, resume]
    model.fit(batches, epochs=4, verbose=0, callbacks=callbacks)
    np.savez(folder / "weights.npz", *model.get_weights())
    print(float(model.optimizer.learning_rate))


killed, whole = map(Path, sys.argv[1:])
child = os.fork()
if not child:
    train(killed, pause=600.0)
while not (killed / "batch").exists() or (killed / "batch").read_text() != "2 2":
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    time.sleep(0.01)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
assert [path.name for path in (killed / "state").iterdir()] == ["epoch_00002"]
train(killed)
train(whole)
"""


def weights(folder):
    with np.load(folder / "weights.npz") as arrays:
        return [arrays[name] for name in arrays.files]


@pytest.mark.prepared
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork processes")
def test_killed_in_the_middle_of_an_epoch(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    path = {"PYTHONPATH": str(ROOT)}
    result = fresh_process.run(TRAINING, str(killed), str(whole), environment=path)
    assert result.returncode == 0, result.stderr
    again, rate = map(float, result.stdout.split())
    assert again == rate < 0.01
    for a, b in zip(weights(whole), weights(killed), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert not (killed / "state").exists()


def fitted(folder, *callbacks, epochs=1, **kwargs):
    model = make_simple_model(**kwargs)
    rng = np.random.default_rng(0)
    ids = [rng.integers(4, 9, rng.integers(1, 4)).tolist() for _ in range(4)]
    batches = pair_batches(ids, ids, batch_size=2)
    model.compile(run_eagerly=keras.backend.backend() != "jax")
    counting = [
        c for c in callbacks if not isinstance(c, (Interrupt, keras.callbacks.LambdaCallback))
    ]
    callbacks = [*callbacks, keras_s2s.callbacks.Resume(folder, counting)]
    model.fit(batches, epochs=epochs, verbose=0, callbacks=callbacks)
    return model


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_another_model_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "state", Interrupt(), epochs=3)
    with pytest.raises(ValueError):
        fitted(tmp_path / "state", units=6)


@pytest.mark.slow
def test_half_written_state_is_not_read(tmp_path):
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        fitted(state, Interrupt(), epochs=3)
    assert keras_s2s.callbacks.Resume(state).interrupted
    (state / "unfinished").mkdir()
    (state / "unfinished" / "model.weights.h5").write_bytes(b"half")
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    fitted(state, watch, epochs=4)
    assert seen == [2, 3]


@pytest.mark.thorough
@pytest.mark.slow
def test_another_training_afterwards_begins_at_its_beginning(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "state", Interrupt(), epochs=3)
    model = fitted(tmp_path / "state", epochs=4)
    batches = pair_batches([[4, 5], [6]], [[4], [5]], batch_size=2)
    history = model.fit(batches, epochs=2, verbose=0)
    assert history.epoch == [0, 1]


@pytest.mark.thorough
@pytest.mark.slow
def test_best_values_and_weights_of_other_callbacks_go_on(tmp_path):
    state = tmp_path / "state"
    stop = keras.callbacks.EarlyStopping("loss", patience=7, restore_best_weights=True)
    with pytest.raises(KeyboardInterrupt):
        fitted(state, stop, Interrupt(), epochs=3)
    again = keras.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True)
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append((again.best, again.wait, again.patience))
    )
    # Keras resets the counts when training begins, before the state is read.
    model = make_simple_model()
    model.compile(run_eagerly=keras.backend.backend() != "jax")
    ids = [[4, 5], [6]]
    batches = pair_batches(ids, ids, batch_size=2)
    resume = keras_s2s.callbacks.Resume(state, [again])
    model.fit(batches, epochs=3, verbose=0, callbacks=[again, resume, look])
    best, wait, patience = seen[0]
    assert best == stop.best and wait == stop.wait and patience == 5
    assert np.isfinite(best)


def test_an_unbuilt_model_is_told(tmp_path):
    # An encoder of features, whose size nobody has told.
    encoder, decoder = keras_s2s.layers.RNNEncoder(4), keras_s2s.layers.RNNDecoder(9, 4)
    model = keras_s2s.models.Seq2Seq(encoder, decoder)
    resume = keras_s2s.callbacks.Resume(tmp_path)
    resume.set_model(model)
    with pytest.raises(ValueError, match="call `model.build"):
        resume.on_train_begin()


class Counter(keras.callbacks.Callback):
    """Counts batches, and keeps a sum of losses as an array."""

    def __init__(self):
        super().__init__()
        self.count, self.sums = 0, [np.zeros(2, "float32")]

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        self.sums[0] = self.sums[0] + 1

    def get_state(self):
        return {"counts": {"batches": np.int64(self.count)}, "sums": self.sums}

    def set_state(self, state):
        self.count, self.sums = state["counts"]["batches"], state["sums"]


@pytest.mark.thorough
@pytest.mark.slow
def test_callbacks_of_ones_own_keep_what_they_say(tmp_path):
    state, counter = tmp_path / "state", Counter()
    with pytest.raises(KeyboardInterrupt):
        fitted(state, counter, Interrupt(), epochs=3)
    assert counter.count == 4  # Two batches in each of two epochs.
    again = Counter()
    fitted(state, again, epochs=3)
    assert again.count == 6
    np.testing.assert_array_equal(again.sums, [[6, 6]])


@pytest.mark.slow
def test_state_that_cannot_be_written_is_told(tmp_path):
    counter = Counter()
    counter.get_state = lambda: {"found": {1, 2}}
    with pytest.raises(TypeError, match=r"lists of NumPy arrays. It holds \{1, 2\}"):
        fitted(tmp_path / "state", counter)


@pytest.mark.parametrize(
    "callback", [keras.callbacks.EarlyStopping("loss"), keras.callbacks.ReduceLROnPlateau("loss")]
)
def test_state_of_an_earlier_version(callback):
    """It held all attributes that were numbers or None, and gave them back."""
    _state.restore(callback, {"best": 0.5, "wait": 2, "validation_data": None, "patience": 9})
    assert callback.best == 0.5 and callback.wait == 2
    assert callback.patience != 9 and not hasattr(callback, "validation_data")


def test_callbacks_whose_state_nobody_knows_are_refused(tmp_path):
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(TypeError, match=r"EarlyStopping, .*`get_state\(\)`.* CSVLogger has none"):
        keras_s2s.callbacks.Resume(tmp_path / "state", [logger])
