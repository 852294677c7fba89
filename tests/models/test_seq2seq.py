"""The model on token ids: what needs neither strings nor TensorFlow."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s import decoding
from keras_s2s.layers import RNNDecoder, RNNEncoder
from keras_s2s.models import Seq2Seq, Translator
from keras_s2s.training import TokenCrossentropy
from tests.data.pairs import pair_batches
from tests.fewer import chosen
from tests.layers.helpers import BACKEND, numpy, randomize
from tests.models.helpers import (
    END,
    PAD,
    SOURCE_SIZE,
    TARGET_SIZE,
    eager,
    log_softmax,
    make_batch,
    make_model,
    make_simple_model,
    pad,
    same_weights,
)
from tests.word_layers import WordDecoder, WordEncoder


@pytest.mark.slow
def test_is_decoder_of_encoder():
    model = make_model()
    x, _, _ = make_batch()
    memory = model.encoder(x["encoder_token_ids"])
    expected = model.decoder(x["decoder_token_ids"], memory)
    np.testing.assert_allclose(numpy(model(x)), numpy(expected), atol=1e-6)
    assert model(x).shape == (*x["decoder_token_ids"].shape, TARGET_SIZE)


def test_plain_keras_model(capsys):
    model = make_model()
    assert isinstance(model, keras.Model)
    assert model.built and model.count_params() == sum(w.size for w in model.get_weights())
    model.summary(expand_nested=True)
    printed = capsys.readouterr().out
    assert "rnn_encoder" in printed and f"{model.count_params():,}" in printed
    assert [layer.name for layer in model.layers] == [model.encoder.name, model.decoder.name]


def test_translator_is_built_at_once():
    model = Translator(
        RNNEncoder(4, vocabulary_size=SOURCE_SIZE), RNNDecoder(TARGET_SIZE, 4), name="mine"
    )
    assert model.count_params() > 0 and model.name == "mine"


def test_parts_say_what_they_are():
    dense = keras.layers.Dense(3)
    with pytest.raises(TypeError, match="`encoder` must be a keras_s2s.layers.Encoder.*Dense"):
        Seq2Seq(dense, RNNDecoder(TARGET_SIZE, 4))
    with pytest.raises(TypeError, match="`decoder` must be a keras_s2s.layers.Decoder.*Dense"):
        Seq2Seq(RNNEncoder(4, vocabulary_size=SOURCE_SIZE), dense)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["greedy", "beam"])
def test_a_decoder_is_told_how_many_steps_it_takes_at_most(sampler):
    told = []

    class Told(WordDecoder):
        def start(self, memory, rows_per_example=1, max_length=None):
            told.append(max_length)
            return super().start(memory, rows_per_example, max_length)

    model = Seq2Seq(WordEncoder(4, SOURCE_SIZE), Told(TARGET_SIZE, 4))
    x, _, _ = make_batch()
    model(x)
    told.clear()
    model.generate({"encoder_token_ids": x["encoder_token_ids"]}, max_length=7, sampler=sampler)
    assert told and None not in told
    if BACKEND != "tensorflow":  # in whose graphs it may be a tensor
        assert set(told) == {7}


@pytest.mark.slow
def test_comes_compiled():
    model = make_simple_model()
    assert isinstance(model.loss, TokenCrossentropy) and isinstance(
        model.optimizer, keras.optimizers.Adam
    )
    if BACKEND == "tensorflow":
        assert model.jit_compile is False
    x, labels, weight = make_batch()
    result = model.evaluate(
        x, labels, sample_weight=weight, batch_size=2, verbose=0, return_dict=True
    )
    assert set(result) == {"loss", "perplexity", "token_accuracy"}


@pytest.mark.slow
def test_evaluate_counts_tokens_over_the_whole_set():
    """The metrics do; Keras's own mean of losses is over batches, by rows."""
    model = eager(make_simple_model())
    x, labels, weight = make_batch()
    result = model.evaluate(
        x, labels, sample_weight=weight, batch_size=4, verbose=0, return_dict=True
    )
    log_probs = log_softmax(numpy(model(x)))
    valid = weight > 0
    chosen = np.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
    assert result["perplexity"] == pytest.approx(np.exp(-chosen[valid].mean()), rel=1e-4)
    right = log_probs.argmax(-1) == labels
    assert result["token_accuracy"] == pytest.approx(right[valid].mean(), rel=1e-5)
    whole = model.evaluate(
        x, labels, sample_weight=weight, batch_size=6, verbose=0, return_dict=True
    )
    assert whole["loss"] == pytest.approx(-chosen[valid].mean(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("attention", chosen(["bahdanau", "luong", None], "bahdanau"))
def test_training_step_does_not_see_padding(attention):
    """Weights after one step of fit, with and without more columns and rows of padding."""
    outcomes = []
    for columns, rows in ((0, 0), (3, 2)):
        model = eager(make_model(attention), optimizer=keras.optimizers.SGD(0.1))
        x, labels, weight = keras.tree.map_structure(
            lambda a, n=rows: np.pad(a, ((0, n), (0, 0))), make_batch(padding=columns)
        )
        before = model.get_weights()
        model.fit(x, labels, sample_weight=weight, batch_size=len(labels), verbose=0)
        assert all(np.any(a != b) for a, b in zip(before, model.get_weights()))
        outcomes.append(model.get_weights())
    for a, b in zip(*outcomes):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.slow
def test_fit_learns():
    model = make_model(random_weights=False)
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    x, labels, weight = make_batch()
    history = model.fit(
        x, labels, sample_weight=weight, epochs=12, verbose=0, validation_data=(x, labels, weight)
    ).history
    assert set(history) == {
        f"{part}{name}"
        for part in ("", "val_")
        for name in ("loss", "perplexity", "token_accuracy")
    }
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert np.isfinite(history["val_perplexity"]).all()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX and PyTorch build no graph twice")
def test_a_first_step_is_traced_once(monkeypatch):
    traces = []
    step = Seq2Seq.train_step
    monkeypatch.setattr(Seq2Seq, "train_step", lambda *a: [traces.append(0), step(*a)][1])
    x, labels, weight = make_batch()
    make_model().fit(x, labels, sample_weight=weight, batch_size=len(labels), verbose=0)
    assert len(traces) == 1


class LateEncoder(WordEncoder):
    """Has a layer that is built when it is called."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.late = keras.layers.Dense(5)

    def call(self, inputs, **kwargs):
        memory = super().call(inputs, **kwargs)
        return {**memory, "values": self.late(memory["values"])}


@pytest.mark.thorough
@pytest.mark.slow
def test_layers_of_others_may_make_variables_when_they_are_called():
    model = Seq2Seq(LateEncoder(5, SOURCE_SIZE), WordDecoder(TARGET_SIZE, 5))
    model.build({"encoder_token_ids": (None, None), "decoder_token_ids": (None, None)})
    x, labels, weight = make_batch()
    history = model.fit(x, labels, sample_weight=weight, batch_size=len(labels), verbose=0)
    assert np.isfinite(history.history["loss"]).all() and model.encoder.late.built


@pytest.mark.thorough
@pytest.mark.slow
def test_fit_on_bucketed_batches():
    rng = np.random.default_rng(0)
    ids = [rng.integers(4, SOURCE_SIZE, length).tolist() for length in rng.integers(1, 6, 30)]
    batches = pair_batches(ids, ids, tokens_per_batch=48, max_buckets=2)
    model = eager(make_simple_model())
    history = model.fit(batches, validation_data=batches, verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["val_token_accuracy"][0] <= 1


def test_epochs_of_bucketed_batches_are_whole():
    """Keras would go on with the order of one epoch in the next, which has another."""
    batches = pair_batches([[4], [5, 6]] * 9, [[4], [5, 6]] * 9, 16, max_buckets=1)
    with pytest.raises(ValueError, match=rf"has {len(batches)} steps.*steps_per_epoch=2"):
        make_simple_model().fit(batches, steps_per_epoch=2)


@pytest.mark.slow
@pytest.mark.parametrize("policy", chosen(["mixed_bfloat16", "mixed_float16"], "mixed_float16"))
def test_mixed_precision_fit(policy):
    keras.config.set_dtype_policy(policy)
    model = eager(make_simple_model(), optimizer=keras.optimizers.Adam(0.02))
    x, labels, weight = make_batch()
    compute = policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(model(x).dtype) == compute
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    history = model.fit(x, labels, sample_weight=weight, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    result = model.generate({"encoder_token_ids": x["encoder_token_ids"]}, max_length=4)
    assert result["log_probs"].dtype == "float32" and np.isfinite(result["log_probs"]).all()


@pytest.mark.slow
def test_freezing_a_part():
    model = make_simple_model()
    model.encoder.trainable = False
    eager(model)
    x, labels, weight = make_batch()
    encoder, decoder = model.encoder.get_weights(), model.decoder.get_weights()
    model.fit(x, labels, sample_weight=weight, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(encoder, model.encoder.get_weights()))
    assert any(np.any(a != b) for a, b in zip(decoder, model.decoder.get_weights()))


@pytest.mark.slow
def test_predict_gives_logits():
    model = make_simple_model()
    x, _, _ = make_batch()
    np.testing.assert_allclose(model.predict(x, verbose=0), numpy(model(x)), atol=1e-5)


# Generation from tensors


def source_ids(rows=6):
    return {"encoder_token_ids": make_batch(rows)[0]["encoder_token_ids"]}


@pytest.mark.slow
def test_generate_is_the_sampler_on_the_memory():
    model = make_simple_model()
    inputs = source_ids(rows=20)
    beam = decoding.Beam(num_beams=3, num_return_sequences=2)
    result = model.generate(inputs, max_length=5, sampler=beam, return_attention=True)
    memory = model.encoder(inputs["encoder_token_ids"])
    rows = len(inputs["encoder_token_ids"])
    limits = np.full(rows, 5, "int32")  # the end is forced where the length runs out
    expected = beam(model.decoder, memory, 5, limits=limits, return_attention=True)
    assert all(type(value) is np.ndarray for value in result.values())
    # An empty source (just the end id) has an empty output, whatever the model says.
    filled = (inputs["encoder_token_ids"] != PAD).sum(1) > 1
    assert 4 < filled.sum() < 20
    for name, value in result.items():
        np.testing.assert_allclose(value[filled], numpy(expected[name])[filled], atol=1e-5)
    assert (result["token_ids"][~filled, 0] == [END, 0, 0, 0, 0]).all()


@pytest.mark.slow
def test_generate_sees_new_weights():
    """The compiled function holds no copy of them."""
    model = make_simple_model()
    inputs = source_ids()
    before = model.generate(inputs, max_length=4)
    randomize(model, seed=7)
    after = model.generate(inputs, max_length=4)
    fresh = make_simple_model()
    fresh.set_weights(model.get_weights())
    expected = fresh.generate(inputs, max_length=4)
    assert (after["log_probs"] != before["log_probs"]).any()
    np.testing.assert_allclose(after["log_probs"], expected["log_probs"], atol=1e-5)


@pytest.mark.slow
def test_scores_of_what_was_generated_agree_with_teacher_forcing():
    model = make_model()
    inputs = source_ids()
    sampler = decoding.Beam(num_beams=3, length_penalty=0.0)
    result = model.generate(inputs, max_length=6, sampler=sampler)
    ids = result["token_ids"][:, 0]
    shifted = np.concatenate([np.full((len(ids), 1), 2), ids[:, :-1]], axis=1)
    logits = numpy(model({**inputs, "decoder_token_ids": shifted.astype("int32")}))
    chosen = np.take_along_axis(log_softmax(logits), ids[..., None], axis=-1)[..., 0]
    expected = (chosen * (ids != PAD)).sum(1)
    np.testing.assert_allclose(result["log_probs"][:, 0], expected, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.slow
def test_beam_and_score_agree_with_exhaustive_search():
    """All outputs of at most three tokens, the end being forced there, by teacher forcing."""
    model = make_model(attention="luong", units=4)
    source = np.array([[5, 7, 4, END]], "int32")
    words = [i for i in range(TARGET_SIZE) if i not in (PAD, 2, END)]
    outputs = [(*start, END) for n in range(3) for start in itertools.product(words, repeat=n)]
    labels = pad(outputs)
    decoder = np.concatenate([np.full((len(labels), 1), 2), labels[:, :-1]], axis=1)
    x = {
        "encoder_token_ids": np.repeat(source, len(labels), 0),
        "decoder_token_ids": np.where(decoder == END, PAD, decoder).astype("int32"),
    }
    log_probs = log_softmax(numpy(model(x)))
    weight = (labels != PAD).astype("float32")
    expected = (np.take_along_axis(log_probs, labels[..., None], -1)[..., 0] * weight).sum(1)
    scored = model._functions.score(model)(x, labels, weight)
    np.testing.assert_allclose(numpy(scored), expected, atol=1e-4)
    best = np.argsort(-expected)[:5]
    beam = decoding.Beam(80, length_penalty=0.0, num_return_sequences=5)
    found = model.generate({"encoder_token_ids": source}, max_length=3, sampler=beam)
    np.testing.assert_array_equal(found["token_ids"][0], labels[best])
    np.testing.assert_allclose(found["log_probs"][0], expected[best], atol=1e-4)
    banned = next(int(token) for token in labels[best, 0] if token != END)
    limited = beam.from_config({**beam.get_config(), "banned_tokens": [banned]})
    free = (labels != banned).all(1)
    found = model.generate({"encoder_token_ids": source}, max_length=3, sampler=limited)
    best = np.argsort(np.where(free, -expected, np.inf))[:5]
    np.testing.assert_array_equal(found["token_ids"][0], labels[best])


@pytest.mark.thorough
@pytest.mark.slow
def test_sources_of_one_step_are_not_empty():
    """An id without an end, or a single vector."""
    features = Seq2Seq(RNNEncoder(4), RNNDecoder(TARGET_SIZE, 4))
    vector = np.ones((1, 1, 3), "float32")
    features({"encoder_token_ids": vector, "decoder_token_ids": np.array([[2]])})
    sampler = decoding.Greedy(min_length=4)
    for model, source in ((make_model(), np.array([[7]])), (features, vector)):
        found = model.generate({"encoder_token_ids": source}, sampler=sampler)
        assert found["lengths"][0, 0] > 4


@pytest.mark.thorough
@pytest.mark.slow
def test_default_length_follows_the_source_of_each_example():
    """So an example's output is not longer in the company of longer ones."""
    model = make_model()
    model.decoder.rnn_layers[0].cell.bias.assign(0 * model.decoder.rnn_layers[0].cell.bias.value)
    inputs = {"encoder_token_ids": np.array([[5, 3, 0, 0, 0], [5, 6, 7, 8, 3]], "int32")}
    sampler = decoding.Greedy(min_length=200)
    together = model.generate(inputs, sampler=sampler)
    assert together["lengths"][:, 0].tolist() == [2 * 2 + 10, 2 * 5 + 10]


@pytest.mark.slow
def test_draws_with_a_seed_repeat_and_without_differ():
    model = make_simple_model()
    inputs = source_ids()

    def draw(sampler):
        return model.generate(inputs, max_length=8, sampler=sampler)["token_ids"].tolist()

    assert draw(decoding.Random(seed=3)) == draw(decoding.Random(seed=3))
    assert draw(decoding.Random(seed=3)) != draw(decoding.Random(seed=4))
    assert draw("random") != draw("random")
    sampler = decoding.Random()
    assert draw(sampler) != draw(sampler)


def test_sampler_by_name_and_in_compile():
    model = make_simple_model()
    assert isinstance(model.sampler, decoding.Greedy)
    model.compile(sampler="beam")
    assert isinstance(model.sampler, decoding.Beam)
    model.compile()
    assert isinstance(model.sampler, decoding.Beam)
    assert isinstance(make_simple_model(sampler="random").sampler, decoding.Random)
    with pytest.raises(ValueError, match="telepathy"):
        model.compile(sampler="telepathy")


@pytest.mark.parametrize("max_length", [0, -1, 2.5, "4"])
def test_bad_max_length(max_length):
    with pytest.raises(ValueError, match="max_length"):
        make_simple_model().generate(source_ids(), max_length=max_length)


# Without a preprocessor, raw data are refused


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.fit(["a"], ["b"]),
        lambda model: model.evaluate(["a"], ["b"]),
        lambda model: model.predict([("a", "b")]),
        lambda model: model.generate("a"),
        lambda model: model.score("a", "b"),
    ],
    ids=["fit", "evaluate", "predict", "generate", "score"],
)
def test_raw_data_need_a_preprocessor(use):
    with pytest.raises(ValueError, match="preprocessor"):
        use(make_simple_model())


