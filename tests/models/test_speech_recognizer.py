"""Speech in, text out: the same in every form, saved, exported, and learnt."""

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.decoding import Beam
from keras_s2s.layers import CTC, CTCPrefixScorer, RNNDecoder, SpeechEncoder
from keras_s2s.models import SpeechRecognizer
from keras_s2s.models._compiled_functions import score
from keras_s2s.models.times import token_times, word_times
from keras_s2s.preprocessing import (
    AudioColumn,
    LogMelSpectrogram,
    Preprocessor,
    SentencePieceTokenizer,
)
from keras_s2s.tokens import decoder_inputs
from tests.layers.helpers import numpy, randomize
from tests.preprocessing.test_wav_files import as_bits, wav

tf = pytest.importorskip("tensorflow")

RATE, SIZE = 8000, 12
TEXTS = ["low", "high low", ""]


def make_tokenizer():
    return SentencePieceTokenizer.train(["low high", "high low"], vocabulary_size=SIZE)


def make_model(tokenizer, language_model=True, **kwargs):
    mels = LogMelSpectrogram(RATE, num_mels=8, fft_length=128, window_length=100, hop_length=80)
    scorers = [CTCPrefixScorer(SIZE)]
    if language_model:
        scorers.append(RNNDecoder(SIZE, 5, cell="rnn", attention=None, bridge="zero"))
    model = SpeechRecognizer(
        SpeechEncoder(6, 8, filters=(3, 3), num_layers=1, cell="gru"),
        RNNDecoder(SIZE, 7, cell="rnn", attention="location_aware"),
        Preprocessor([AudioColumn(mels)], tokenizer, target_length=12),
        auxiliary_loss=CTC(SIZE),
        scorers=scorers,
        scorer_weights=[0.5, 0.3][: len(scorers)],
        sampler=Beam(3, banned_tokens=[1]),
        **kwargs,
    )
    return randomize(model, scale=0.8)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@pytest.fixture
def model(tokenizer):
    return make_model(tokenizer)


def tone(frequency, seconds):
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * frequency * time)).astype("float32")


def clips():
    noise = np.random.default_rng(0).normal(0, 0.01, 4000).astype("float32")
    return [tone(300, 0.3) + noise[:2400], tone(1500, 0.5) + noise, noise[:0]]


@pytest.mark.slow
def test_every_form_gives_the_same(model, tmp_path):
    """Files, samples of other rates, columns and data sets; texts, scores and times."""
    expected, scores = model.transcribe(clips(), return_scores=True)
    assert expected[2] == "" and any(expected)
    files = [wav(as_bits(clip, 32), bits=32, rate=RATE) for clip in clips()]
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    for path, contents in zip(paths, files):
        path.write_bytes(contents)
    stereo = [(np.stack([clip, clip], axis=1), RATE) for clip in clips()]
    dataset = tf.data.Dataset.from_tensor_slices(files)
    for form in (files, paths, tuple(map(str, paths)), stereo, dataset, dataset.batch(2)):
        texts, again = model.transcribe(form, return_scores=True)
        assert texts == expected
        np.testing.assert_allclose(again, scores, atol=1e-3)
    for i, clip in enumerate(clips()):
        text, score_alone = model.transcribe(clip, return_scores=True)
        assert text == expected[i] and score_alone == pytest.approx(scores[i], abs=1e-3)


@pytest.mark.slow
def test_scores_are_those_of_given_texts(model):
    x = model.preprocessor.generate_preprocess(clips())
    result = model.generate(x, sampler=Beam(3, 0.0))
    labels = result["token_ids"][:, 0]
    pairs = {**x, "decoder_token_ids": decoder_inputs(labels)}, labels, np.float32(labels != 0)
    scores = numpy(score(model, *pairs))
    np.testing.assert_allclose(scores, result["scores"][:, 0], atol=1e-3)
    given = model.score(clips(), TEXTS)
    model.compile(scorer_weights=[0, 0])
    assert model.fused_decoder is model.decoder
    assert not np.allclose(numpy(score(model, *pairs)), scores, atol=0.1)
    assert not np.allclose(model.score(clips(), TEXTS), given, atol=0.1)
    with pytest.raises(ValueError, match="one number for each scorer. Received: 1 for 2"):
        model.compile(scorer_weights=[1.0])


def of_scorers(model):
    return {id(variable) for scorer in model.scorers for variable in scorer.variables}


@pytest.mark.slow
def test_saved_and_preset_give_the_same(model, tmp_path):
    expected = model.transcribe(clips(), return_scores=True)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset", weights_dtype="float32")
    for again in (
        keras.models.load_model(tmp_path / "model.keras"),
        keras_s2s.zoo.load(tmp_path / "preset"),
    ):
        texts, scores = again.transcribe(clips(), return_scores=True)
        assert texts == expected[0]
        np.testing.assert_allclose(scores, expected[1], atol=1e-4)
        assert not of_scorers(again) & {id(v) for v in again.trainable_variables}


