"""Of several processes that train one model together the first writes and prints."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s import callbacks
from keras_s2s.callbacks._chief import is_chief
from tests.layers.helpers import BACKEND
from tests.models.helpers import eager

pytest.importorskip("tensorflow_text")
SOURCES, TARGETS = ["ein Hund bellt", "eine Katze"], ["a dog barks", "a cat"]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="strategies of TensorFlow")
@pytest.mark.parametrize(
    "task, jobs, expected",
    [
        (("worker", 0), ["worker"], True),
        (("worker", 1), ["worker"], False),
        (("worker", 0), ["chief", "worker"], False),
        (("chief", 0), ["chief", "worker"], True),
        (("ps", 0), ["chief", "worker", "ps"], False),
        ((None, None), [], True),
        (None, [], True),
    ],
)
def test_chief_of_a_strategy(task, jobs, expected):
    resolver = task and SimpleNamespace(
        task_type=task[0], task_id=task[1], cluster_spec=lambda: SimpleNamespace(jobs=jobs)
    )
    strategy = SimpleNamespace(cluster_resolver=resolver)
    assert is_chief(SimpleNamespace(distribute_strategy=strategy)) == expected


@pytest.mark.every_backend
@pytest.mark.skipif(
    BACKEND != "jax", reason="about processes of JAX; tests/test_backends.py runs it there"
)
def test_chief_of_jax(monkeypatch):
    import jax

    assert is_chief(None)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    assert not is_chief(None)


class _Epochs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


@pytest.mark.slow
def test_others_write_nothing_and_know_the_same(preset, tmp_path, monkeypatch, capsys):
    model = eager(keras_s2s.zoo.load(preset))
    for name in ("average_checkpoints", "export_best", "generation_metrics", "resume"):
        module = getattr(callbacks, name)
        monkeypatch.setattr(module, "is_chief", lambda model: False)
    monkeypatch.setattr(callbacks.tensorboard, "is_chief", lambda model: False)
    monkeypatch.setattr(callbacks.stop_on_nan, "is_chief", lambda model: False)
    monkeypatch.chdir(tmp_path)
    best, epochs = callbacks.ExportBest("exports", "val_chrf"), _Epochs()
    history = model.fit(
        *(SOURCES, TARGETS),
        epochs=2,
        verbose=0,
        callbacks=[
            callbacks.GenerationMetrics(SOURCES, TARGETS, ["bleu", "chrf"], max_length=5),
            best,
            callbacks.TensorBoard("logs", SOURCES, TARGETS),
            epochs,
            callbacks.AverageCheckpoints("last", count=1),
            callbacks.Resume("state"),
        ],
    ).history
    assert best.best == max(history["val_chrf"]) and len(history["val_bleu"]) == 2
    for value, expected in zip(model.get_weights(), epochs.weights[-1], strict=True):
        np.testing.assert_array_equal(value, expected)
    stop = callbacks.StopOnNaN([()], "nan.npz")
    stop.set_model(model)
    with pytest.raises(FloatingPointError):
        stop.on_train_batch_end(0, {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().out == ""
