"""`fit`, `evaluate`, `predict` and `score` on strings, in all the forms people have them."""

import functools
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_s2s.data import Batches, TokensPerBatch
from tests.fewer import chosen
from tests.layers.helpers import BACKEND, numpy
from tests.models.conftest import SOURCES, TARGETS
from tests.models.helpers import eager, log_softmax

pytestmark = pytest.mark.slow

tensorflow_text = pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")
import tensorflow as tf  # noqa: E402

COUNT = len(SOURCES)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def make_translator(make_translator):
    """The forms of data are no matter of the layers."""
    return functools.partial(make_translator, simple=True)


@pytest.fixture(scope="module")
def translator(make_translator):
    """One for all tests that leave it as it is."""
    keras.utils.set_random_seed(1)
    return make_translator()


def as_dataset():
    return tf.data.Dataset.from_tensor_slices((SOURCES, TARGETS))


#: Arguments of `fit` and `evaluate`.
FORMS = {
    "lists": lambda p: (SOURCES, TARGETS),
    "tuples": lambda p: (tuple(SOURCES), tuple(TARGETS)),
    "bytes": lambda p: ([s.encode() for s in SOURCES], [t.encode() for t in TARGETS]),
    "numpy": lambda p: (np.array(SOURCES), np.array(TARGETS)),
    "numpy_objects": lambda p: (np.array(SOURCES, object), np.array(TARGETS, object)),
    "tensors": lambda p: (tf.constant(SOURCES), tf.constant(TARGETS)),
    "pairs": lambda p: (list(zip(SOURCES, TARGETS)),),
    "lists_of_two": lambda p: ([[s, t] for s, t in zip(SOURCES, TARGETS)],),
    "numpy_pairs": lambda p: (np.array([SOURCES, TARGETS]).T,),
    "dict": lambda p: ({"encoder_text": SOURCES, "decoder_text": TARGETS},),
    "dataset": lambda p: (as_dataset(),),
    "dataset_of_dicts": lambda p: (
        as_dataset().map(lambda s, t: {"encoder_text": s, "decoder_text": t}),
    ),
    "batched_dataset": lambda p: (as_dataset().batch(2),),
    "prepared_dataset": lambda p: (as_dataset().batch(COUNT).map(p),),
}


@pytest.fixture(scope="module")
def expected(translator):
    """What `evaluate` must give, from prepared tensors by hand."""
    x, labels, weight = translator.preprocessor(SOURCES, TARGETS)
    log_probs = log_softmax(numpy(translator(x)))
    labels, valid = labels, weight > 0
    chosen = np.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
    return {
        "loss": -chosen[valid].mean(),
        "perplexity": np.exp(-chosen[valid].mean()),
        "token_accuracy": (log_probs.argmax(-1) == labels)[valid].mean(),
    }


@pytest.fixture(scope="module")
def eager_translator(translator):
    compiled = eager(translator)
    yield compiled
    compiled.compile()


@pytest.mark.parametrize("form", chosen(FORMS, "lists", "batched_dataset"))
def test_evaluate(form, eager_translator, expected):
    arguments = FORMS[form](eager_translator.preprocessor)
    result = eager_translator.evaluate(*arguments, verbose=0, return_dict=True)
    # Batches of two have another mean of losses than one of all.
    names = list(expected) if form != "batched_dataset" else ["perplexity", "token_accuracy"]
    assert {n: result[n] for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-4)


@pytest.fixture(scope="module")
def one_step(make_translator):
    """Weights before and after one step on all pairs, as prepared tensors."""
    model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.1))
    start = model.get_weights()
    x, labels, weight = model.preprocessor(SOURCES, TARGETS)
    model.fit(x, labels, sample_weight=weight, batch_size=COUNT, verbose=0)
    return start, model.get_weights()


