"""`fit`, `evaluate`, `predict` and `score` on strings, in all the forms people have them."""

import keras
import numpy as np
import pytest

from keras_s2s.data import BucketedBatches
from tests.layers.helpers import BACKEND, numpy
from tests.models.conftest import SOURCES, TARGETS
from tests.models.helpers import eager, log_softmax

tensorflow_text = pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")
import tensorflow as tf  # noqa: E402

COUNT = len(SOURCES)


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
    "dataset": lambda p: (as_dataset(),),
    "batched_dataset": lambda p: (as_dataset().batch(2),),
    "prepared_dataset": lambda p: (as_dataset().batch(COUNT).map(p),),
}


@pytest.fixture(scope="module")
def expected(translator):
    """What `evaluate` must give, from prepared tensors by hand."""
    x, labels, weight = translator.preprocessor(SOURCES, TARGETS)
    log_probs = log_softmax(numpy(translator({k: v.numpy() for k, v in x.items()})))
    labels, valid = labels.numpy(), weight.numpy() > 0
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


@pytest.mark.parametrize("form", FORMS)
def test_evaluate(form, eager_translator, expected):
    arguments = FORMS[form](eager_translator.preprocessor)
    result = eager_translator.evaluate(*arguments, verbose=0, return_dict=True)
    # Batches of two have another mean of losses than one of all.
    names = list(expected) if form != "batched_dataset" else ["perplexity", "token_accuracy"]
    assert {n: result[n] for n in names} == pytest.approx({n: expected[n] for n in names}, rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_fit(form, make_translator):
    """One batch of all, whatever the form: the same step."""
    model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.1))
    start = model.get_weights()
    again = eager(make_translator(), optimizer=keras.optimizers.SGD(0.1))
    for a, b in zip(start, again.get_weights()):
        np.testing.assert_array_equal(a, b)
    if form == "batched_dataset":
        data = (as_dataset().batch(COUNT),)
    else:
        data = FORMS[form](model.preprocessor)
    model.fit(*data, verbose=0, shuffle=form != "prepared_dataset")
    x, labels, weight = model.preprocessor(SOURCES, TARGETS)
    x = {name: value.numpy() for name, value in x.items()}
    again.fit(x, labels.numpy(), sample_weight=weight.numpy(), batch_size=COUNT, verbose=0)
    for a, b, c in zip(model.get_weights(), again.get_weights(), start):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert np.any(a != c)


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
    "prepared": lambda p: tuple(
        keras.tree.map_structure(lambda tensor: tensor.numpy(), p(SOURCES, TARGETS))
    ),
    "prepared_dataset": lambda p: as_dataset().batch(COUNT).map(p),
}


@pytest.mark.parametrize("form", PREPARED)
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
    batches = BucketedBatches.from_text(model.preprocessor, SOURCES, TARGETS, tokens_per_batch=60)
    history = model.fit(batches, validation_data=(SOURCES, TARGETS), verbose=0).history
    expected = model.evaluate(SOURCES, TARGETS, verbose=0, return_dict=True)
    assert history["val_perplexity"][0] == pytest.approx(expected["perplexity"], rel=1e-4)


@pytest.mark.parametrize("pairs", [False, True])
def test_validation_split_holds_out_the_end(pairs, make_translator):
    model = eager(make_translator(), optimizer=keras.optimizers.SGD(0.0))
    data = (list(zip(SOURCES, TARGETS)),) if pairs else (SOURCES, TARGETS)
    history = model.fit(*data, validation_split=0.4, verbose=0).history
    for part, rows in (("", slice(0, 3)), ("val_", slice(3, 5))):
        expected = model.evaluate(SOURCES[rows], TARGETS[rows], verbose=0, return_dict=True)
        assert history[f"{part}perplexity"][0] == pytest.approx(expected["perplexity"], rel=1e-4)


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
        model.fit(SOURCES, TARGETS, batch_size=1, epochs=2, shuffle=shuffle, verbose=0)
        return seen[-2 * COUNT : -COUNT], seen[-COUNT:]

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
        target_length = 8

        def __call__(self, source, target, sample=False):
            calls.append(sample)
            return preprocessor(source, target, sample=sample)

    model.preprocessor = Spy()
    model.fit(SOURCES, TARGETS, validation_data=(SOURCES, TARGETS), verbose=0)
    assert sorted(set(calls)) == [False, True]
    calls.clear()
    model.evaluate(SOURCES, TARGETS, verbose=0)
    assert set(calls) == {False}


def test_predict_on_pairs_gives_logits(eager_translator):
    logits = eager_translator.predict(list(zip(SOURCES, TARGETS)), verbose=0)
    x, _, _ = eager_translator.preprocessor(SOURCES, TARGETS)
    expected = numpy(eager_translator({k: v.numpy() for k, v in x.items()}))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_predictions_of_batches_of_unequal_width_are_joined(eager_translator):
    together = eager_translator.predict(list(zip(SOURCES, TARGETS)), verbose=0)
    one_by_one = eager_translator.predict(list(zip(SOURCES, TARGETS)), batch_size=1, verbose=0)
    _, _, weight = eager_translator.preprocessor(SOURCES, TARGETS)
    valid = weight.numpy() > 0
    assert isinstance(one_by_one, np.ndarray)
    np.testing.assert_allclose(one_by_one[valid], together[valid], atol=1e-5)


# Scores


def test_score_is_the_sum_of_log_probabilities(translator):
    x, labels, weight = translator.preprocessor(SOURCES, TARGETS)
    log_probs = log_softmax(numpy(translator({k: v.numpy() for k, v in x.items()})))
    chosen = np.take_along_axis(log_probs, labels.numpy()[..., None], axis=-1)[..., 0]
    expected = (chosen * weight.numpy()).sum(1)
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
        ((["a", "b"], ["c"]), ValueError, "2 and 1"),
        ((["a", "b"],), ValueError, "pairs.*item 0 being 'a'"),
        (([("a", "b"), ("c",)],), ValueError, "pairs.*item 1"),
        (("a", "b"), ValueError, "list"),
        ((tf.data.Dataset.from_tensor_slices(["a", "b"]),), ValueError, "pairs"),
    ],
)
def test_bad_data(method, data, error, message, translator):
    with pytest.raises(error, match=f"(?s){message}"):
        getattr(translator, method)(*data, verbose=0)