@pytest.mark.slow
def test_training_changes_the_model_and_not_its_scorers(model):
    of_language = [numpy(v) for v in model.scorers[1].weights]
    model.trainable = False
    model.trainable = True
    model.compile()
    assert not of_scorers(model) & {id(v) for v in model.trainable_variables}
    assert of_scorers(model) <= {id(v) for v in model.non_trainable_variables}
    assert len(model.variables) == len(model.trainable_variables + model.non_trainable_variables)
    before = [numpy(v) for v in model.trainable_variables]
    kernel = model.auxiliary_loss.projection.kernel
    assert any(variable is kernel for variable in model.trainable_variables)
    x, labels, weights = model.preprocessor(clips(), TEXTS)
    history = model.fit(x, labels, sample_weight=weights, verbose=0).history
    # Tokens alone; then with CTC, per token.
    plain = make_model(model.preprocessor.target_tokenizer)
    plain.auxiliary_loss = None
    of_tokens = plain.evaluate(x, labels, sample_weight=weights, verbose=0, return_dict=True)
    log_probs = model.encode(x)["ctc_log_probs"]
    assert log_probs.shape == (3, 13, SIZE)
    ctc = keras_s2s.layers.ctc
    fresh = make_model(model.preprocessor.target_tokenizer)
    memory = fresh.encode(x)
    added = ctc.mean_loss(memory["ctc_log_probs"], memory["mask"], x["decoder_token_ids"])
    assert history["loss"][0] == pytest.approx(of_tokens["loss"] + float(added), rel=1e-4)
    for old, new in zip(of_language, model.scorers[1].weights):
        np.testing.assert_array_equal(old, numpy(new))
    assert all(
        not np.array_equal(old, numpy(new)) for old, new in zip(before, model.trainable_variables)
    )


@pytest.mark.slow
@pytest.mark.long
def test_it_learns_what_is_said_and_when(tokenizer):
    """Two tones for two words, in strings of up to three with silence between them."""
    rng = np.random.default_rng(0)
    words = {"low": 300, "high": 1500}

    def string(number):
        parts, said, spans, at = [], [], [], 0.0
        for word in [*rng.choice(list(words), number), None]:
            parts.append(np.zeros(int(rng.uniform(0.1, 0.3) * RATE), "float32"))
            at += len(parts[-1]) / RATE
            if word is not None:
                parts.append(tone(words[word], rng.uniform(0.2, 0.35)))
                said.append(str(word))
                spans.append((at, at + len(parts[-1]) / RATE))
                at = spans[-1][1]
        noise = rng.normal(0, 1e-3, sum(map(len, parts))).astype("float32")
        return np.concatenate(parts) + noise, " ".join(said), spans

    made = [string(rng.integers(1, 4)) for _ in range(120)]
    model = make_model(tokenizer, language_model=False)
    randomize(model, scale=0.1)
    model = SpeechRecognizer(
        SpeechEncoder(16, 8, filters=(8, 8), num_layers=1, cell="gru"),
        RNNDecoder(SIZE, 24, attention="location_aware"),
        model.preprocessor,
        auxiliary_loss=CTC(SIZE),
        scorers=[CTCPrefixScorer(SIZE)],
        scorer_weights=[0.5],
    )
    model.compile(keras.optimizers.Adam(1e-2, global_clipnorm=1.0))
    x, labels, weights = model.preprocessor([m[0] for m in made[:100]], [m[1] for m in made[:100]])
    model.fit(x, labels, sample_weight=weights, epochs=25, batch_size=10, verbose=0)
    texts, looked = model.transcribe([m[0] for m in made[100:]], return_attention=True)
    right = [text == said for text, (_, said, _) in zip(texts, made[100:])]
    assert np.mean(right) >= 0.9
    errors = [
        abs(ours - theirs)
        for is_right, alignment, (_, said, spans) in zip(right, looked, made[100:])
        if is_right
        for (word, begin, end), true, (first, last) in zip(alignment.words, said.split(), spans)
        for ours, theirs in ((begin, first), (end, last))
        if word == true
    ]
    assert len(errors) > 40 and np.median(errors) < 0.15


