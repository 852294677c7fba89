"""From a recipe, pictures and captions to a captioner whose card holds; and its metrics."""

import gzip
import json
import shutil

import keras
import numpy as np
import pytest

import keras_s2s
import keras_s2s_cli
from keras_s2s import recipes, zoo
from keras_s2s.recipes import backbones, stages
from keras_s2s.recipes.tasks import TASKS
from tests.captioners import coloured, small_captioner, tiny_backbone
from tests.data.test_captions import write_tar
from tests.java import JAVA, quick_meteor
from tests.layers.helpers import randomize
from tests.pictures import encoded

RECIPE = """
name = "colours"
task = "captioning"
seed = 1
[data]
train = [
    { files = ["train.tar", "train.jsonl.gz"] },
    { files = ["more.tar", "more.jsonl.gz"], times = 2 },
]
valid = ["test.tar", "test.jsonl.gz"]
tests = { colours = ["test.tar", "test.jsonl.gz"] }
backbone_weights = "backbone.npz"
[tokenizer]
vocabulary_size = 17
length = 20
[model]
backbone = "Tiny"
image_size = 32
encoder_units = 8
embedding_dim = 8
decoder_units = 8
cell = "rnn"
attention = "luong"
dropout = 0.1
doubly_stochastic = 0.1
[frozen]
epochs = 2
batch_size = 4
learning_rate = 0.01
average_last = 2
[fine_tuning]
epochs = 1
batch_size = 4
learning_rate = 0.001
r_drop = 1.0
[self_critical]
epochs = 1
batch_size = 4
learning_rate = 0.001
samples = 2
[decoding]
num_beams = 2
[card]
title = "Colours"
description = "Names of two colours."
licence = "CC0-1.0"
data = [{ name = "Colours", licence = "CC0-1.0" }]
languages = ["en"]
examples = ["assets/examples/one.png"]
"""


@pytest.fixture(scope="module", autouse=True)
def backbone_by_name():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "Tiny", tiny_backbone, raising=False)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split, count in (("train", 8), ("more", 2), ("test", 4)):
        images, captions = coloured(count, seed=count)
        files = {f"{i}.jpg": encoded(image, "JPEG") for i, image in enumerate(images)}
        write_tar(folder / f"{split}.tar", files)
        with gzip.open(folder / f"{split}.jsonl.gz", "wt") as file:
            for i, caption in enumerate(captions):
                row = {"image": str(i), "captions": [caption, f"{caption} too"]}
                file.write(json.dumps(row) + "\n")
    keras.utils.set_random_seed(1)
    backbone = tiny_backbone(False, None, (32, 32, 3), "backbone")
    # Untrained it would make the same of all images: let it normalise by noise.
    norms = [layer for layer in backbone.layers if hasattr(layer, "moving_mean")]
    for layer in norms:
        layer.momentum = 0.0
    noise = np.random.default_rng(0).uniform(-1, 1, (32, 32, 32, 3))
    backbone(noise.astype("float32"), training=True)
    arrays = {
        f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}": np.asarray(variable)
        for layer in backbone.layers
        for variable in layer.weights
    }
    np.savez(folder / "backbone.npz", **arrays)
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs a command in this process; gives what it prints."""
    quick_meteor(monkeypatch)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            keras_s2s_cli.main(list(map(str, arguments)))
        out, errors = capsys.readouterr()
        assert not end.value.code, errors
        return out

    return run


def add_example(preset):
    """The picture that the card of the recipe shows."""
    (preset / "assets" / "examples").mkdir()
    image, _ = coloured(1, seed=3)
    image[0].save(preset / "assets" / "examples" / "one.png")


@pytest.mark.slow
@pytest.mark.long
@JAVA
def test_from_recipe_to_card(data, tmp_path, command):
    run = tmp_path / "run"
    out = command("train", data / "recipe.toml", "--output", run)
    names = ("frozen", "fine_tuning", "self_critical")
    assert [f"stage {name}" in out for name in names] == [True] * 3
    assert out.count("val_cider") >= 4
    preset = run / "preset"
    with np.load(data / "backbone.npz") as before:
        after = zoo.load(preset).encoder.backbone
        # Nothing is given on as it was fetched, not to a digit of 16 bits.
        for layer in after.layers:
            for variable in layer.weights:
                name = f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}"
                assert not np.allclose(before[name], np.asarray(variable), rtol=1e-3), name
    # What is done is done: called again, no stage begins.
    assert "stage" not in command("train", data / "recipe.toml", "--output", run)

    add_example(preset)
    command("evaluate", preset, "--data", data, "--write-card")
    card = zoo.card(preset)
    assert [m["name"] for m in card["metrics"]] == [
        "BLEU-1",
        "BLEU-2",
        "BLEU-3",
        "BLEU-4",
        "METEOR",
        "ROUGE-L",
        "CIDEr",
    ]
    assert all(m["signature"].startswith("pycocoevalcap:1") for m in card["metrics"])
    report = zoo.verify(preset)
    assert "assets/examples/one.png" in report["files"]
    # `verify` has compared it with what the model gives.
    assert len(report["examples"]) == 1


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.long
@JAVA
def test_a_stage_does_not_depend_on_whether_those_before_were_trained_just_now(
    data, tmp_path, command
):
    run = tmp_path / "run"
    command("train", data / "recipe.toml", "--output", run)
    before = zoo.load(run / "preset").get_weights()
    (run / "self_critical.npz").unlink()
    shutil.rmtree(run / "self_critical")
    command("train", data / "recipe.toml", "--output", run)
    for a, b in zip(before, zoo.load(run / "preset").get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    add_example(run / "preset")
    command("evaluate", run / "preset", "--data", data, "--write-card")
    assert "the figures match the card" in command(
        "evaluate", run / "preset", "--data", data, "--check"
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_the_decoder_learns_the_language_first(data, tmp_path, capsys):
    start, end = RECIPE.index("[frozen]"), RECIPE.index("[decoding]")
    stage = """