@pytest.mark.every_backend
@pytest.mark.parametrize("form", chosen(["lists", "prepared_dataset"], "lists"))
def test_fit(form, make_translator, one_step):
    """One batch of all, prepared or not: the same step."""
    start, after = one_step
    model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.1))
    for a, b in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    data = FORMS[form](model.preprocessor)
    model.fit(*data, verbose=0, shuffle=form != "prepared_dataset")
    for a, b, c in zip(model.get_weights(), after, start, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert np.any(a != c)


def rows(x, labels, weight):
    """The rows of a batch, in an order that depends on them alone."""
    table = np.concatenate([*(x[name] for name in sorted(x)), labels, weight], axis=1)
    return table[np.lexsort(table.T)]


@pytest.fixture(scope="module")
def recorder(make_translator):
    """A model that does not train, and the batches that it is given."""
    model, seen = eager(make_translator()), []
    model.fit(SOURCES, TARGETS, verbose=0)  # Builds the metrics.

    def step(batch):
        seen.append(keras.tree.map_structure(np.asarray, batch))
        return {"loss": 0.0}

    model.train_step = step
    model.make_train_function(force=True)
    return model, seen


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a step of training has another form")
@pytest.mark.parametrize("form", chosen(FORMS, *list(FORMS)[::3]))
def test_fit_on_every_form_gets_the_same_batch(form, recorder):
    model, seen = recorder
    seen.clear()
    if form == "batched_dataset":
        data = (as_dataset().batch(COUNT),)
    else:
        data = FORMS[form](model.preprocessor)
    model.fit(*data, verbose=0, shuffle=form != "prepared_dataset")
    [batch] = seen
    expected = keras.tree.map_structure(np.asarray, model.preprocessor(SOURCES, TARGETS))
    np.testing.assert_array_equal(rows(*batch), rows(*expected))


def test_fit_without_compile_lowers_the_loss(make_translator):
    """In a graph, as it comes."""
    model = make_translator()
    history = model.fit(SOURCES, TARGETS, epochs=8, batch_size=2, verbose=0).history
    assert len(history["loss"]) == 8 and history["loss"][-1] < history["loss"][0]


PREPARED = {
    "lists": lambda p: (SOURCES, TARGETS),
    "pairs": lambda p: list(zip(SOURCES, TARGETS)),
    "two_pairs": lambda p: [("eine Katze", "a cat"), ("Hund", "dog")],
    "dataset": lambda p: as_dataset(),
    "prepared": lambda p: tuple(keras.tree.map_structure(np.asarray, p(SOURCES, TARGETS))),
    "prepared_dataset": lambda p: as_dataset().batch(COUNT).map(p),
}


@pytest.mark.parametrize("form", chosen(PREPARED, "lists", "prepared_dataset"))
def test_validation_data(form, make_translator):
    model = eager(make_translator())
    data = PREPARED[form](model.preprocessor)
    history = model.fit(SOURCES, TARGETS, validation_data=data, verbose=0).history
    held_out = (SOURCES, TARGETS) if form != "two_pairs" else list(zip(*data))
    expected = model.evaluate(*held_out, verbose=0, return_dict=True)
    assert {f"val_{n}" for n in expected} < set(history)
    for name, value in expected.items():
        assert history[f"val_{name}"][0] == pytest.approx(value, rel=1e-4)


def test_raw_validation_data_beside_prepared_training_data(make_translator):
    """The other way round than above, and bucketed."""
    model = eager(make_translator())
    batches = Batches.from_raw(model.preprocessor, SOURCES, TARGETS, TokensPerBatch(60))
    history = model.fit(batches, validation_data=(SOURCES, TARGETS), verbose=0).history
    expected = model.evaluate(SOURCES, TARGETS, verbose=0, return_dict=True)
    assert history["val_perplexity"][0] == pytest.approx(expected["perplexity"], rel=1e-4)


def test_validation_data_win_over_a_split(make_translator):
    """As in Keras. And they come in batches of their own size."""
    model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.0))
    sizes = []

    class Watch(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            sizes.append(batch)

    history = model.fit(
        SOURCES,
        TARGETS,
        validation_split=0.4,
        validation_data=(SOURCES[:2], TARGETS[:2]),
        validation_batch_size=1,
        callbacks=Watch(),
        verbose=0,
    ).history
    held_out, every = (
        model.evaluate(SOURCES[:n], TARGETS[:n], verbose=0, return_dict=True) for n in (2, COUNT)
    )
    assert history["val_perplexity"][0] == pytest.approx(held_out["perplexity"], rel=1e-4)
    assert history["perplexity"][0] == pytest.approx(every["perplexity"], rel=1e-4)
    assert len(sizes) == 2


def test_arguments_are_in_the_order_of_keras(make_translator, capsys):
    model = eager(make_translator())
    model.evaluate(SOURCES, TARGETS, 2, 0)
    model.predict(list(zip(SOURCES, TARGETS)), 2, 0)
    history = model.fit(SOURCES, TARGETS, COUNT, 2, 0)
    assert history.epoch == [0, 1] and not capsys.readouterr().out


@pytest.mark.parametrize("name", ["sample_weight", "class_weight"])
def test_raw_data_bring_their_weights(name, translator):
    with pytest.raises(ValueError, match=f"(?s)`{name}` is not supported for raw data"):
        translator.fit(SOURCES, TARGETS, **{name: np.ones(COUNT)}, verbose=0)
    with pytest.raises(ValueError, match="`sample_weight`"):
        data = (SOURCES, TARGETS, np.ones(COUNT))
        translator.fit(SOURCES, TARGETS, validation_data=data, verbose=0)


def test_predict_on_a_dataset_without_end(eager_translator):
    some = eager_translator.predict(as_dataset().batch(2).repeat(), steps=2, verbose=0)
    assert len(some) == 4


@pytest.mark.thorough
@pytest.mark.parametrize("pairs", [False, True])
def test_validation_split_holds_out_the_end(pairs, make_translator):
    model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.0))
    data = (list(zip(SOURCES, TARGETS)),) if pairs else (SOURCES, TARGETS)
    history = model.fit(*data, validation_split=0.4, verbose=0).history
    for part, rows in (("", slice(0, 3)), ("val_", slice(3, 5))):
        expected = model.evaluate(SOURCES[rows], TARGETS[rows], verbose=0, return_dict=True)
        assert history[f"{part}perplexity"][0] == pytest.approx(expected["perplexity"], rel=1e-4)