# Shared embeddings


def embeddings(model):
    return model.encoder.embedding, model.decoder.embedding


def test_shared_embedding_is_one_variable():
    model, apart = make_model(share=True), make_model()
    assert embeddings(model)[0] is embeddings(model)[1]
    assert sum("embedding" in w.path for w in model.weights) == 1
    assert apart.count_params() - model.count_params() == SOURCE_SIZE * 4
    assert len({id(w) for w in model.weights}) == len(model.weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    "copy", chosen(["clone_model", "from_config", "keras", "weights"], "keras")
)
def test_shared_embedding_stays_shared(copy, tmp_path):
    model = make_model(share=True)
    x, labels, weight = make_batch()
    if copy == "clone_model":
        again = keras.models.clone_model(model)
    elif copy == "from_config":
        again = Seq2Seq.from_config(model.get_config())
    elif copy == "keras":
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
    else:
        again = make_model(share=True, random_weights=False)
    again(x)
    assert embeddings(again)[0] is embeddings(again)[1]
    assert again.count_params() == model.count_params()
    if copy == "weights":
        model.save_weights(tmp_path / "model.weights.h5")
        again.load_weights(tmp_path / "model.weights.h5")
    elif copy != "keras":
        again.set_weights(model.get_weights())
    np.testing.assert_allclose(numpy(again(x)), numpy(model(x)), atol=1e-6)
    # And learns as one.
    eager(again).fit(x, labels, sample_weight=weight, verbose=0)
    assert embeddings(again)[0] is embeddings(again)[1]