[stages.language]
texts_only = true
freeze = "encoder"
epochs = 2
batch_size = 8
learning_rate = 0.01
"""
    path = data / "language.toml"
    path.write_text(RECIPE[:start] + stage + RECIPE[end:])
    change = ["data.texts=['words.tsv']", "data.train=['train.tar', 'train.jsonl.gz']"]
    (data / "words.tsv").write_text("1\tred and blue\n2\tblue and green too\n" * 12)
    preset = recipes.train(path, tmp_path / "run", changes=change, verbose=2)
    assert "24 texts, 3 steps per epoch" in capsys.readouterr().out
    log = (tmp_path / "run" / "language" / "log.csv").read_text().splitlines()
    assert "cider" not in log[0] and len(log) == 3
    losses = [float(line.split(",")[log[0].split(",").index("loss")]) for line in log[1:]]
    assert losses[1] < losses[0]
    # The encoder stays as it was.
    model = zoo.load(preset)
    with np.load(data / "backbone.npz") as arrays:
        kernel = arrays["convolution_8/kernel"]
    np.testing.assert_allclose(model.encoder.backbone.get_weights()[0], kernel, atol=1e-3)
    for changes, message in (
        (["data.texts=[]"], "'texts_only' needs data.texts"),
        ([*change, "stages.language.freeze=backbone"], 'set freeze = "encoder"'),
        ([*change, "stages.language.objective=self_critical"], "'self_critical' needs inputs"),
    ):
        with pytest.raises(recipes.RecipeError, match=message):
            recipes.read(path, changes)


def test_recipe_is_typed(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    recipe = recipes.read(path)
    assert isinstance(recipe, TASKS["captioning"])
    assert list(recipe.stages) == ["frozen", "fine_tuning", "self_critical"]
    assert recipe.stages["frozen"].average_last == 2
    assert recipe.stages["self_critical"].samples == 2
    assert recipe.data.files() == [
        "backbone.npz",
        *("train.tar", "train.jsonl.gz", "more.tar", "more.jsonl.gz"),
        *("test.tar", "test.jsonl.gz") * 2,
    ]
    with pytest.raises(
        recipes.RecipeError, match=r"\[stages.frozen\].*'epoch'.*Did you mean 'epochs'"
    ):
        recipes.read(path, ["frozen.epoch=3"])
    with pytest.raises(
        recipes.RecipeError, match=r"\[stages.self_critical\].*'samples' must be.*int"
    ):
        recipes.read(path, ["self_critical.samples=0.5"])
    path.write_text(RECIPE.replace("[self_critical]", "[other]"))
    with pytest.raises(recipes.RecipeError, match="unknown key 'other'"):
        recipes.read(path)


@pytest.mark.thorough
@pytest.mark.slow
def test_draws_of_a_stage_do_not_depend_on_those_before():
    """As after an interruption, when the stages before were loaded."""
    keras.utils.set_random_seed(1)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 24, 3)).astype("float32")
    x = {"images": pixels, "decoder_token_ids": np.array([[2, 5], [2, 6]])}
    options = {"num_return_sequences": 2}
    found = []
    for before in (0, 3):
        model = small_captioner(dropout=0.5)
        for layer, seed in ((model.encoder, 1), (model.decoder, 2)):
            randomize(layer, seed=seed)
        for _ in range(before):
            model(x, training=True)
        stages.seed_draws(model, [7, 1])
        model.compile(sampler=keras_s2s.decoding.Random(**options))
        found.append((np.asarray(model(x, training=True)), model.generate(x)["token_ids"]))
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)
    stages.seed_draws(model, [7, 2])
    assert np.abs(np.asarray(model(x, training=True)) - found[0][0]).max() > 0.01


@pytest.mark.slow
def test_measured_batch_normalization_changes_no_result():
    keras.utils.set_random_seed(1)
    layers = [keras.Input((8, 8, 3))]
    for _ in range(2):
        layers += [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
        layers += [keras.layers.ReLU()]
    backbone = keras.Sequential(layers)
    rng = np.random.default_rng(0)
    norms = [x for x in backbone.layers if hasattr(x, "moving_mean")]
    for layer in norms:
        layer.set_weights([rng.normal(size=4) + s for s in (1, 0, 0)] + [rng.uniform(1, 2, 4)])
    pixels = rng.normal(size=(11, 8, 8, 3)).astype("float32")
    before = backbone.predict(pixels, verbose=0)
    backbones.measure_batch_normalization(backbone, pixels, batch_size=3)
    np.testing.assert_allclose(backbone.predict(pixels, verbose=0), before, atol=1e-4)
    inputs = keras.Model(backbone.inputs, [layer.input for layer in norms]).predict(
        pixels, verbose=0
    )
    for layer, x in zip(norms, inputs):
        np.testing.assert_allclose(np.asarray(layer.moving_mean), x.mean((0, 1, 2)), atol=1e-4)
        np.testing.assert_allclose(np.asarray(layer.moving_variance), x.var((0, 1, 2)), atol=1e-3)