@pytest.mark.thorough
def test_raw_lists_are_shuffled_unless_told_otherwise(make_translator):
    """Which batches a callback sees: rows of the source ids."""

    def order(shuffle):
        keras.utils.set_random_seed(5)
        model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.0))
        seen = []
        call = model.encoder.call

        def spy(inputs, **kwargs):
            seen.append(numpy(inputs)[0].tolist())
            return call(inputs, **kwargs)

        model.encoder.call = spy
        # Keras looks at the first batch once more, to build the model.
        some = SOURCES[:3], TARGETS[:3]
        model.fit(*some, batch_size=1, epochs=2, shuffle=shuffle, verbose=0)
        return seen[-6:-3], seen[-3:]

    if BACKEND == "jax":
        pytest.skip("a compiled step cannot be watched")
    first, second = order(False)
    assert first == second
    first, second = order(True)
    assert first != second and sorted(first) == sorted(second)


def test_sampling_tokenizer_samples_in_training_alone(make_translator, tokenizers):
    model = eager(make_translator())
    calls = []
    preprocessor = model.preprocessor

    class Spy:
        def __call__(self, source, target, sample=False):
            calls.append(sample)
            return preprocessor(source, target, sample=sample)

        def __getattr__(self, name):
            return getattr(preprocessor, name)

    model.preprocessor = Spy()
    model.fit(SOURCES, TARGETS, validation_data=(SOURCES, TARGETS), verbose=0)
    assert sorted(set(calls)) == [False, True]
    calls.clear()
    model.evaluate(SOURCES, TARGETS, verbose=0)
    assert set(calls) == {False}


def test_predict_on_pairs_gives_logits(eager_translator):
    logits = eager_translator.predict(list(zip(SOURCES, TARGETS)), verbose=0)
    x, _, _ = eager_translator.preprocessor(SOURCES, TARGETS)
    expected = numpy(eager_translator(x))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_predictions_of_batches_of_unequal_width_are_joined(eager_translator):
    together = eager_translator.predict(list(zip(SOURCES, TARGETS)), verbose=0)
    one_by_one = eager_translator.predict(list(zip(SOURCES, TARGETS)), batch_size=1, verbose=0)
    _, _, weight = eager_translator.preprocessor(SOURCES, TARGETS)
    valid = weight > 0
    assert isinstance(one_by_one, np.ndarray)
    np.testing.assert_allclose(one_by_one[valid], together[valid], atol=1e-5)


# Scores


