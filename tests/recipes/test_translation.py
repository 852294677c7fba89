"""From a recipe and a TSV to a preset whose card holds, as a maintainer does it."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s
import keras_s2s_cli
from keras_s2s import recipes, zoo
from keras_s2s.recipes.objectives import cross_entropy

tf = pytest.importorskip("tensorflow")

ROOT = Path(__file__).parents[2]
LONG = "vier " * 80
WORDS = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four", "fünf": "five"}
RECIPE = """
name = "numbers"
task = "translation"
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
cell = "rnn"
attention = "luong"
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
licence = "CC0-1.0"
languages = ["de", "en"]
data = [{ name = "Numbers", licence = "CC0-1.0" }]
examples = ["eins", "zwei drei", "{long}"]
samples = [{ row = 2, remark = "It counts." }, { input = "vier", remark = "One." }]
"""


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
# The command keeps away what TensorFlow writes, unless somebody asks for it.
ENVIRONMENT.pop("TF_CPP_MIN_LOG_LEVEL", None)


def process(*arguments):
    code = "from keras_s2s_cli import main; main()"
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.fixture
def command(capsys):
    """Runs a command in this process; gives exit code, stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            keras_s2s_cli.main(list(map(str, arguments)))
        return end.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def data(tmp_path):
    rng = random.Random(1)
    for name, count in (("train", 200), ("valid", 30)):
        rows = [rng.choices(list(WORDS), k=rng.randint(1, 5)) for _ in range(count)]
        lines = [f"{' '.join(row)}\t{' '.join(WORDS[w] for w in row)}\n" for row in rows]
        (tmp_path / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    # No file could have so long a name.
    recipe = RECIPE.replace("{long}", LONG)
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    return tmp_path


@pytest.mark.long
@pytest.mark.slow
def test_train_evaluate_export(data, command, monkeypatch):
    """Interrupted once, on its way from pairs to a SavedModel."""
    run, change = data / "run", "training.epochs=3"
    arguments = ["train", data / "recipe.toml", "--output", run, "--set", change]
    save = keras_s2s.callbacks.Resume.on_epoch_end

    def interrupt(self, *values):
        save(self, *values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keras_s2s.callbacks.Resume, "on_epoch_end", interrupt)
        assert command(*arguments)[0] != 0
    code, out, errors = command(*arguments)
    assert code == 0, errors
    assert (
        "Epoch 3/3" in out
        and "Epoch 1/3" not in out
        and "val_bleu: sacreBLEU's tokenizer 13a" in out
    )
    epochs = [line.split(",")[0] for line in (run / "log.csv").read_text().splitlines()[1:]]
    assert sorted(set(epochs)) == ["0", "1", "2"]

    preset = run / "preset"
    assert (preset / "recipe.toml").read_text().startswith(f"# --set {change}\n")
    code, out, errors = command("evaluate", preset, "--data", data, "--write-card")
    assert code == 0 and "numbers: 30 sentences" in out, errors
    examples = zoo.verify(preset)["examples"]
    assert [e["input"] for e in examples] == ["eins", "zwei drei", LONG]
    sample, of_text = zoo.card(preset)["samples"]
    assert (of_text["input"], of_text["remark"]) == ("vier", "One.")
    assert of_text["output"] == zoo.load(preset).generate("vier")
    source, target = (data / "valid.tsv").read_text().splitlines()[1].split("\t")
    assert (sample["input"], sample["reference"]) == (source, target)
    assert sample["output"] in (preset / "README.md").read_text().split("## Samples")[1]
    assert "the figures match the card" in command("evaluate", preset, "--data", data, "--check")[1]
    with monkeypatch.context() as patch:
        seen = []
        patch.setattr(recipes, "evaluate", lambda *arguments: seen.append(arguments) or [])
        options = ["--tokenize", "intl", "--num-beams", "1", "--split", "valid"]
        assert command("evaluate", preset, "--data", data, *options, "--dtype", "int8")[0] == 0
    [(model, _, _, sampler, split, _, tokenize)] = seen
    assert model.decoder.rnn_layers[0].cell.kernel.dtype == "int8"
    assert (sampler.num_beams, split, tokenize) == (1, "valid", "intl")
    assert command("export", preset, run / "numbers" / "1")[0] == 0
    served = tf.saved_model.load(str(run / "numbers" / "1")).signatures["serving_default"]
    texts = [text.decode() for text in served(text=tf.constant(["eins"]))["text"].numpy()]
    assert texts == [examples[0]["output"]]


def test_figures_that_the_card_does_not_hold():
    card = [{"dataset": "numbers", "name": "BLEU", "value": 40.0}]
    recipes.check(card, [{**card[0], "value": 40.05}])
    for metrics, message in (
        ([{**card[0], "value": 39.0}], "numbers BLEU is 39.0, but the card says 40.0.$"),
        ([{**card[0], "value": 39.0, "signature": "tok:zh"}], "otherwise: tok:zh, None on"),
        ([], "The card has figures of"),
    ):
        with pytest.raises(ValueError, match=message):
            recipes.check(card, metrics)


def test_each_example_twice():
    batch = {"a": np.array([[1], [2]])}, np.array([[3], [4]]), np.ones((2, 1))
    twice = cross_entropy.Twice([batch])
    x, labels, weights = twice[0]
    assert x["a"].tolist() == [[1], [1], [2], [2]] and labels.tolist() == [[3], [3], [4], [4]]
    assert len(twice) == 1 and weights.shape == (4, 1)


class Parrot:
    """A translator that gives back what it gets."""

    def generate(self, inputs, sampler):
        return list(inputs)


def test_tokenizer_of_a_recipe(data):
    recipe = recipes.read(data / "recipe.toml", ["evaluation.tokenize=char"])
    for told, name in ((None, "char"), ("auto", "13a"), ("intl", "intl")):
        bleu, chrf = recipes.evaluate(Parrot(), recipe, data, tokenize=told)
        assert f"|tok:{name}|" in bleu["signature"] and "tok" not in chrf["signature"]
    with pytest.raises(recipes.RecipeError, match="'tokenize' must be one of 'auto', '13a'"):
        recipes.read(data / "recipe.toml", ["evaluation.tokenize=chr"])


def logged(folder, column):
    with open(folder / "log.csv", newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file)]


