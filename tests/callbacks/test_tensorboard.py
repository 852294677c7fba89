"""What the callback writes, read back as TensorBoard reads it."""

import io
import sys

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s._backend.gradients import Gradients
from tests.captioners import COLOURS, coloured, small_captioner
from tests.models.helpers import eager

pytest.importorskip("tensorflow_text")
pytest.importorskip("tensorboard")
SOURCES = ["ein Hund bellt", "eine Katze", "guten Morgen"]
TARGETS = ["a dog barks", "a cat", "good | morning"]


def events(folder):
    """`{tag: [(step, tensor)]}` of all event files of a run, images as encoded strings."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    run = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in run.Tensors(tag)]
        for tag in run.Tags()["tensors"]
    }


@pytest.fixture(scope="module")
def trained(preset, tmp_path_factory):
    """Folder of a run of two epochs of three steps, and the model."""
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("logs")
    model = eager(keras_s2s.zoo.load(preset), optimizer=keras_s2s.optimizers.Adam(0.01))
    board = keras_s2s.callbacks.TensorBoard(
        folder,
        examples=SOURCES,
        references=TARGETS,
        steps_freq=3,
        attention_examples=2,
        hparams={"data": "six"},
    )
    both = [board, keras.callbacks.TensorBoard(folder / "keras")]
    # Of one shape, so that JAX compiles one step.
    plan = keras_s2s.data.ExamplesPerBatch(1, max_buckets=1)
    batches = keras_s2s.data.Batches.from_raw(model.preprocessor, SOURCES, TARGETS, plan)
    history = model.fit(batches, epochs=2, verbose=0, callbacks=both).history
    return folder, model, history


@pytest.mark.slow
def test_scalars_of_keras_and_of_steps(trained):
    folder, model, history = trained
    found = events(folder / "train")
    assert [step for step, _ in found["epoch_loss"]] == [0, 1]
    np.testing.assert_allclose([v for _, v in found["epoch_loss"]], history["loss"], rtol=1e-5)
    for name in ("learning_rate", "gradient_norm", "tokens_per_second", "padding_share"):
        assert [step for step, _ in found[f"steps/{name}"]] == [3, 6], name
    norm = float(model.optimizer.gradient_norm)
    assert found["steps/gradient_norm"][1][1] == pytest.approx(norm) and norm > 0
    assert found["steps/learning_rate"][0][1] == pytest.approx(0.01)
    # Targets with their ends, cut at 10 pieces as the preset says, in rows of the longest.
    ids = model.preprocessor.target_tokenizer.encode(TARGETS)
    lengths = [min(len(row) + 1, 10) for row in ids]
    padding = 1 - sum(lengths) / (3 * max(lengths))
    assert found["steps/padding_share"][0][1] == pytest.approx(padding) and padding > 0
    assert found["steps/tokens_per_second"][0][1] > 0
    # Keras's own callback beside it writes what it always does.
    assert "epoch_loss" in events(folder / "keras" / "train")


@pytest.mark.slow
def test_text_of_the_examples(trained):
    folder, model, _ = trained
    [_, (step, text)] = events(folder / "train")["examples"]
    rows = str(text.item().decode()).splitlines()
    outputs = model.generate(SOURCES, sampler="greedy")
    assert step == 1
    assert rows[0] == "| | source | output | reference |"
    assert rows[2] == f"| 0 | {SOURCES[0]} | {outputs[0]} | {TARGETS[0]} |"
    assert rows[4].endswith("| good \\| morning |") and len(rows) == 5


@pytest.mark.slow
def test_attention_is_drawn(trained):
    from PIL import Image

    folder, _, _ = trained
    found = events(folder / "train")
    images = {tag: values for tag, values in found.items() if tag.startswith("attention/")}
    assert sorted(images) == ["attention/0", "attention/1"]
    width, height, encoded = images["attention/0"][1][1]
    image = Image.open(io.BytesIO(encoded))
    assert image.size == (int(width), int(height)) and len(image.getcolors(maxcolors=10**6)) > 50


@pytest.mark.every_backend
@pytest.mark.slow
def test_gradients_by_variable(trained):
    folder, model, _ = trained
    found = events(folder / "train")
    tags = {tag for tag in found if tag.startswith("gradients/")}
    assert tags == {f"gradients/{v.path}" for v in model.trainable_variables}
    # Those of the last epoch, from the weights as they are now: moved by a small step each.
    batch = model.preprocessor(SOURCES, TARGETS)
    kernel = model.decoder.embedding.embeddings
    before, changes = np.array(kernel.numpy()), []
    direction = np.random.default_rng(0).normal(size=before.shape).astype("float32")
    for sign in (1, -1):
        kernel.assign(before + sign * 1e-3 * direction)
        loss = model.compute_loss(batch[0], *_predicted(model, batch))
        changes.append(float(keras.ops.convert_to_numpy(loss)))
    kernel.assign(before)
    got = Gradients(model)(*batch)
    index = [v is kernel for v in model.trainable_variables].index(True)
    slope = (changes[0] - changes[1]) / 2e-3
    assert np.sum(got[index] * direction) == pytest.approx(
        slope, rel=0.02, abs=2e-4
    )  # float32's steps
    last = found[f"gradients/{kernel.path}"][-1][1]
    assert last == pytest.approx(np.linalg.norm(got[index]), rel=1e-4)


def _predicted(model, batch):
    x, y, weights = batch
    return y, model(x), weights


@pytest.mark.slow
def test_projector(trained):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    folder, model, _ = trained
    run = folder / "train"
    config = text_format.Parse((run / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [e.tensor_name for e in config.embeddings] == ["source_embedding", "target_embedding"]
    for entry, layer in zip(config.embeddings, (model.encoder, model.decoder)):
        vectors = np.loadtxt(run / entry.tensor_path, delimiter="\t")
        np.testing.assert_allclose(vectors, layer.embedding.embeddings.numpy(), rtol=1e-4)
        labels = (run / entry.metadata_path).read_text(encoding="utf-8").split("\n")[:-1]
        assert labels == model.preprocessor.source_tokenizer.get_vocabulary()


@pytest.mark.slow
def test_hparams(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    folder, _, _ = trained
    run = EventAccumulator(str(folder / "train")).Reload()
    content = run.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    data = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert data["encoder/units"].number_value == 8 and data["data"].string_value == "six"
    assert data["learning_rate"].number_value == pytest.approx(0.01)


@pytest.mark.thorough
@pytest.mark.slow
def test_pictures(tmp_path):
    from PIL import Image

    images, captions = coloured(4)
    model = eager(small_captioner(simple=True))
    board = keras_s2s.callbacks.TensorBoard(
        tmp_path, examples=images[:2], references=[[c, c] for c in captions[:2]]
    )
    model.fit(images, captions, verbose=0, callbacks=[board])
    found = events(tmp_path / "train")
    _, (_, _, encoded) = found["attention/0"][0]
    picture = Image.open(io.BytesIO(encoded)).convert("RGB")
    # Over the picture: its colours are there, as bright as they are.
    pixels = np.asarray(picture, "int32")
    for name in captions[0].split(" and "):
        assert np.sum(np.abs(pixels - COLOURS[name]).max(-1) < 40) > 1000, name
    assert "| 0 | (Image) |" in found["examples"][0][1].item().decode()
    assert not (tmp_path / "train" / "source_embedding.tsv").exists()
    assert (tmp_path / "train" / "target_embedding.tsv").exists()


@pytest.mark.slow
def test_without_examples_and_without_perplexity(preset, tmp_path):
    model = keras_s2s.zoo.load(preset)
    model.compile(keras.optimizers.SGD(0.1), weighted_metrics=None, run_eagerly=True)
    board = keras_s2s.callbacks.TensorBoard(tmp_path, steps_freq=1, projector=False)
    model.fit(SOURCES, TARGETS, verbose=0, callbacks=[board])
    found = set(events(tmp_path / "train"))
    assert {"epoch_loss", "steps/learning_rate"} <= found
    assert not [tag for tag in found if tag.startswith(("examples", "gradients", "steps/grad"))]


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras does not profile PyTorch")
@pytest.mark.skipif(
    keras.backend.backend() == "jax" and sys.version_info < (3, 12),
    reason="Keras profiles with JAX from Python 3.12 on",
)
def test_profile(preset, tmp_path):
    """Keras's, which TensorBoard's profiler page reads."""
    model = eager(keras_s2s.zoo.load(preset))
    board = keras_s2s.callbacks.TensorBoard(tmp_path, profile_batch=(2, 3), projector=False)
    model.fit(SOURCES, TARGETS, batch_size=1, verbose=0, callbacks=[board])
    [trace] = tmp_path.glob("**/plugins/profile/*/*.xplane.pb")
    assert trace.stat().st_size > 1000


@pytest.mark.parametrize(
    "options, message",
    [
        ({"examples": ["a"], "references": ["a", "b"]}, "1 examples and 2 references"),
        ({"references": ["a"]}, "0 examples and 1 references"),
        ({"steps_freq": -1}, "`steps_freq`"),
        ({"embeddings_freq": 1}, "`projector=True` does"),
    ],
)
def test_bad_arguments(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        keras_s2s.callbacks.TensorBoard(tmp_path, **options)


def test_missing_tensorboard_is_told(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"keras-s2s\[tensorboard\]"):
        keras_s2s.callbacks.TensorBoard(tmp_path)
