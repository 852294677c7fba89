"""From a recipe and clips to a recognizer whose language model and CTC were trained, too."""

import gc
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import keras_s2s
from keras_s2s import recipes, zoo
from keras_s2s.recipes import log_mels
from keras_s2s.recipes.log_mels import LogMels
from tests.data.test_speech_readers import archive
from tests.layers.helpers import numpy

pytest.importorskip("jiwer")

RATE = 8000
RECIPE = """
name = "tones"
task = "speech"
seed = 1
[data]
train = { files = ["tones.npz"], where = { split = "train" }, joined = { group = "speaker", count = 40, longest = 2 } }
valid = { files = ["tones.npz"], where = { split = "valid" } }
tests = { tones = { files = ["tones.npz"], where = { split = "valid" } } }
[tokenizer]
vocabulary_size = 12
length = 30
[model]
cell = "gru"
encoder_units = 6
decoder_units = 8
embedding_dim = 6
attention = "location_aware"
dropout = 0.1
[sound]
sample_rate = 8000
num_mels = 8
fft_length = 128
window_length = 100
hop_length = 80
speeds = [0.9, 1.0, 1.1]
normalization = "stored"
filters = [4, 4]
time_masks = 1
ctc_weight = 1.0
[language_model]
units = 6
embedding_dim = 5
cell = "rnn"
[stages.language]
part = "language_model"
epochs = 2
batch_size = 8
learning_rate = 0.01
[stages.all]
epochs = 2
batch_size = 8
learning_rate = 0.01
shortest_first = 1
[decoding]
num_beams = 2
ctc_weight = 0.5
language_model_weight = 0.2
"""  # noqa: E501


