"""Columns of tables, and raw data that Python code gives, in every method of a model."""

import functools
import itertools
import warnings

import keras
import numpy as np
import pytest

from keras_s2s import data, decoding, evaluation
from keras_s2s.callbacks import GenerationMetrics, TensorBoard
from tests.columns import COLUMNS, Frame, Lazy, Series
from tests.fewer import chosen
from tests.layers.helpers import numpy
from tests.models.conftest import SOURCES, TARGETS
from tests.models.helpers import eager

pytest.importorskip("tensorflow_text", reason="strings need TensorFlow Text")
import tensorflow as tf  # noqa: E402

COUNT = len(SOURCES)
BAD_SIZES = [-1, 0, 2.5, True, "8"]


@pytest.fixture(scope="module")
def make(make_translator):
    def make():
        optimizer = keras.optimizers.SGD(0.0)
        return eager(make_translator(simple=True, target_length=20), optimizer=optimizer)

    return make


@pytest.fixture(scope="module")
def model(make):
    """One for all tests that leave it as it is."""
    keras.utils.set_random_seed(1)
    return make()


@pytest.fixture(scope="module")
def expected(model):
    return weighted(model.evaluate(SOURCES, TARGETS, verbose=0, return_dict=True))


def weighted(logs, prefix=""):
    """The figures that do not depend on batches."""
    names = "perplexity", "token_accuracy"
    return pytest.approx({n: np.ravel(logs[f"{prefix}{n}"])[-1] for n in names}, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("form", chosen(COLUMNS, *list(COLUMNS)[::3]))
def test_columns_in_every_method(form, model, expected):
    def columns():
        return COLUMNS[form](SOURCES), COLUMNS[form](TARGETS)

    assert weighted(model.evaluate(*columns(), verbose=0, return_dict=True)) == expected.expected
    assert model.generate(columns()[0]) == model.generate(SOURCES)
    np.testing.assert_allclose(model.score(*columns()), model.score(SOURCES, TARGETS), atol=1e-4)
    _, targets = columns()
    assert evaluation.score(targets, columns()[1], "chrf")["chrf"].value == pytest.approx(100)
    metrics = GenerationMetrics(*columns(), limit=3)
    assert metrics.inputs == SOURCES[::2] and metrics.references == TARGETS[::2]
    plan = data.ExamplesPerBatch(COUNT)
    x, labels, _ = data.Batches.from_raw(model.preprocessor, *columns(), plan, shuffle=False)[0]
    texts = model.preprocessor.generate_postprocess(labels)
    assert sorted(texts) == sorted(TARGETS)


@pytest.mark.slow
def test_tensorboard_shows_columns(tmp_path):
    pytest.importorskip("tensorboard")
    board = TensorBoard(tmp_path, Series(SOURCES), Series(TARGETS), attention_examples=0)
    assert board.examples == SOURCES and board.references == TARGETS


@pytest.mark.slow
@pytest.mark.parametrize("form", chosen(["series", "lazy", "generator"], "series"))
def test_validation_split_of_columns_holds_out_the_end(form, make, model):
    data = COLUMNS[form](SOURCES), COLUMNS[form](TARGETS)
    history = make().fit(*data, validation_split=0.4, verbose=0).history
    for part, rows in (("", slice(0, 3)), ("val_", slice(3, 5))):
        logs = model.evaluate(SOURCES[rows], TARGETS[rows], verbose=0, return_dict=True)
        assert weighted(history, part) == weighted(logs).expected


def batches(size=2):
    for i in range(0, COUNT, size):
        yield SOURCES[i : i + size], TARGETS[i : i + size]


class Batches(keras.utils.PyDataset):
    def __init__(self, sources=SOURCES, targets=TARGETS, **kwargs):
        super().__init__(**kwargs)
        self.sources, self.targets, self.calls = sources, targets, []

    def __len__(self):
        return -(-len(self.sources) // 2)

    def __getitem__(self, index):
        rows = slice(2 * index, 2 * index + 2)
        return np.array(self.sources, object)[rows], self.targets[rows]

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


class Loader:
    """As PyTorch's DataLoader."""

    def __iter__(self):
        return (list(batch) for batch in batches())

    def __len__(self):
        return 3


PYTHON = {
    "generator_of_batches": batches,
    "iterator_of_pairs": lambda: zip(SOURCES, TARGETS),
    "rows": lambda: ({"encoder_text": s, "decoder_text": t} for s, t in zip(SOURCES, TARGETS)),
    "py_dataset": Batches,
    "loader": Loader,
}


@pytest.mark.slow
@pytest.mark.parametrize("form", chosen(PYTHON, "py_dataset"))
def test_python_gives_raw_data(form, make, expected):
    """In two epochs the same twice, though a generator can be read once."""
    model, data = make(), PYTHON[form]()
    history = model.fit(data, validation_data=PYTHON[form](), epochs=2, verbose=0).history
    assert len(history["loss"]) == 2
    for prefix in ("", "val_"):
        assert weighted(history, prefix) == expected.expected
    if form == "py_dataset":
        # On JAX and PyTorch, Keras reads a batch to build itself before the first epoch.
        assert data.calls[-4:] == ["begin", "end"] * 2
        assert len(data.calls) == 4 + 2 * (keras.backend.backend() != "tensorflow")
    assert model.predict(PYTHON[form](), verbose=0).shape[0] == COUNT


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="there Keras reads a batch to build itself"
)
@pytest.mark.parametrize("form", ["batches", "pairs"])
def test_a_generator_goes_on_in_the_next_epoch(form, make, expected):
    """It has just enough for two: were a batch lost between them, Keras would warn."""
    one_epoch = list(batches()) if form == "batches" else list(zip(SOURCES, TARGETS))
    data = itertools.chain(one_epoch, one_epoch)
    steps = 3 if form == "batches" else 1
    history = make().fit(data, steps_per_epoch=steps, batch_size=5, epochs=2, verbose=0).history
    assert len(history["loss"]) == 2 and weighted(history) == expected.expected


@pytest.mark.slow
def test_prepared_generators_are_left_to_keras(model, expected):
    x, labels, weights = model.preprocessor(SOURCES, TARGETS)
    data = (batch for batch in [(x, labels, weights)])
    with warnings.catch_warnings():
        # Keras cannot know how many batches will come.
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        logs = model.evaluate(data, verbose=0, return_dict=True)
    assert weighted(logs) == expected.expected


def test_inputs_of_batches(model):
    assert model.generate(Batches()) == model.generate(SOURCES)


# One batch


@pytest.mark.slow
def test_methods_of_one_batch(make, model, expected):
    data = Series(SOURCES), Series(TARGETS)
    logs = model.test_on_batch(*data, return_dict=True)
    assert weighted(logs) == expected.expected
    pairs = list(zip(SOURCES, TARGETS))
    logits = numpy(model.predict_on_batch(pairs))
    x, _, _ = model.preprocessor(SOURCES, TARGETS)
    whole = numpy(model(x))
    np.testing.assert_allclose(logits, whole, atol=1e-5)
    trained, other = make(), make()
    for one in (trained, other):
        one.optimizer.learning_rate = 0.1
    loss = trained.train_on_batch(*data, return_dict=True)["loss"]
    assert other.fit(SOURCES, TARGETS, verbose=0).history["loss"] == pytest.approx([loss], rel=1e-4)
    for a, b in zip(trained.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


# What is refused


@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
@pytest.mark.parametrize("inputs", ["a text", ["two", "texts"], Series(SOURCES)])
def test_predict_says_that_generate_makes_texts(inputs, method, model):
    with pytest.raises(ValueError, match=f"`{method}` needs pairs.*`generate"):
        getattr(model, method)(inputs)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.fit(Frame()), "`x` is a whole table.*'de', 'en'"),
        (lambda m: m.evaluate(SOURCES, Frame()), "`y` is a whole table"),
        (
            lambda m: m.fit(SOURCES, TARGETS, validation_data=Frame()),
            "`validation_data` is a whole",
        ),
        (lambda m: m.generate(Frame()), "`inputs` is a whole table"),
        (lambda m: m.score(SOURCES, Frame()), "`outputs` is a whole table"),
        (lambda m: GenerationMetrics(Frame(), TARGETS), "`inputs` is a whole table"),
        (lambda m: GenerationMetrics(SOURCES, Frame()), "`references` is a whole table"),
        (lambda m: GenerationMetrics(["a"], [None]), "`references`.*Element 0 is None"),
        (lambda m: evaluation.score("a dog", "a dog"), "`hypotheses` must be a list"),
        (lambda m: evaluation.score(["a", None], ["a", "b"]), "`hypotheses`.*Element 1 is None"),
        (lambda m: m.fit(set(SOURCES), set(TARGETS)), "`x` is a set"),
        (lambda m: m.evaluate(Batches(["a", None], ["b", "c"])), "`x`.*Element 1 is None"),
        (
            lambda m: data.Batches({"decoder_token_ids": [["a dog"]]}),
            "`decoder_token_ids`.*Element 0",
        ),
        (lambda m: data.Batches({"decoder_token_ids": [[[5], ["a dog"]]]}), r"\[0\]`.*'a dog'"),
    ],
)
def test_wrong_types_are_named(call, message, model):
    with pytest.raises(TypeError, match=message):
        call(model)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.fit(iter([]), verbose=0), "no data.*`x`.*once"),
        (lambda m: m.generate(iter([])), "`inputs`.*nothing to give"),
        (lambda m: m.fit(tf.ragged.constant([["a"], ["b"]]), ["a", "b"]), "`x` is a RaggedTensor"),
        (lambda m: m.evaluate(Batches(["a", "b"], ["c"])), "as many.*2 and 1"),
        (lambda m: m.fit({"de": SOURCES, "en": TARGETS}), "'encoder_text'.*'de', 'en'"),
        (lambda m: m.train_on_batch("a", "b"), "`x` must be a list"),
        (lambda m: m.train_on_batch(SOURCES), "pairs"),
        (lambda m: m.test_on_batch(SOURCES, TARGETS, np.ones(5)), "`sample_weight`"),
        (lambda m: m.generate(SOURCES, on_error="ignore"), "'raise', 'none'.*'ignore'"),
        (lambda m: m.generate(SOURCES, max_length=True), "`max_length`.*True"),
        (lambda m: GenerationMetrics(SOURCES, TARGETS, max_length=0), "`max_length`.*0"),
    ],
)
def test_wrong_values_are_named(call, message, model):
    with pytest.raises(ValueError, match=message):
        call(model)


