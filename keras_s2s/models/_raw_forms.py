"""Recognizes raw data, such as strings, in the forms in which users have them."""

import collections
import sys

import keras
import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.models import _raw_batches
from keras_s2s.models._raw_lists import RawLists
from keras_s2s.preprocessing import TextPairPreprocessor
from keras_s2s.preprocessing.as_column import as_column, check_table, part
from keras_s2s.preprocessing.preprocessor import TARGETS


def is_dataset(x):
    # Whoever has a tf.data.Dataset has imported TensorFlow.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


# Without a preprocessor, text counts as raw.
_NO_TOKENIZER = collections.namedtuple("NoTokenizer", ["tokenize", "vocabulary_size"])(None, None)
_TEXT = TextPairPreprocessor(_NO_TOKENIZER)


def reader(preprocessor):
    """The preprocessor; in place of None, one that only knows which data are raw."""
    return _TEXT if preprocessor is None else preprocessor


def given(preprocessor, x, name="x", shuffle=False, steps=None, batch_size=None):
    """The user's `x`; iterators and other raw iterables become lists or `RawBatches`.

    Args:
        preprocessor: The model's preprocessor, or None.
        x: Anything.
        name: The name of `x` in error messages.
        shuffle: Whether to draw an order of the batches of a `keras.utils.PyDataset`.
        steps: Integer, how many batches are read at a time: iterators then may have no end.
        batch_size: Integer or None.
    """
    known = reader(preprocessor)
    if isinstance(x, RawLists):
        return x
    if isinstance(x, keras.utils.PyDataset):
        return _raw_batches.of_py_dataset(known, x, shuffle)
    if isinstance(x, dict) or is_dataset(x) or known.raw.is_one(x):
        return x
    check_table(x, name)
    if hasattr(x, "row_lengths"):
        raise ValueError(
            f"`{name}` is a RaggedTensor of shape {tuple(x.shape)}. Pass a flat list, one for each "
            "example."
        )
    is_tensorflows = type(x).__module__.startswith("tensorflow.")
    if not hasattr(x, "__iter__") or hasattr(x, "__getitem__") or is_tensorflows:
        return x
    return _raw_batches.of_iterable(known, x, name, steps, batch_size or 32)


def is_raw(preprocessor, x):
    """Whether `x` needs the preprocessor: raw inputs, pairs of raw data, datasets of them."""
    known = reader(preprocessor)
    if isinstance(x, _raw_batches.RawBatches):
        return True
    if is_dataset(x):
        x = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
    if isinstance(x, dict):
        # Names that raw values and features share tell nothing; then the outputs decide.
        raw = [column.raw_name for column in known.columns if column.raw_name != column.name]
        return TARGETS in x or any(name in x for name in raw)
    if isinstance(x, keras.utils.PyDataset) or not _is_indexed(x):
        return False
    return known.raw.is_raw(x)


def _is_indexed(x):
    # `given` has handled other iterables. A single picture is neither indexed nor iterable.
    return hasattr(x, "__getitem__") or not hasattr(x, "__iter__")


def has_columns(preprocessor, x):
    """Whether `x` is raw data that `columns` takes."""
    is_ready = is_dataset(x) or isinstance(x, _raw_batches.RawBatches)
    return not is_ready and is_raw(preprocessor, x)


def check_keys(preprocessor, x, names):
    """Raises a `ValueError` for a dict that holds neither raw data nor the features `names`."""
    if any(name not in x for name in names):
        raise ValueError(
            f"A dict of raw data must hold {_listed(reader(preprocessor).raw_keys)}, and one of "
            f"tensors {_listed([*names, 'decoder_token_ids'])}. Received the keys {sorted(x)}"
        )


def _listed(names):
    *names, last = map(repr, names)
    return f"{', '.join(names)} and {last}" if names else last


def check_pairs(preprocessor, x, method):
    """Raises a `ValueError` for raw inputs without outputs."""
    if isinstance(x, dict) or not has_columns(preprocessor, x):
        return
    known = reader(preprocessor)
    is_one = known.raw.is_one
    column = () if is_one(x) else as_column(x, "x")
    if is_one(x) or any(map(is_one, part(column, range(min(len(column), 1))))):
        raise ValueError(
            f"`{method}` needs pairs of inputs and outputs, for it returns the logits of the "
            "outputs. For the texts that the model makes of inputs call `generate(inputs)`."
        )