@pytest.mark.every_backend
def test_score_is_the_sum_of_log_probabilities(translator):
    x, labels, weight = translator.preprocessor(SOURCES, TARGETS)
    log_probs = log_softmax(numpy(translator(x)))
    chosen = np.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
    expected = (chosen * weight).sum(1)
    for batch_size in (64, 2):
        scores = translator.score(SOURCES, TARGETS, batch_size=batch_size)
        assert isinstance(scores, np.ndarray) and scores.shape == (COUNT,)
        np.testing.assert_allclose(scores, expected, atol=1e-4)
    one = translator.score(SOURCES[1], TARGETS[1])
    assert isinstance(one, float) and one == pytest.approx(expected[1], abs=1e-4)
    np.testing.assert_allclose(
        translator.score(np.array(SOURCES), tuple(TARGETS)), expected, atol=1e-4
    )


def test_score_of_nothing_and_of_empty_strings(translator):
    assert translator.score([], []).shape == (0,)
    scores = translator.score(["", "Hund", ""], ["", "", "dog"])
    assert np.isfinite(scores).all() and (scores < 0).all()


def test_score_needs_as_many(translator):
    with pytest.raises(ValueError, match="inputs.*outputs.*2 and 1"):
        translator.score(["a", "b"], ["c"])
    with pytest.raises(ValueError, match="inputs.*outputs"):
        translator.score("a", ["b", "c"])


@pytest.mark.parametrize("bad", [None, 3, [None], [1.5]])
def test_score_of_what_is_no_text(bad, translator):
    for arguments in ((bad, "a"), ("a", bad)):
        with pytest.raises(TypeError):
            translator.score(*arguments)


# What Keras offers beside

CHILD = """
import sys
import keras, numpy as np, tensorflow as tf

tf.config.experimental.enable_op_determinism()
import keras_s2s
from tests.models.conftest import SOURCES, TARGETS

tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(SOURCES + TARGETS, 32)


def train():
    keras.utils.set_random_seed(3)
    model = keras_s2s.models.Translator(
        keras_s2s.layers.RNNEncoder(6, "rnn", vocabulary_size=32, dropout=0.2),
        keras_s2s.layers.RNNDecoder(32, 6, cell="rnn", attention="luong", dropout=0.2),
        keras_s2s.preprocessing.TextPairPreprocessor(tokenizer),
    )
    model.compile(optimizer=keras.optimizers.Adam(0.03), steps_per_execution=2)
    history = model.fit(SOURCES * 4, TARGETS * 4, batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["loss"][1] < history["loss"][0]
    return model


first, second = (train() for _ in range(2))
for a, b in zip(first.get_weights(), second.get_weights()):
    np.testing.assert_array_equal(a, b)
assert first.generate(SOURCES) == second.generate(SOURCES)
"""


@pytest.mark.thorough
@pytest.mark.skipif(BACKEND != "tensorflow", reason="switches of TensorFlow")
def test_determinism_and_steps_per_execution():
    result = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr


# Bad data


@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.parametrize(
    "data, error, message",
    [
        ((None, None), ValueError, "x"),
        ((["a", None], ["b", "c"]), TypeError, "`x`.*Element 1 is None"),
        ((["a", "b"], ["b", float("nan")]), TypeError, "`y`.*Element 1 is nan"),
        (([1, 2], [3, 4]), TypeError, "`x`.*Element 0 is 1"),
        ((["a"], [["b", "c"]]), TypeError, "`y`.*Element 0"),
        (([], []), ValueError, "no data.*x"),
        (([],), ValueError, "no data.*x"),
        ((["a", "b"], ["c"]), ValueError, "2 inputs and 1 outputs"),
        ((["a", "b"],), ValueError, "pairs.*item 0 being 'a'"),
        (([("a", "b"), ("c",)],), ValueError, "pairs.*item 1"),
        (("a", "b"), ValueError, "list"),
        ((tf.data.Dataset.from_tensor_slices(["a", "b"]),), ValueError, "pairs"),
        ((tf.data.Dataset.from_tensor_slices((["a"], ["b"])).take(0),), ValueError, "(?i)no|empty"),
        (({"encoder_text": ["a"]},), ValueError, "decoder_text.*encoder_text"),
        (({"encoder_text": ["a"], "decoder_text": ["b"]}, ["b"]), ValueError, "alone.*`y`"),
    ],
)
def test_bad_data(method, data, error, message, translator):
    with pytest.raises(error, match=f"(?s){message}"):
        getattr(translator, method)(*data, verbose=0)