SIZED = {
    "fit": lambda m, n: m.fit(SOURCES, TARGETS, batch_size=n, verbose=0),
    "validation": lambda m, n: m.fit(SOURCES, TARGETS, validation_batch_size=n, verbose=0),
    "evaluate": lambda m, n: m.evaluate(SOURCES, TARGETS, batch_size=n, verbose=0),
    "predict": lambda m, n: m.predict(list(zip(SOURCES, TARGETS)), batch_size=n, verbose=0),
    "generate": lambda m, n: m.generate(SOURCES, batch_size=n),
    "score": lambda m, n: m.score(SOURCES, TARGETS, batch_size=n),
    "metrics": lambda m, n: GenerationMetrics(SOURCES, TARGETS, batch_size=n),
    "examples": lambda m, n: data.ExamplesPerBatch(batch_size=n),
    "similar": lambda m, n: data.SimilarLengths(batch_size=n),
}


@pytest.mark.parametrize("entry", SIZED)
def test_batch_sizes(entry, model):
    for size in BAD_SIZES:
        with pytest.raises(ValueError, match="batch_size` must be an int, at least 1"):
            SIZED[entry](model, size)


@pytest.mark.slow
@pytest.mark.parametrize("entry", chosen(SIZED, "fit", "generate", "examples"))
def test_integers_of_numpy(entry, make):
    SIZED[entry](make(), np.int64(2))