@pytest.mark.parametrize(
    "encoder",
    [
        {"vocabulary_size": SOURCE_SIZE, "embedding_dim": 4},
        {"vocabulary_size": TARGET_SIZE, "embedding_dim": 3},
        {},
    ],
)
def test_sharing_needs_equal_embeddings(encoder):
    with pytest.raises(ValueError, match="(?s)share_embedding=True.*vocabulary.*embedding"):
        Seq2Seq(
            RNNEncoder(5, **encoder),
            RNNDecoder(TARGET_SIZE, 5, embedding_dim=4),
            share_embedding=True,
        )


def test_sharing_needs_a_new_encoder():
    encoder = RNNEncoder(5, vocabulary_size=TARGET_SIZE)
    encoder(np.ones((1, 2), "int32"))
    with pytest.raises(ValueError, match="share_embedding=True.*built"):
        Seq2Seq(encoder, RNNDecoder(TARGET_SIZE, 5), share_embedding=True)


# Saving


@pytest.mark.thorough
@pytest.mark.slow
def test_keras_file(tmp_path):
    model = make_model(attention="luong", sampler=decoding.Beam(num_beams=2, length_penalty=0.3))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    same_weights(again, model)
    assert again.sampler.get_config() == model.sampler.get_config()
    inputs = source_ids()
    expected = model.generate(inputs, max_length=5)
    for name, value in again.generate(inputs, max_length=5).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("jit", ["auto", True, False])
