import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.preprocessing.as_column import as_column, part
from keras_s2s.preprocessing.text import as_list, as_rows, as_texts
from tests.columns import COLUMNS, Frame, Lazy, Missing, Polars, Series

TEXTS = ["b", "Grüße", "a c"]
BYTES = [text.encode() for text in TEXTS]
ROWS = [["a", "b"], ["c"], ["d", "e"]]


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.array(TEXTS)[2 * index : 2 * index + 2]


FORMS = COLUMNS | {
    "mixed": lambda values: [values[0], values[1].encode(), np.str_(values[2])],
    "dataset": tf.data.Dataset.from_tensor_slices,
    "batched_dataset": lambda values: tf.data.Dataset.from_tensor_slices(values).batch(2),
    "tensors": lambda values: [tf.constant(value) for value in values],
    "py_dataset": lambda values: Batches(),
}


@pytest.mark.parametrize("form", FORMS)
def test_values_come_by_position(form):
    assert as_list(FORMS[form](TEXTS)) == (BYTES, False)


@pytest.mark.parametrize("form", COLUMNS)
def test_columns_of_lists(form):
    assert as_texts(COLUMNS[form](ROWS)) == ROWS
    assert as_texts([COLUMNS[form](row) for row in ROWS]) == ROWS


def test_rows_of_ragged_tensors_and_single_texts():
    assert as_texts(tf.ragged.constant(ROWS)) == ROWS
    assert as_rows(["a", [b"b"]]) == [b"a", [b"b"]]


def test_what_can_be_read_again_is():
    series = Series(TEXTS)
    assert list(as_column(series)) == list(as_column(series)) == TEXTS


def test_an_iterator_is_not_silently_empty_the_second_time():
    iterator = iter(TEXTS)
    assert as_list(iterator, "x")[0] == BYTES
    with pytest.raises(ValueError, match="`x`.*nothing to give.*read before.*list"):
        as_list(iterator, "x")


def test_parts_are_read_when_asked_for():
    column = as_column(Lazy(TEXTS))
    assert column.values == TEXTS
    head, tail = part(column, range(2)), part(column, range(2, 3))
    assert (list(head), list(tail), list(head[1:])) == (TEXTS[:2], TEXTS[2:], TEXTS[1:2])
    assert part(TEXTS, range(1, 3)) == TEXTS[1:]


@pytest.mark.parametrize(
    "inputs, message",
    [
        (Frame(), r"`x` is a whole table \(Frame\).*\['de', 'en'\].*table\[\"de\"\]"),
        ({"a", "b"}, "`x` is a set.*sorted"),
        (Series(["a", None]), "Element 1 is None.*missing"),
        (Series(["a", float("nan")]), "Element 1 is nan.*missing"),
        (Polars(["a", Missing()]), "Element 1 is <NA>.*missing"),
        (np.ma.array(["a", "b"], mask=[0, 1]), "Element 1 is None.*missing"),
        (Series([["a"], "b"]), r"Element 0 is \['a'\].*flat list"),
    ],
)
def test_refused_by_name(inputs, message):
    with pytest.raises(TypeError, match=message):
        as_list(inputs, "x")


def test_a_dataset_without_end():
    with pytest.raises(ValueError, match="`x`.*without end.*take"):
        as_list(tf.data.Dataset.from_tensor_slices(TEXTS).repeat(), "x")


def test_failures_are_collected():
    failures = {}
    assert as_list(["a", None, "b", 3], "x", failures) == ([b"a", None, b"b", None], False)
    assert list(failures) == [1, 3] and "Element 3 is 3" in str(failures[3])
