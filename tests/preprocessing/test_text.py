import numpy as np
import pytest
import tensorflow as tf

from keras_s2s.preprocessing import as_strings

EXPECTED = ["Grüße".encode(), b"b"]


@pytest.mark.parametrize(
    "inputs",
    [
        ["Grüße", "b"],
        ("Grüße", b"b"),
        np.array(["Grüße", "b"]),
        np.array(["Grüße", "b"], object),
        np.array(EXPECTED),
        np.array(["Grüße", "b"], np.dtypes.StringDType()),
        [np.str_("Grüße"), np.bytes_(b"b")],
        tf.constant(["Grüße", "b"]),
        (text for text in ["Grüße", "b"]),
    ],
)
def test_batches(inputs):
    strings = as_strings(inputs)
    assert strings.dtype == tf.string and strings.numpy().tolist() == EXPECTED


@pytest.mark.parametrize(
    "inputs", ["Grüße", "Grüße".encode(), np.str_("Grüße"), np.array("Grüße"), tf.constant("Grüße")]
)
def test_one_string(inputs):
    strings = as_strings(inputs)
    assert strings.shape == () and strings.numpy() == "Grüße".encode()


@pytest.mark.parametrize("inputs", [[], (), np.array([], object), tf.constant([], tf.string)])
def test_empty_batch(inputs):
    assert as_strings(inputs).shape == (0,) and as_strings(inputs).dtype == tf.string


@pytest.mark.parametrize(
    "inputs, message",
    [
        (None, "`text`.*None"),
        (3, r"`text`.*3 \(int\)"),
        ({"a": "b"}, "dict"),
        (["a", None], "`text`.*Element 1 is None.*empty string"),
        (["a", "b", 7], r"Element 2 is 7 \(int\).*str"),
        (["a", float("nan")], "Element 1 is nan.*missing"),
        (["a", ["b", "c"]], r"Element 1 is \['b', 'c'\].*flat list"),
        (np.array(["a", None], object), "Element 1 is None"),
        (np.array([1, 2]), "int64"),
        (tf.constant([1.0]), "float32"),
    ],
)
def test_wrong_types(inputs, message):
    with pytest.raises(TypeError, match=message):
        as_strings(inputs, "text")


@pytest.mark.parametrize(
    "inputs", [np.array([["a"]]), tf.constant([["a"]]), tf.ragged.constant([["a"], []])]
)
def test_wrong_rank(inputs):
    with pytest.raises(ValueError, match="`text` must be one string or a flat batch"):
        as_strings(inputs, "text")