@pytest.mark.thorough
@pytest.mark.slow
def test_the_reference_trains_and_plateau_halves_the_learning_rate(data, monkeypatch):
    """At a rate that changes nothing, so that no epoch lowers the perplexity."""
    changes = ["learning_rate=1e-12", "schedule=plateau", "epochs=4"]
    changes = [f"training.{change}" for change in changes]
    sizes = {"encoder_units": 8, "decoder_units": 8, "embedding_dim": 8, "cell": "rnn"}
    changes += [f"model.{key}={value}" for key, value in sizes.items()]
    changes += ["model.attention=luong", "tokenizer.vocabulary_size=28"]
    changes += ['data.tests={ numbers = ["valid.tsv"] }']
    reference = ROOT / "keras_s2s" / "recipes" / "reference.toml"
    monkeypatch.setattr("keras_s2s.recipes.stages._scores", lambda *arguments: [])
    recipes.train(reference, data / "run", data, changes, verbose=0)
    # That of the first epoch is the best, whatever it is.
    rates = logged(data / "run", "learning_rate")
    np.testing.assert_allclose(rates, [1e-12, 1e-12, 5e-13, 2.5e-13])
    losses = logged(data / "run", "val_loss")
    assert max(losses) == pytest.approx(min(losses), rel=1e-6)


@pytest.mark.thorough
@pytest.mark.slow
def test_what_a_recipe_can_add(data):
    """An average that hardly moves has learnt nothing; a preset is as any other."""
    changes = ["gradient_accumulation_steps=2", "scheduled_sampling=0.5", "schedule=inverse_sqrt"]
    changes += ["average_last=1", "ema_momentum=0.9999", "learning_rate=0.05"]
    changes = ["tensorboard=true", *(f"training.{change}" for change in changes)]
    preset = recipes.train(data / "recipe.toml", data / "run", changes=changes, verbose=0)
    assert list((data / "run" / "tensorboard" / "validation").glob("events.*"))
    trained, average = (logged(data / "run", name)[-1] for name in ("perplexity", "val_perplexity"))
    assert trained < 0.75 * average
    texts, references = recipes.read(data / "recipe.toml").read(["valid.tsv"], data)
    model = zoo.load(preset)
    assert model.evaluate(texts, references, verbose=0)[1] == pytest.approx(average, rel=0.05)
    bleu = keras_s2s.evaluation.score(model.generate(texts, sampler="greedy"), references)["bleu"]
    assert logged(data / "run", "val_bleu")[-1] == pytest.approx(bleu.value, abs=1.0)
    assert model.scheduled_sampling is None


@pytest.mark.slow
def test_optimizer_and_sampling_of_a_recipe(data):
    changes = ["gradient_accumulation_steps=2", "scheduled_sampling=0.5", "warmup_steps=10"]
    changes += ["average_last=1", "ema_momentum=0.9"]
    recipe = recipes.read(data / "recipe.toml", [f"training.{change}" for change in changes])
    pairs = recipe.read(recipe.data.train, data)
    model = recipe.build(recipe.preprocessor(*pairs))
    cross_entropy.prepare(model, recipe.training, steps=25)
    optimizer = model.optimizer
    weights = [keras.Variable(np.ones(3, "float32"))]
    optimizer.build(weights)
    # Two epochs of 25 batches: up to 0.01 in 10, then down to 0 along a cosine.
    expected = {0: 0.0, 5: 0.005, 10: 0.01, 30: 0.005, 50: 0.0}
    rates = {}
    for batch in range(51):
        rates[batch] = float(optimizer.learning_rate)
        before = np.array(weights[0])
        optimizer.apply([np.full(3, 0.1, "float32")], weights)
        assert np.array_equal(before, np.array(weights[0])) == (batch % 2 == 0)
    for batch, rate in expected.items():
        assert rates[batch] == pytest.approx(rate, abs=1e-6)
    assert optimizer.use_ema and optimizer.ema_momentum == 0.9
    rate = model.scheduled_sampling.rate
    assert [float(rate(step)) for step in (0, 25, 50)] == [0.0, 0.25, 0.5]
    recipe.training.r_drop = 3.0
    cross_entropy.prepare(model, recipe.training, steps=25)
    assert isinstance(model.loss, keras_s2s.losses.RDrop) and model.loss.weight == 3