def tones(path):
    """An archive of 24 clips: two tones, spoken so to say by two speakers."""
    clips = []
    for i in range(24):
        time = np.arange(RATE // 4) / RATE
        clips.append(120 + 100 * np.sin(2 * np.pi * (300, 1500)[i % 2] * (1 + i / 500) * time))
    samples = np.concatenate(clips).astype("uint8")
    return archive(
        path,
        audio_mulaw=samples,
        mulaw_table=(100 * np.arange(-128, 128)).astype("int16"),
        offsets=np.arange(25) * (RATE // 4),
        text=np.array(["low", "high"] * 12),
        label=None,
        speaker=np.arange(24) // 2 % 2,
        split=np.array(["train"] * 18 + ["valid"] * 6),
    )


@pytest.fixture
def data(tmp_path):
    tones(tmp_path / "tones.npz")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.long
@pytest.mark.slow
def test_train_evaluate_transcribe(data, capsys, monkeypatch):
    """Interrupted in the first stage, which trains the language model alone."""
    save = keras_s2s.callbacks.Resume.on_epoch_end

    def interrupt(self, *values):
        save(self, *values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keras_s2s.callbacks.Resume, "on_epoch_end", interrupt)
        # Keras leaves its log open.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            with pytest.raises(KeyboardInterrupt):
                recipes.train(data / "recipe.toml", data / "run")
            gc.collect()
    preset = recipes.train(data / "recipe.toml", data / "run")
    printed = capsys.readouterr().out
    assert "stage language" in printed and "40 texts" in printed and "40 clips" in printed
    assert "val_wer" in printed
    model = zoo.load(preset)
    of_language = model.scorers[1]
    assert model.scorer_weights == (0.5, 0.2)
    with np.load(data / "run" / "language.npz") as after_language:
        trained = [numpy(v) for v in of_language.weights]
        stored = [after_language[name] for name in after_language.files]
        for weight in trained:
            assert any(
                w.shape == weight.shape and np.allclose(w, weight, atol=2e-3) for w in stored
            )
    # Of the training clips as they are, at no other speed.
    column = model.preprocessor.raw
    recipe = recipes.read(preset / "recipe.toml")
    clips, _ = recipe.read(recipe.data.train, data)
    log_mels = numpy(column.encode(column.as_batch(clips)))
    mean = log_mels[log_mels.any(axis=-1)].mean(axis=0)
    np.testing.assert_allclose(numpy(model.encoder.mean), mean, atol=0.01)
    figures = recipes.evaluate(model, recipe, data)
    assert [figure["name"] for figure in figures] == ["WER", "CER"]
    assert model.transcribe(clips[:2]) == zoo.load(preset).transcribe(clips[:2])


def test_clips_of_an_epoch_are_those_of_all_sets(data):
    recipe = recipes.read(data / "recipe.toml")
    clips, texts = recipe.read(recipe.data.train, data)
    assert len(clips) == len(texts) == 40 and {len(t.split()) for t in texts} == {1, 2}
    assert clips.names[3] == "tones.npz, put together, 3"
    sets = [
        {"files": ["tones.npz"], "where": {"split": s}, "times": n}
        for s, n in (("train", 1), ("valid", 2))
    ]
    clips, texts = recipe.read(sets, data)
    assert len(clips) == len(texts) == len(clips.names) == 18 + 12
    (data / "clips.tsv").write_text("a.wav\tlow\n")
    (data / "a.wav").touch()
    clips, texts = recipe.read(["clips.tsv"], data)
    assert clips == clips.names == [str(data / "a.wav")] and texts == ["low"]


@pytest.mark.slow
def test_spectrograms_are_those_of_the_column(data, monkeypatch):
    recipe = recipes.read(data / "recipe.toml")
    clips, column = recipe.read(recipe.data.valid, data)[0], recipe.sound.column()
    waveforms = column.as_batch(clips)
    plain = LogMels(column, clips, False, 0)
    np.testing.assert_allclose(plain([3, 1]), numpy(column.encode(waveforms))[[3, 1]], atol=1e-4)
    of_speed = {speed: numpy(column.at_speed(waveforms, speed)) for speed in column.speeds}
    frames = {len(one[0]): speed for speed, one in of_speed.items()}
    assert len(frames) == 3
    for room in (2**20, 0):
        monkeypatch.setattr(log_mels, "ROOM", room)
        drawn, seen = LogMels(column, clips, True, 0), set()
        drawn.batches = SimpleNamespace()
        for drawn.batches.epoch in range(8):
            for row, made in zip((2, 0), drawn([2, 0])):
                made = made[made.any(axis=-1)]
                seen.add(speed := frames[len(made)])
                np.testing.assert_allclose(made, of_speed[speed][row], atol=1e-4)
        assert seen == set(column.speeds) and bool(drawn.kept) == bool(room)


@pytest.mark.parametrize(
    ["changes", "message"],
    [
        (["task=translation"], "'where' of a set is for speech"),
        (["sound.ctc_weight=0"], "'ctc_weight' needs a CTC that was trained"),
        (["language_model="], "belong together"),
        (["stages.all.objective=self_critical"], "'objective' can only be 'cross_entropy'"),
        (["stages.language="], "belong together"),
        (["decoding.ctc_weight=-1"], "'ctc_weight' must be at least 0"),
        (
            ["stages.all.texts_only=true", "stages.all.freeze=encoder"],
            "'texts_only' needs|can only",
        ),
        (["sound.normalization=batch"], "must be one of 'utterance', 'stored'"),
        (["model.copy=true"], "'copy' can only be False"),
        (["sound.filter=[1]"], "Did you mean 'filters'"),
        (["data.train={ files = ['a.npz'], prefix = 'x' }"], "'prefix' of a set is for texts"),
        (["data.train={ files = ['a.npz'], joined = { longest = 2 } }"], "must have a 'group'"),
    ],
)
def test_bad_recipes(data, changes, message):
    with pytest.raises(recipes.RecipeError, match=message):
        recipes.read(data / "recipe.toml", changes)


def test_bad_sets(data):
    recipe = recipes.read(data / "recipe.toml")
    for split, message in (
        (["a.wav", "b.txt"], "a set of speech is one file or folder"),
        ({"files": ["clips.tsv"], "where": {"split": "train"}}, "'where' is for an archive"),
    ):
        with pytest.raises(recipes.RecipeError, match=message):
            recipe.read(split, data)
    (data / "clips.tsv").write_text("a.wav\tlow\nb.wav\thigh\n")
    (data / "clips").mkdir()
    (data / "clips" / "a.wav").touch()
    recipe = recipes.read(data / "recipe.toml", ["data.clips=clips"])
    with pytest.raises(recipes.RecipeError, match="1 of the 2 clips .* are not there, .*b.wav"):
        recipe.read(["clips.tsv"], data)


def test_transcripts_without_room_are_told(data):
    recipe = recipes.read(data / "recipe.toml")
    (clips, _), column = recipe.read(recipe.data.valid, data), recipe.sound.column()
    ids = [[5, 6], [5, 5, 5, 5], [5] * 9, *[[5]] * 3]
    log_mels = LogMels(column, clips, False, 0)
    log_mels.tell_short(ids, 4)  # 26 frames, 7 positions
    log_mels([0, 1, 2, 3])
    with pytest.warns(UserWarning, match="1 of 6 transcripts have more tokens than"):
        log_mels([4, 5])
    log_mels([2])