def columns(preprocessor, x, y):
    """Inputs and outputs as two sequences, from two sequences or from one of pairs."""
    keys, raw = preprocessor.raw_keys, preprocessor.raw
    if isinstance(x, dict):
        if set(x) != set(keys if y is None else keys[:-1]):
            told = " and `y`" if y is not None else ""
            raise ValueError(
                f"A dict of training data must hold {_listed(keys)} and come alone, or hold "
                f"{_listed(keys[:-1])} beside the outputs as `y`. "
                f"Received the keys {sorted(x)}{told}."
            )
        x, y = inputs_of(preprocessor, x), x.get(TARGETS, y)
    if y is not None:
        for name, is_one in (("x", raw.is_one(x)), ("y", isinstance(y, (str, bytes)))):
            if is_one:
                raise ValueError(f"`{name}` must be a list, not one example. Pass `[...]`.")
        if len(preprocessor.columns) > 1:
            return raw.as_items(x, "x")[0], as_column(y, "y")
        return as_column(x, "x"), as_column(y, "y")
    pairs = as_column(x, "x")
    pairs = [_raw_batches.row(preprocessor, pair) for pair in pairs]
    for i, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple, np.ndarray)) or len(pair) != 2:
            raise ValueError(
                "Training data must be two lists, inputs and outputs, or one list of pairs. "
                f"Received one list, with item {i} being {pair!r}."
            )
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def inputs_of(preprocessor, row):
    """The raw inputs of a dict that may hold outputs, too: a dict, or the only input itself."""
    names = preprocessor.raw_keys[:-1]
    return row[names[0]] if len(names) == 1 else {name: row[name] for name in names}


def items(preprocessor, inputs, name="inputs", failures=None):
    """A list of inputs, and whether a single input was passed instead of a list.

    Errors of inputs go into the dict `failures`, if given, see `as_items`.
    """
    return preprocessor.raw.as_items(inputs_alone(preprocessor, inputs), name, failures)


def inputs_alone(preprocessor, inputs):
    """Inputs without the outputs that a dataset of pairs has beside them."""

    def choose(element):
        if (
            isinstance(element, (tuple, list))
            and _raw_batches.kind(preprocessor, element) == "batch"
        ):
            element = element[0]
        return inputs_of(preprocessor, element) if isinstance(element, dict) else element

    if isinstance(inputs, keras.utils.PyDataset):
        return [
            value for i in range(len(inputs)) for value in as_column(choose(inputs[i]), f"[{i}]")
        ]
    if is_dataset(inputs) and isinstance(inputs.element_spec, (tuple, dict)):
        tf = import_tensorflow()

        @tf.autograph.experimental.do_not_convert
        def select(*element):
            element = element[0]
            return inputs_of(preprocessor, element) if isinstance(element, dict) else element

        return inputs.map(select)
    return inputs


def with_prompts(preprocessor, inputs):
    """Raw inputs, and their prompts (raw beginnings of the outputs) or None."""
    if not isinstance(inputs, dict):
        return inputs, None
    keys = preprocessor.raw_keys
    unknown = sorted(set(inputs) - set(keys))
    if unknown:
        raise ValueError(f"A dict of raw inputs may hold {keys}. Received the keys {unknown} too.")
    missing = sorted(set(keys[:-1]) - set(inputs))
    if missing:
        raise ValueError(f"A dict of raw inputs must hold {keys[:-1]}. It lacks {missing}.")
    return inputs_of(preprocessor, inputs), inputs.get(TARGETS)


def check_equal(first_name, first, second_name, second):
    if len(first) != len(second):
        raise ValueError(
            f"`{first_name}` and `{second_name}` must have the same length. Received: "
            f"{len(first)} and {len(second)}"
        )


def check_eager(method):
    """Raises a `RuntimeError` inside of a `tf.function` or a `tf.data` map."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and not tensorflow.executing_eagerly():
        raise RuntimeError(
            f"`{method}` makes Python values of its inputs, so it cannot run inside a "
            f"`tf.function` or a `tf.data` map. Call it outside, where `model.{method}` takes a "
            "whole dataset; or call an export inside: `model.export(path)`, then "
            '`tf.saved_model.load(path).signatures["serving_default"]`.'
        )


def check_preprocessor(preprocessor):
    """Raises a `ValueError` if there is no preprocessor."""
    if preprocessor is None:
        raise ValueError(
            "This model has no preprocessor, so it takes tensors and no raw data. Set "
            "`model.preprocessor`, or pass dicts of token ids."
        )
