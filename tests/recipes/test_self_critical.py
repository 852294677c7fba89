"""Self-critical training on drawings, interrupted and not."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_s2s import callbacks
from keras_s2s.data import Batches, Features
from keras_s2s.models import ImageCaptioner
from keras_s2s.recipes.objectives import self_critical
from keras_s2s.recipes.objectives.examples import Examples
from keras_s2s.recipes.recipe import Evaluation, Stage
from tests.captioners import coloured, small_captioner


class Images:
    """Batches of drawings whose pixels cannot be read more than so often."""

    def __init__(self, images, limit):
        self.pixels = np.stack([np.asarray(image.resize((24, 16))) for image in images])
        self.left = limit

    def __len__(self):
        return len(self.pixels) // 4

    def inputs(self, rows):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return {"images": self.pixels[rows]}


def train(folder, limit=100, epochs=3, learning_rate=0.01, **options):
    """The model and the rewards of each epoch that was trained."""
    keras.utils.set_random_seed(1)
    model = small_captioner(target_length=12, simple=True)
    images, captions = coloured(12)
    sizes = {"epochs": epochs, "batch_size": 4, "samples": 3, **options}
    stage = Stage(
        objective="self_critical", schedule="constant", learning_rate=learning_rate, **sizes
    )
    rewards = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rewards.append((epoch, logs["reward"]))
    )
    references = [[caption, f"{caption} too"] for caption in captions]
    examples = Examples(Images(images, limit), None, images, references)
    recipe = SimpleNamespace(seed=7, evaluation=Evaluation())
    watching = [watch, callbacks.Resume(folder)]
    self_critical.train(recipe, stage, model, examples, watching, verbose=0)
    return model, rewards


@pytest.mark.thorough
@pytest.mark.slow
def test_draws_are_of_the_seed_and_anew_for_each_batch(tmp_path, monkeypatch):
    """Of the same images, by a model that does not learn."""
    drawn = []
    generate = ImageCaptioner.generate

    def spy(self, inputs, **options):
        found = generate(self, inputs, **options)
        drawn.append(found["token_ids"])
        return found

    monkeypatch.setattr(ImageCaptioner, "generate", spy)
    monkeypatch.setattr(Images, "inputs", lambda self, rows: {"images": self.pixels[:4]})
    for name in "ab":
        train(tmp_path / name, epochs=1, learning_rate=0.0)
    first, second = drawn[:3], drawn[3:]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all((first[0] != other).any(axis=-1).mean() > 0.5 for other in first[1:])


@pytest.mark.thorough
@pytest.mark.slow
def test_interrupted_in_the_middle_of_an_epoch(tmp_path):
    """What is in memory is lost, as when a process is killed; the folder is not."""
    whole, rewards = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "interrupted", limit=5)  # Three batches are an epoch.
    assert [path.name for path in (tmp_path / "interrupted").iterdir()] == ["epoch_00001"]
    again, rest = train(tmp_path / "interrupted")
    assert [epoch for epoch, _ in rest] == [1, 2] and rest == rewards[1:]
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "interrupted").exists()


@pytest.mark.slow
def test_an_epoch_draws_as_many_inputs_as_the_stage_says(tmp_path, monkeypatch):
    drawn, longest = [], []
    generate = ImageCaptioner.generate

    def inputs(self, rows):
        drawn.append(rows)
        return {"images": self.pixels[rows]}

    def spy(self, inputs, max_length):
        longest.append(max_length)
        return generate(self, inputs, max_length=max_length)

    monkeypatch.setattr(Images, "inputs", inputs)
    monkeypatch.setattr(ImageCaptioner, "generate", spy)
    train(tmp_path, epochs=2, learning_rate=0.0, examples_per_epoch=7)
    assert [len(rows) for rows in drawn] == [4, 3] * 2
    first, second = (set(np.concatenate(drawn[i : i + 2])) for i in (0, 2))
    assert len(first) == len(second) == 7 and first != second
    # No longer than the preprocessor allows, though eights would be 16.
    assert set(longest) <= {8, 12}


@pytest.mark.slow
def test_references_are_learnt_beside_the_samples(tmp_path, monkeypatch):
    """As samples whose advantage is the weight, shared by the references of an example."""
    learnt = []
    train_on_batch = ImageCaptioner.train_on_batch

    def spy(self, x, labels, weights):
        learnt.append((labels, weights))
        return train_on_batch(self, x, labels, weights)

    texts = [[[5, 6, 7], [8]] if row % 2 else [[9]] for row in range(12)]
    batches = Batches({"images": Features(np.zeros((12, 1))), "decoder_token_ids": texts})
    monkeypatch.setattr(
        Images, "labels", lambda self, *arguments: batches.labels(*arguments), raising=False
    )
    monkeypatch.setattr(ImageCaptioner, "train_on_batch", spy)
    train(tmp_path, epochs=1, cross_entropy_weight=0.5)
    labels, weights = learnt[0]
    assert labels.shape[:2] == weights.shape[:2] == (4, 5)
    examples, samples = 4, 3
    for row in range(examples):
        first, second = labels[row, 3:]
        expected = 0.5 / examples / (2 if second.any() else 1)
        np.testing.assert_allclose(weights[row, 3:], expected * (labels[row, 3:] != 0), rtol=1e-6)
        np.testing.assert_allclose(weights[row, :samples, 0].sum(), 0, atol=1e-6)
    starts = {tuple(row[:4]) for labels, _ in learnt for row in labels[:, 3].tolist()}
    assert starts == {(5, 6, 7, 3), (9, 3, 0, 0)}


def test_samples_of_a_temperature_are_learnt_at_it():
    """Samples by the softmax of divided logits, as they were drawn; references by the model's."""
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 5, (2, 3, 4))
    weights = np.random.default_rng(2).normal(size=labels.shape).astype("float32")
    loss = self_critical.SampledCrossentropy(samples=2, temperature=0.5)(labels, logits, weights)
    divided = logits / np.array([0.5, 0.5, 1])[:, None, None]
    chosen = np.take_along_axis(divided, labels[..., None], axis=-1)[..., 0]
    log_probs = chosen - np.log(np.exp(divided).sum(axis=-1))
    np.testing.assert_allclose(float(loss), -(weights * log_probs).sum(), rtol=1e-5)


@pytest.mark.slow
def test_samples_are_drawn_at_the_temperature(tmp_path, monkeypatch):
    drawn = []
    generate = ImageCaptioner.generate

    def spy(self, inputs, **options):
        drawn.append(self.sampler.get_config())
        return generate(self, inputs, **options)

    monkeypatch.setattr(ImageCaptioner, "generate", spy)
    train(tmp_path, epochs=1, learning_rate=0.0, temperature=0.5)
    assert {config["temperature"] for config in drawn} == {0.5}
