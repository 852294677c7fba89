"""A summarizer from its recipe: it copies names, and learns from a reward."""

import json
import random

import numpy as np
import pytest

import keras_s2s
from keras_s2s import data, recipes

tf = pytest.importorskip("tensorflow")

RECIPE = """
name = "names"
task = "summarization"
[data]
train = ["train.jsonl"]
valid = ["valid.jsonl"]
tests = { names = ["valid.jsonl"] }
columns = ["text", "summaries"]
[tokenizer]
kind = "words"
vocabulary_size = 20
length = 12
target_length = 6
[model]
embedding_dim = 16
encoder_units = 12
decoder_units = 16
cell = "rnn"
attention = "luong"
copy = true
copy_slots = 2
[training]
coverage_loss = 0.1
learning_rate = 0.01
batch_size = 16
[stages.tokens]
epochs = 3
[stages.reward]
objective = "self_critical"
reward = "rouge"
epochs = 1
samples = 2
learning_rate = 1e-3
[decoding]
num_beams = 2
no_repeat_ngram_size = 2
"""


@pytest.fixture
def folder(tmp_path):
    draw = random.Random(1)
    for name, count in (("train", 320), ("valid", 20)):
        with open(tmp_path / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for _ in range(count):
                word = "".join(draw.choices("abcdéXYZ01", k=6))
                summaries = [f"using {word}"] * draw.randint(1, 2)
                row = {"text": f"here we show how {word} works", "summaries": summaries}
                file.write(f"{json.dumps(row)}\n")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.thorough
@pytest.mark.slow
def test_trains_on_tokens_and_then_on_a_reward(folder, capsys):
    preset = recipes.train(folder / "recipe.toml", folder / "run", verbose=2)
    printed = capsys.readouterr().out
    assert "stage tokens" in printed and "stage reward" in printed
    model = keras_s2s.zoo.load(preset)
    assert isinstance(model, keras_s2s.models.Summarizer)
    texts, summaries = data.read_jsonl(folder / "valid.jsonl", summary="summaries")
    right = [a == b[0] for a, b in zip(model.summarize(texts), summaries)]
    assert np.mean(right) >= 0.9
    figures = recipes.evaluate(model, recipes.read(preset / "recipe.toml"), folder)
    assert [f["name"] for f in figures] == ["ROUGE-1", "ROUGE-2", "ROUGE-L"]
    assert figures[2]["value"] >= 90


def test_a_text_with_several_summaries_makes_as_many_pairs(folder):
    recipe = recipes.read(folder / "recipe.toml")
    splits = recipe.splits(folder, verbose=0)
    texts, summaries = recipe.read(recipe.data.train, folder)
    assert len(splits["train"][0]) == sum(map(len, summaries)) > len(texts)
    sampler = recipe.sampler()
    assert (sampler.num_beams, sampler.no_repeat_ngram_size) == (2, 2)


def test_other_layouts_of_files(folder):
    recipe = recipes.read(folder / "recipe.toml", ["data.columns=[0, 1]"])
    (folder / "a.tsv").write_text("long text\tshort\n")
    (folder / "b.src").write_text("long text\n")
    (folder / "b.tgt").write_text("short\n")
    (folder / "stories").mkdir()
    (folder / "stories" / "1.story").write_text("long text\n\n@highlight\n\nshort")
    expected = ["long text"], ["short"]
    assert recipe.read(["a.tsv"], folder) == expected
    assert recipe.read(["b.src", "b.tgt"], folder) == expected
    assert recipe.read(["stories"], folder) == (["long text"], ["short."])


@pytest.mark.parametrize(
    "change, message",
    [
        ("stages.reward.reward='metric'", "'reward' must be"),
        ("stages.reward.samples=1", "'samples' must be at least 2"),
        ("stages.reward.temperature=0", "'temperature' must be above 0"),
        ("tokenizer.kind='letters'", "'kind' must be"),
        ("tokenizer.kind='pieces'", "'copy_slots' are for words"),
        ("tokenizer.split_digits=true", "'split_digits' is for pieces"),
        ("model.copy=false", "'copy_slots' are for words"),
        ("tokenizer.shared=false", "'copy' needs one vocabulary"),
    ],
)
def test_bad_recipes(folder, change, message):
    with pytest.raises(recipes.RecipeError, match=message):
        recipes.read(folder / "recipe.toml", [change])


def test_keys_of_json_are_named(folder):
    recipe = recipes.read(folder / "recipe.toml", ["data.columns="])
    with pytest.raises(recipes.RecipeError, match="holds JSON, whose keys are names"):
        recipe.read(recipe.data.train, folder)
    with pytest.raises(recipes.RecipeError, match="with the keys text, summaries"):
        recipes.from_file(folder / "train.jsonl", folder / "run")


def test_rewards():
    references = ["A dog runs.", ["two cats sleep", "two cats"]]
    for name, make in keras_s2s.evaluation.REWARDS.items():
        if name == "meteor":  # It needs Java.
            continue
        reward = make(references)
        right, wrong = reward([0, 1], ["A dog runs.", "two cats"]), reward([0, 1], ["no", "A dog"])
        assert (right > wrong).all(), name
        if name != "cider":
            np.testing.assert_allclose(right, 1)
    # Titles have no full stop, and are not to get one.
    titles = keras_s2s.evaluation.REWARDS["cider"](["using Zorb", "a cat asleep"])
    assert np.diff(titles([0, 0], ["using Zorb", "using Zorb."]))[0] <= 0


@pytest.mark.parametrize(
    "reward", ['"rogue"', "{ rouge = 1.0, rogue = 1.0 }", "{}", '{ rouge = "1.0" }']
)
def test_unknown_rewards(folder, reward):
    with pytest.raises(recipes.RecipeError, match="'reward' must be one of 'cider'.*Received: "):
        recipes.read(folder / "recipe.toml", [f"stages.reward.reward={reward}"])


def test_rewards_count_examples(folder):
    changes = ["stages.reward.batch_size=", "training.batch_size=", "training.tokens_per_batch=99"]
    with pytest.raises(recipes.RecipeError, match="'self_critical' counts examples"):
        recipes.read(folder / "recipe.toml", changes)


def test_trainings_from_before_a_key_go_on(folder):
    from keras_s2s.recipes import progress

    run = folder / "run"
    (run / "tokens").mkdir(parents=True)
    recipe = recipes.read(folder / "recipe.toml", ["training.coverage_loss="])
    progress.begin(recipe, run)
    (run / "tokens.npz").touch()
    values = json.loads((run / "trained.json").read_text())
    del values["stages"]["tokens"]["coverage_loss"], values["stages"]["tokens"]["reward"]
    (run / "trained.json").write_text(json.dumps(values))
    progress.check(recipe, run)
    changes = ["training.coverage_loss=", "stages.tokens.coverage_loss=0.5"]
    other = recipes.read(folder / "recipe.toml", changes)
    with pytest.raises(recipes.RecipeError, match="tokens.coverage_loss was None and is 0.5"):
        progress.check(other, run)


def test_each_stage_has_its_own_coverage_loss(folder, monkeypatch):
    from keras_s2s.layers import DoublyStochastic
    from keras_s2s.recipes import stages

    changes = ["stages.reward.coverage_loss=0.5", "model.doubly_stochastic=0.2"]
    recipe = recipes.read(folder / "recipe.toml", changes)
    splits, seen = recipe.splits(folder, verbose=0), []
    model = recipe.build(recipe.preprocessor(*splits["train"]))
    model.decoder.attention_losses = (DoublyStochastic(0.3),)

    def note(recipe, stage, model, *rest):
        seen.append([type(loss).__name__ + str(loss.factor) for loss in decoder.attention_losses])

    decoder = model.decoder
    monkeypatch.setattr(stages, "OBJECTIVES", {"cross_entropy": note, "self_critical": note})
    model.build({name: (None, None) for name in ("encoder_token_ids", "decoder_token_ids")})
    stages.run(recipe, model, splits, folder)
    assert seen == [
        ["DoublyStochastic0.3", "CoverageLoss0.1"],
        ["DoublyStochastic0.3", "CoverageLoss0.5"],
    ]
    assert decoder.get_config()["attention_losses"][1]["config"]["factor"] == 0.5


@pytest.mark.slow
def test_a_stage_says_how_many_texts_are_cut(folder, monkeypatch, capsys):
    from keras_s2s.recipes import stages

    # All texts have six words and an end.
    recipe = recipes.read(folder / "recipe.toml", ["tokenizer.length=6"])
    splits = recipe.splits(folder, verbose=0)
    model = recipe.build(recipe.preprocessor(*splits["train"]))
    model.build({name: (None, None) for name in ("encoder_token_ids", "decoder_token_ids")})
    monkeypatch.setattr(stages, "OBJECTIVES", dict.fromkeys(stages.OBJECTIVES, lambda *rest: None))
    with pytest.warns(keras_s2s.preprocessing.CutWarning):
        stages.run(recipe, model, splits, folder, verbose=2)
    assert "padding 0.0%, 100.0% of the pairs cut" in capsys.readouterr().out


def test_lines_between_the_batches(capsys):
    from keras_s2s.recipes.batch_lines import BatchLines

    lines = BatchLines(3, seconds=0.0)
    lines.on_epoch_begin(0)
    for batch in range(3):
        lines.on_train_batch_end(batch, {"loss": 2.0})
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("1/3 - loss: 2.0000 - ") and second.endswith(" min left")
    patient = BatchLines(3)
    patient.on_epoch_begin(0)
    patient.on_train_batch_end(0, {"loss": 2.0})
    assert capsys.readouterr().out == ""