def test_max_length_of_numpy(model):
    assert model.generate(SOURCES, max_length=np.int32(3)) == model.generate(SOURCES, max_length=3)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("method", ["generate", "score"])
def test_inside_of_a_graph(method, model):
    call = getattr(model, method)
    arguments = 1 if method == "generate" else 2
    for run in (
        lambda: tf.function(call)(*[tf.constant(SOURCES)] * arguments),
        lambda: tf.data.Dataset.from_tensors((SOURCES,) * arguments).map(call),
    ):
        with pytest.raises(RuntimeError, match=f"`{method}`.*tf.data.*dataset.*export"):
            run()


# Inputs that cannot be read


@pytest.mark.slow
@pytest.mark.parametrize("return_several", [False, True])
def test_unreadable_texts_give_none(return_several, model):
    options = {"return_scores": True, "return_attention": True}
    if return_several:
        options["sampler"] = decoding.Beam(2, num_return_sequences=2)
    generate = functools.partial(model.generate, batch_size=2, **options)
    mixed = [SOURCES[0], None, SOURCES[1], 3.5, SOURCES[2]]
    with pytest.warns(UserWarning, match="2 of 5.*None.*Element 1 is None") as told:
        columns = generate(mixed, on_error="none")
    assert len([w for w in told if issubclass(w.category, UserWarning)]) == 1
    assert columns[0][::2] == generate(SOURCES[:3])[0]
    for column in columns:
        assert [value is None for value in column] == [False, True, False, True, False]
    with pytest.raises(TypeError, match="Element 1 is None"):
        generate(mixed)
    with pytest.warns(UserWarning, match="1 of 1"):
        assert model.generate(Lazy([None]), on_error="none") == [None]
