"""From a recipe and a TSV to a preset whose card holds, as a maintainer does it."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import evaluate
import train
from keras_s2s import zoo

ROOT = Path(__file__).parents[2]
WORDS = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four", "fünf": "five"}
RECIPE = """
name = "numbers"
seed = 1
[data]
train = ["train.tsv"]
valid = ["valid.tsv"]
tests = { numbers = ["valid.tsv"] }
[tokenizer]
vocabulary_size = 28
sample_alpha = 0.5
[model]
embedding_dim = 8
encoder_units = 8
decoder_units = 8
dropout = 0.1
[training]
epochs = 2
tokens_per_batch = 200
learning_rate = 0.01
average_last = 2
[decoding]
num_beams = 2
[card]
title = "Numbers"
description = "German numbers to English ones."
task = "translation"
licence = "CC0-1.0"
languages = ["de", "en"]
data = [{ name = "Numbers", licence = "CC0-1.0" }]
examples = ["eins", "zwei drei"]
"""


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(name, *arguments):
    return [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, arguments)]


def tool(*arguments):
    return subprocess.run(command(*arguments), env=ENVIRONMENT, capture_output=True, text=True)


@pytest.fixture
def data(tmp_path):
    rng = random.Random(1)
    for name, count in (("train", 200), ("valid", 30)):
        rows = [rng.choices(list(WORDS), k=rng.randint(1, 5)) for _ in range(count)]
        lines = [f"{' '.join(row)}\t{' '.join(WORDS[w] for w in row)}\n" for row in rows]
        (tmp_path / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


@pytest.mark.long
@pytest.mark.slow
def test_train_then_evaluate(data, run_main):
    run = data / "run"
    change = "training.epochs=6"
    arguments = ["train", data / "recipe.toml", "--data", data, "--output", run, "--set", change]
    killed = subprocess.Popen(command(*arguments), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (run / "backup" / "training_metadata.json").exists():
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    done = tool(*arguments)
    assert done.returncode == 0, done.stderr
    assert "Epoch 6/6" in done.stdout and "Epoch 1/6" not in done.stdout
    epochs = [line.split(",")[0] for line in (run / "log.csv").read_text().splitlines()[1:]]
    assert sorted(set(epochs)) == ["0", "1", "2", "3", "4", "5"]
    assert (run / "preset" / "recipe.toml").read_text().startswith(f"# --set {change}\n")

    preset = run / "preset"
    assert "numbers: 30 sentences" in run_main(evaluate, preset, "--data", data, "--write-card")
    assert [e["input"] for e in zoo.verify(preset)["examples"]] == ["eins", "zwei drei"]
    assert "as the card says" in run_main(evaluate, preset, "--data", data, "--check")


def test_figures_that_the_card_does_not_hold():
    card = [{"dataset": "numbers", "name": "BLEU", "value": 40.0}]
    evaluate.check(card, [{**card[0], "value": 40.05}])
    for metrics, message in (
        ([{**card[0], "value": 39.0}], "numbers BLEU is 39.0, but the card says 40.0"),
        ([], "the card has figures of"),
    ):
        with pytest.raises(SystemExit, match=message):
            evaluate.check(card, metrics)


def test_a_wrong_preset_is_one_line(run_main, data):
    with pytest.raises(SystemExit, match="evaluate: .*Did you mean 'translation'"):
        run_main(evaluate, "translatoin", "--data", data)


def test_weights_of_an_earlier_run_are_not_averaged(tmp_path):
    keep = train.KeepLast(tmp_path, 2)
    keep.set_model(keras.Sequential([keras.layers.Dense(1, use_bias=False)]))
    keep.model.build((None, 1))

    def fit(values, first=0):
        for epoch, value in enumerate(values, first):
            keep.on_epoch_begin(epoch)
            keep.model.set_weights([np.array([[value]])])
            keep.on_epoch_end(epoch)
        return float(keep.average()[0][0, 0])

    assert fit([1, 2, 3, 5]) == 4
    assert fit([7], first=4) == 6  # gone on with
    assert fit([10, 20, 40]) == 30  # anew, and shorter


def test_a_wrong_recipe_is_one_line(data):
    change = "model.droput=0.1"
    done = tool("train", data / "recipe.toml", "--data", data, "--output", data, "--set", change)
    assert done.returncode == 1
    assert "Did you mean 'dropout'?" in done.stderr.splitlines()[-1]