def test_times_of_pieces_and_words():
    weights = np.zeros((5, 8), "float32")
    weights[0, 1] = weights[1, 2] = weights[2, 3] = 1
    weights[3, 4:8] = 0.25
    times = numpy(token_times({}, weights, 0.1))
    np.testing.assert_allclose(
        times, [[0.1, 0.2], [0.2, 0.3], [0.3, 0.4], [0.4, 0.7], [0, 0.1]], atol=1e-6
    )
    words = word_times(["▁a", "b", "▁", "cd", "</s>"], times)
    assert [word for word, _, _ in words] == ["ab", "cd"]
    np.testing.assert_allclose([t for _, *t in words], [[0.1, 0.3], [0.4, 0.7]], atol=1e-6)
    assert word_times(["</s>"], times) == []
    assert [word for word, _, _ in word_times(["yes", "no", "</s>"], times)] == ["yes", "no"]
    assert np.isnan(numpy(token_times({"spans": np.array([[[-1, -1]]])}, None, 0.1))).all()


@pytest.mark.slow
def test_parts_must_agree(tokenizer):
    model = make_model(tokenizer)
    encoder = SpeechEncoder(6, 8, filters=(3,), num_layers=1)
    decoder = RNNDecoder(SIZE, 7)
    with pytest.raises(ValueError, match="has 12 tokens, but the CTC was made with vocab.*=13"):
        SpeechRecognizer(encoder, decoder, model.preprocessor, auxiliary_loss=CTC(13))
    with pytest.raises(TypeError, match="`auxiliary_loss` must be a keras_s2s.layers.CTC"):
        SpeechRecognizer(encoder, decoder, model.preprocessor, auxiliary_loss="ctc")
    with pytest.raises(TypeError, match="must be a list with a number for each scorer"):
        SpeechRecognizer(encoder, decoder, model.preprocessor, scorer_weights=0.4)
    with pytest.raises(ValueError, match="one number for each scorer. Received: 1 for 0"):
        SpeechRecognizer(encoder, decoder, model.preprocessor, scorer_weights=[1.0])
    recognizer = SpeechRecognizer(
        encoder,
        decoder,
        model.preprocessor,
        scorers=[CTCPrefixScorer(SIZE)],
        scorer_weights=[1.0],
    )
    with pytest.raises(ValueError, match="reads 'ctc_log_probs', which the memory lacks"):
        recognizer.transcribe(clips()[0])
    with pytest.raises(ValueError, match="the encoder takes .None, 9.. Give both the same size"):
        SpeechRecognizer(SpeechEncoder(6, 9), RNNDecoder(SIZE, 7), model.preprocessor)


@pytest.mark.slow
def test_odd_clips(model, tmp_path):
    """One sample, silence and none have a result; what cannot be heard is named."""
    low = clips()[0]
    odd = [low, low[:1], np.zeros(3000, "float32"), low[:0], (low * 0.5, 11025)]
    texts = model.transcribe(odd)
    assert texts[0] == model.transcribe(low) and texts[3] == ""
    assert [model.transcribe(clip) for clip in odd] == texts
    path = tmp_path / "text.wav"
    path.write_bytes(b"This is no sound.")
    truncated = wav(as_bits(low, 16), rate=RATE)[:50]
    bad = [low, np.full(100, np.nan, "float32"), path, truncated, tmp_path / "none.wav"]
    for clip, message in (
        (bad[1], r"`inputs\[1\]`: the samples hold NaN or infinity"),
        (
            bad[2],
            r"'inputs\[1\]: .*text.wav' cannot be read \(17 bytes\): this is not an audio file",
        ),
        (bad[3], r"'inputs\[1\]' cannot be read \(50 bytes\)"),
        (bad[4], r"`inputs\[1\]`: there is no file '.*none.wav'"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            model.transcribe([low, clip])
    with pytest.warns(UserWarning, match="4 of 5 inputs could not be read, and gave None"):
        assert model.transcribe(bad, on_error="none") == [texts[0], None, None, None, None]


@pytest.mark.slow
def test_ensembles_hear_with_all_their_encoders(tokenizer):
    models = [make_model(tokenizer) for _ in range(2)]
    randomize(models[1], scale=0.8, seed=5)
    both = keras_s2s.models.ensemble(models)
    x = models[0].preprocessor.generate_preprocess(clips())
    log_probs = [numpy(model.encode(x)["ctc_log_probs"]) for model in (*models, both)]
    mean = (np.exp(log_probs[0]) + np.exp(log_probs[1])) / 2
    np.testing.assert_allclose(np.exp(log_probs[2]), mean, atol=1e-5)
    alone = keras_s2s.models.ensemble(models[:1])
    expected = models[0].transcribe(clips(), return_scores=True, return_attention=True)
    texts, scores, looked = alone.transcribe(clips(), return_scores=True, return_attention=True)
    assert texts == expected[0] and alone.scorer_weights == (0.5, 0.3)
    np.testing.assert_allclose(scores, expected[1], atol=1e-3)
    np.testing.assert_allclose(looked[0].times, expected[2][0].times, atol=1e-6)
    again = SpeechRecognizer.from_config(both.get_config())
    again.set_weights(both.get_weights())
    assert again.transcribe(clips()) == both.transcribe(clips())