def test_keras_file_leaves_xla_to_the_backend(jit, tmp_path):
    model = make_simple_model()
    model.compile(jit_compile=jit)
    resolved = model.jit_compile
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_compile_config()["jit_compile"] == jit
    assert again.jit_compile == resolved


@pytest.mark.every_backend
@pytest.mark.slow
def test_keras_file_goes_on_training_where_it_stopped(tmp_path):
    """Optimizer with state, loss and metrics come back: one more step gives the same weights."""
    model = make_simple_model()
    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
        loss=TokenCrossentropy(label_smoothing=0.1),
        weighted_metrics=["accuracy"],
        run_eagerly=BACKEND != "jax",
    )
    x, labels, weight = make_batch()
    model.fit(x, labels, sample_weight=weight, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, keras.optimizers.SGD)
    assert numpy(again.optimizer.iterations) == 1
    assert numpy(again.optimizer.learning_rate) == pytest.approx(0.05)
    assert again.loss.label_smoothing == 0.1
    for each in (model, again):
        each.fit(x, labels, sample_weight=weight, verbose=0)
    for a, b in zip(again.get_weights(), model.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.slow
def test_callbacks(tmp_path):
    model = eager(make_simple_model(), optimizer=keras.optimizers.Adam(0.01))
    x, labels, weight = make_batch()
    best = tmp_path / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
        keras.callbacks.EarlyStopping("val_perplexity", patience=0, min_delta=1e9),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = model.fit(
        x,
        labels,
        sample_weight=weight,
        epochs=5,
        verbose=0,
        callbacks=callbacks,
        validation_data=(x, labels, weight),
    )
    assert len(history.epoch) == 2  # The first is the best; the second is none, so it stops.
    again = keras.models.load_model(best)
    result = again.evaluate(x, labels, sample_weight=weight, verbose=0, return_dict=True)
    assert result["loss"] == pytest.approx(min(history.history["val_loss"]), rel=1e-4)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    ["name", "values", "epochs"],
    [
        ("perplexity", [9.0, 5.0, 3.0, 4.0, 2.0], 4),
        ("token_accuracy", [0.1, 0.3, 0.5, 0.4, 0.6], 4),
    ],
)
def test_callbacks_know_what_is_better(name, values, epochs):
    """Whether more or less, without being told."""
    model = eager(make_simple_model())
    x, labels, weight = make_batch(rows=2)

    class Pretend(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs[name] = values[epoch]

    stop = keras.callbacks.EarlyStopping(name, patience=1)
    options = {"epochs": 5, "verbose": 0, "callbacks": [Pretend(), stop]}
    history = model.fit(x, labels, sample_weight=weight, **options)
    assert len(history.epoch) == epochs


@pytest.mark.thorough
@pytest.mark.slow
def test_backup_and_restore(tmp_path):
    """An interrupted fit goes on from its last epoch, and ends with the same weights."""
    x, labels, weight = make_batch()

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def train(folder, *callbacks):
        model = eager(make_simple_model(), optimizer=keras.optimizers.Adam(0.01))
        backup = keras.callbacks.BackupAndRestore(folder)
        history = model.fit(
            x, labels, sample_weight=weight, epochs=4, verbose=0, callbacks=[backup, *callbacks]
        )
        return model, history

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "interrupted", Interrupt())
    resumed, history = train(tmp_path / "interrupted")
    assert history.epoch == [2, 3]
    whole, _ = train(tmp_path / "whole")
    for a, b in zip(resumed.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.slow
def test_resumed_training_sees_the_batches_of_its_epoch():
    rng = np.random.default_rng(0)
    ids = [rng.integers(4, SOURCE_SIZE, length).tolist() for length in rng.integers(1, 6, 9)]
    sgd = keras.optimizers.SGD

    def make():
        return (
            eager(make_simple_model(), optimizer=sgd(0.1)),
            pair_batches(ids, ids, tokens_per_batch=72, max_buckets=1),
        )

    def fit(model, batches, **kwargs):
        model.fit(batches, verbose=0, **kwargs)

    whole, batches = make()
    fit(whole, batches, epochs=3)
    resumed, batches = make()
    fit(resumed, batches, epochs=2)
    fit(resumed, make()[1], initial_epoch=2, epochs=3)
    for a, b in zip(resumed.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-5)
    # Another call of fit counts from 0 again, but goes on to other batches.
    again, batches = make()
    for _ in range(3):
        fit(again, batches)
    for a, b in zip(again.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
def test_gradient_accumulation_and_global_clipping_work():
    model = make_simple_model()
    model.compile(
        optimizer=keras.optimizers.Adam(0.01, global_clipnorm=0.5, gradient_accumulation_steps=2),
        run_eagerly=BACKEND != "jax",
    )
    x, labels, weight = make_batch()
    before = model.get_weights()
    history = model.fit(x, labels, sample_weight=weight, batch_size=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights()))


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA is a choice on TensorFlow alone")
def test_fit_with_xla():
    x, labels, weight = make_batch()
    weights = []
    for jit_compile in (True, False):
        model = make_model(cell="rnn")
        model.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        model.fit(x, labels, sample_weight=weight, batch_size=6, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_ops_of_the_backend_alone():
    """The model runs on tensors of its backend as on arrays."""
    model = make_model()
    x, _, _ = make_batch()
    tensors = {name: ops.convert_to_tensor(value) for name, value in x.items()}
    np.testing.assert_array_equal(numpy(model(tensors)), numpy(model(x)))