def test_other_numbers_and_normalization(data, capsys):
    changes = ['data.languages=["de", "en"]', "data.number_copies=2"]
    changes += ["tokenizer.split_digits=true"]
    (data / "numbers.tsv").write_text("Zwei Hunde.\tTwo dogs.\nFünf m².\tA field.\n")
    train = '[{ files = ["numbers.tsv"] }, { files = ["numbers.tsv"], columns = [1, 0], '
    train += 'prefix = "<de> ", languages = ["en", "de"] }]'
    recipe = recipes.read(data / "recipe.toml", [*changes, f"data.train={train}"])
    sources, targets = recipe.splits(data, verbose=1)["train"]
    assert (sources[:2], targets[:2]) == (["Zwei Hunde.", "Fünf m²."], ["Two dogs.", "A field."])
    assert all(s.split()[0] != "Zwei" and s.endswith(" Hunde.") for s in sources[2:4])
    assert len(sources) == len(targets) == 8
    # The other way round: "1,234 dogs" become "1.234 Hunde".
    assert all(s.startswith("<de> ") for s in sources[4:])
    for source, target in zip(sources[6:], targets[6:]):
        assert source.endswith(" dogs.") and target.endswith(" Hunde.")
        assert "." not in source[:-1] and "," not in target
    sources, targets = sources[:4], targets[:4]
    preprocessor = recipe.preprocessor(sources, targets, verbose=1)
    pieces = preprocessor.source_tokenizer.get_vocabulary()
    assert all(len(piece) == 1 for piece in pieces if any(c.isdigit() for c in piece))
    printed = capsys.readouterr().out
    assert printed.count("2 pairs with other numbers added") == 2
    told = "normalization = 'nmt_nfkc' changes 1 of 8 training texts, the first from 'Fünf m².' to"
    assert f"{told} 'Fünf m2.'" in printed


@pytest.mark.parametrize(
    ["changes", "message"],
    [
        (["training.temperature=0.5"], "'temperature' is for the objective 'self_critical'"),
        (["training.examples_per_epoch=9"], "'examples_per_epoch' is for the objective"),
        (["training.samples=9"], "'samples' is for the objective 'self_critical'"),
        (["training.reward=bleu"], "'reward' is for the objective 'self_critical'"),
        (["training.schedule=cosin"], "'schedule' must be one of 'cosine', 'inverse_sqrt', 'plat"),
        (
            ["training.schedule=plateau", "training.warmup_steps=9"],
            r"\[training\]: 'plateau' has no",
        ),
        (["training.ema_momentum=0.99"], r"Set average_last = 1, or ema_momentum = 0"),
        (
            ["training.gradient_accumulation_steps=0"],
            "'gradient_accumulation_steps' must be from 1",
        ),
        (["training.scheduled_sampling=1.5"], "'scheduled_sampling' must be from 0 to 1"),
        (["training.ema_momentum=-0.5"], "'ema_momentum' must be from 0 to 1"),
        (["data.number_copies=2"], r"'number_copies' needs 'languages', two of en, fr, de, es"),
        (["tokenizer.normalization=nfc"], "'normalization' must be one of 'nmt_nfkc'"),
        (["model.attention=dot"], "'attention' must be one of 'bahdanau', 'luong'"),
        (["card.samples=[{ output = 'a' }]"], r"'samples' must be like { row = ..., remark = "),
        (["card.samples=[{ input = 'a', row = 1 }]"], r"or { input = ..., remark = "),
        (["card.samples=[{ input = 1 }]"], r"'samples' must be like"),
        (["card.samples=['a']"], r"'samples' must be like"),
    ],
)
def test_values_that_do_not_go(data, changes, message):
    with pytest.raises(recipes.RecipeError, match=message):
        recipes.read(data / "recipe.toml", changes)


def test_samples_are_rows_of_the_test_set(data):
    recipe = recipes.read(data / "recipe.toml")
    (source, _), (last, shown) = (recipe.sample({"row": row}, data) for row in (1, 30))
    assert source != last == shown["input"]
    for row in (0, 31, "2"):
        with pytest.raises(recipes.RecipeError, match=f"'row' must be from 1 to 30.*{row}"):
            recipe.sample({"row": row}, data)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_wrong_recipe_is_one_line(data):
    """And TensorFlow, in a process that has not been told to be silent, adds none."""
    change = "model.droput=0.1"
    arguments = "train", data / "recipe.toml", "--output", data / "run", "--set", change
    done = subprocess.run(process(*arguments), env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Did you mean 'dropout'?" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (data / "run").exists()
