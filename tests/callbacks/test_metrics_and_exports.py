"""Metrics of generated text in the logs, and what watches them."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s import evaluation
from keras_s2s.callbacks import AverageCheckpoints, ExportBest, GenerationMetrics, StopOnNaN
from tests.captioners import coloured, small_captioner
from tests.data.pairs import pair_batches
from tests.java import JAVA
from tests.models.helpers import eager, make_batch, make_model, make_simple_model

pytest.importorskip("tensorflow_text")
SOURCES = ["ein Hund bellt", "eine Katze", "guten Morgen"]
TARGETS = ["a dog barks", "a cat", "good morning"]


@pytest.fixture
def model(preset):
    return eager(keras_s2s.zoo.load(preset))


@pytest.mark.slow
def test_metrics_are_those_of_what_is_generated(model, tmp_path, capsys):
    log = tmp_path / "log.csv"
    metrics = GenerationMetrics(SOURCES, TARGETS, ["chrf", "wer"], sampler="beam", max_length=5)
    history = model.fit(
        SOURCES, TARGETS, epochs=2, verbose=0, callbacks=[metrics, keras.callbacks.CSVLogger(log)]
    ).history
    texts = model.generate(SOURCES, sampler="beam", max_length=5)
    expected = evaluation.score(texts, TARGETS, ["chrf", "wer"])
    assert history["val_chrf"][1] == expected["chrf"].value
    assert history["val_wer"][1] == expected["wer"].value
    with open(log) as file:
        assert [float(row["val_wer"]) for row in csv.DictReader(file)] == history["val_wer"]
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 and f"val_wer: {expected['wer'].value:.2f} - {texts[0]!r}" in out[1]


@pytest.mark.thorough
@pytest.mark.slow
@JAVA
def test_rouge_and_cider_of_a_captioner(tmp_path):
    """As figures of each epoch, which a callback watches."""
    model = eager(small_captioner(simple=True), optimizer=keras.optimizers.Adam(0.02))
    images, captions = coloured(6)
    references = [[caption, f"{caption} too"] for caption in captions]
    names = ["coco_rouge", "cider"]
    metrics = GenerationMetrics(images, references, names, max_length=8, verbose=0)
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch}.weights.h5"),
        monitor="val_cider",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    fit = model.fit(images, captions, epochs=3, verbose=0, callbacks=[metrics, best])
    expected = evaluation.score(model.generate(images, max_length=8), references, names)
    for key, score in expected.items():
        assert fit.history[f"val_{key}"][2] == score.value
    assert best.best == max(fit.history["val_cider"])


@pytest.mark.slow
def test_rouge_of_a_translator(model):
    metrics = GenerationMetrics(SOURCES, TARGETS, "rouge", max_length=5, verbose=0)
    history = model.fit(SOURCES, TARGETS, epochs=1, verbose=0, callbacks=[metrics]).history
    texts = model.generate(SOURCES, max_length=5, sampler="greedy")
    for key, score in evaluation.score(texts, TARGETS, ["rouge"]).items():
        assert history[f"val_{key}"] == [score.value]


@pytest.mark.slow
def test_keras_callbacks_watch_them(model, tmp_path):
    metrics = GenerationMetrics(SOURCES, TARGETS, "chrf", verbose=0)
    stop = keras.callbacks.EarlyStopping("val_chrf", mode="max", patience=1)
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best.weights.h5"),
        monitor="val_chrf",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    model.optimizer.learning_rate = 0.0
    history = model.fit(
        SOURCES, TARGETS, epochs=5, verbose=0, callbacks=[metrics, stop, best]
    ).history
    assert len(history["val_chrf"]) == 2  # Nothing is learnt, so the second is no better.
    assert (tmp_path / "best.weights.h5").exists()


def test_limit_takes_from_everywhere():
    sources, targets = ([f"{side} {i}" for i in range(9)] for side in "st")
    metrics = GenerationMetrics(sources, targets, limit=3)
    assert metrics.inputs == ["s 0", "s 4", "s 8"] and metrics.references == ["t 0", "t 4", "t 8"]


def test_references_choose_the_tokenizer(capsys):
    """The same for every epoch, whatever was generated in it."""
    chinese = ["一只狗在草地上跑。", "两个男人在踢足球。"]
    logs = []
    metrics = GenerationMetrics(SOURCES[:2], chinese)
    metrics.set_model(keras.Sequential())
    metrics.on_train_begin()
    assert capsys.readouterr().out == "val_bleu: sacreBLEU's tokenizer zh\n"
    for texts in (["a dog", "the"], ["一只狗在地上跑。", "两个男人在打球。"]):
        metrics.generate = lambda texts=texts: texts
        logs.append({})
        metrics.on_epoch_end(len(logs), logs[-1])
        assert logs[-1]["val_bleu"] == evaluation.score(texts, chinese, tokenize="zh")["bleu"].value
    assert logs[0]["val_bleu"] < 5 < 30 < logs[1]["val_bleu"]


@pytest.mark.slow
def test_features_in_a_dict(model):
    x = model.preprocessor.generate_preprocess(SOURCES)
    ids = np.asarray(x["encoder_token_ids"])
    metrics = GenerationMetrics({"encoder_token_ids": ids}, TARGETS, batch_size=2)
    metrics.set_model(model)
    assert metrics.generate() == model.generate(SOURCES, sampler="greedy")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((SOURCES, TARGETS[:2]), "3 inputs and 2 references"),
        (([], []), "0 inputs"),
        ((SOURCES, TARGETS, "bleu", "greedy", 64, None, None, "", 1, "zhh"), "mean 'zh'"),
        ((SOURCES, TARGETS, ["blue"]), "no metric 'blue'. Did you mean 'bleu'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GenerationMetrics(*arguments)


class Values(keras.callbacks.Callback):
    """Puts given values into the logs."""

    def __init__(self, values, name="val_bleu"):
        super().__init__()
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow exports")
def test_export_of_the_best(model, tmp_path, monkeypatch):
    path = tmp_path / "translator"

    def fit(values, **kwargs):
        best = ExportBest(path, "val_bleu", sampler="greedy")
        model.fit(SOURCES, TARGETS, verbose=0, callbacks=[Values(values), best], **kwargs)

    with monkeypatch.context() as patch:  # The last export is a real one.
        patch.setattr(model, "export", lambda path, **kwargs: Path(path).mkdir(parents=True))
        fit([1.0, 0.5, 2.0], epochs=3)
    assert sorted(p.name for p in path.iterdir()) == ["1", "2", "best.json"]
    record = json.loads((path / "best.json").read_text())
    assert (record["value"], record["epoch"], record["version"]) == (2.0, 3, 2)
    # Training that goes on exports nothing worse.
    fit([0, 0, 0, 1.5, 2.5], epochs=5, initial_epoch=3)
    assert sorted(p.name for p in path.iterdir()) == ["1", "2", "3", "best.json"]

    import tensorflow as tf

    served = tf.saved_model.load(str(path / "3")).signatures["serving_default"]
    texts = [text.decode() for text in served(text=tf.constant(SOURCES))["text"].numpy()]
    assert texts == model.generate(SOURCES, sampler="greedy")


@pytest.mark.slow
def test_what_export_best_refuses(model, tmp_path):
    with pytest.raises(ValueError, match="'auto', 'min', 'max'"):
        ExportBest(tmp_path, mode="best")
    with pytest.raises(KeyError, match=r"no 'val_blue'.*'loss'"):
        model.fit(SOURCES, TARGETS, verbose=0, callbacks=[ExportBest(tmp_path, "val_blue")])
    (tmp_path / "best.json").write_text('{"monitor": "val_cider", "mode": "max", "value": 1}')
    with pytest.raises(ValueError, match="'val_cider' was best"):
        model.fit(SOURCES, TARGETS, verbose=0, callbacks=[ExportBest(tmp_path, "val_bleu")])


@pytest.mark.parametrize("name", ["val_loss", "val_perplexity", "val_wer", "val_cer"])
def test_less_is_better(name):
    assert ExportBest("path", name).mode == "min"
    assert ExportBest("path", "val_bleu").mode == "max"


@pytest.mark.slow
def test_average_of_the_last_epochs(tmp_path):
    model, seen = eager(make_simple_model()), []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.get_weights())
    )
    x, y, w = make_batch()
    average = AverageCheckpoints(tmp_path / "last", 3)
    model.fit(x, y, sample_weight=w, epochs=5, verbose=0, callbacks=[watch, average])
    assert len(list((tmp_path / "last").iterdir())) == 3
    for found, *last in zip(model.get_weights(), *seen[2:]):
        np.testing.assert_allclose(found, np.mean(last, axis=0), atol=1e-6)


@pytest.mark.thorough
@pytest.mark.slow
def test_average_leaves_out_epochs_of_a_run_before(tmp_path):
    x, y, w = make_batch()
    for epochs in (4, 2):
        model = eager(make_model())
        average = AverageCheckpoints(tmp_path, 4)
        model.fit(x, y, sample_weight=w, epochs=epochs, verbose=0, callbacks=[average])
    assert [p.name for p in average._files()] == ["epoch_0001.npz", "epoch_0002.npz"]


class Spoil(keras.callbacks.Callback):
    """Makes the weights NaN before the third batch."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            self.model.set_weights([np.full_like(w, np.nan) for w in self.model.get_weights()])


@pytest.mark.slow
def test_nan_stops_and_names_the_batch(tmp_path):
    rng = np.random.default_rng(0)
    ids = [rng.integers(4, 9, rng.integers(1, 4)).tolist() for _ in range(12)]
    batches = pair_batches(ids, ids, batch_size=3)
    model = eager(make_model())
    path = tmp_path / "run" / "nan.npz"
    kept = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "kept.weights.h5"), save_weights_only=True
    )
    with pytest.raises(FloatingPointError, match=r"nan after batch 3 of 4 in epoch 1.*nan.npz"):
        model.fit(batches, verbose=0, callbacks=[Spoil(), StopOnNaN(batches, path), kept])
    x, labels, _ = batches[2]
    with np.load(path) as saved:
        np.testing.assert_array_equal(saved["x/encoder_token_ids"], x["encoder_token_ids"])
        np.testing.assert_array_equal(saved["y"], labels)
        assert saved["sample_weight"].shape == labels.shape
    assert not (tmp_path / "kept.weights.h5").exists()
