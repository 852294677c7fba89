"""Raw data, such as strings, in the forms in which people have it."""

import sys

import keras
import numpy as np

from keras_s2s.models import _raw_batches
from keras_s2s.preprocessing import TextPairPreprocessor
from keras_s2s.preprocessing.columns import as_column, check_table, part


def is_dataset(x):
    # Whoever has a tf.data.Dataset has imported TensorFlow.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def reader(preprocessor):
    """Whoever knows which data are raw; without a preprocessor, text is."""
    return TextPairPreprocessor if preprocessor is None else preprocessor


def given(preprocessor, x, name="x", shuffle=False, steps=None, batch_size=None):
    """What a user passed as `x`, where Python code gives it made a list or `RawBatches`.

    Args:
        preprocessor: That of the model, or None.
        x: Anything.
        name: What error messages call it.
        shuffle: Whether to draw an order of the batches of a `keras.utils.PyDataset`.
        steps: Integer, how many batches are read at a time: iterators then may have no end.
        batch_size: Integer or None.
    """
    known = reader(preprocessor)
    if isinstance(x, keras.utils.PyDataset):
        return _raw_batches.of_py_dataset(known, x, shuffle)
    if isinstance(x, dict) or is_dataset(x) or known.is_one(x):
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
        inputs, outputs = known.raw_keys
        # Where the raw inputs have the name of the encoder's features, texts decide.
        return outputs in x or (inputs in x and inputs != known.encoder_input)
    if isinstance(x, keras.utils.PyDataset) or not _is_indexed(x):
        return False
    return known.is_raw(x)


def _is_indexed(x):
    # What gives one value after the other was looked at by `given`. One picture has no index.
    return hasattr(x, "__getitem__") or not hasattr(x, "__iter__")


def has_columns(preprocessor, x):
    """Whether `x` is raw data that `columns` takes."""
    is_ready = is_dataset(x) or isinstance(x, _raw_batches.RawBatches)
    return not is_ready and is_raw(preprocessor, x)


def check_keys(preprocessor, x):
    """Raises a `ValueError` for a dict of what is neither raw data nor features."""
    known = reader(preprocessor)
    if isinstance(x, dict) and known.encoder_input not in x:
        raise ValueError(
            f"A dict of raw data must hold {known.raw_keys[0]!r} and {known.raw_keys[1]!r}, and "
            f"one of tensors {known.encoder_input!r} and 'decoder_token_ids'. Received the keys "
            f"{sorted(x)}"
        )


def check_pairs(preprocessor, x, method):
    """Raises a `ValueError` for raw inputs without outputs."""
    if isinstance(x, dict) or not has_columns(preprocessor, x):
        return
    known = reader(preprocessor)
    column = () if known.is_one(x) else as_column(x, "x")
    if known.is_one(x) or any(map(known.is_one, part(column, range(min(len(column), 1))))):
        raise ValueError(
            f"`{method}` needs pairs of inputs and outputs, for it returns the logits of the "
            "outputs. For the texts that the model makes of inputs call `generate(inputs)`."
        )


def columns(preprocessor, x, y):
    """Inputs and outputs by position, from two sequences or from one of pairs."""
    keys = preprocessor.raw_keys
    if isinstance(x, dict):
        if y is not None or set(x) != set(keys):
            raise ValueError(
                f"A dict of training data must hold {keys[0]!r} and {keys[1]!r}, and come alone. "
                f"Received the keys {sorted(x)}" + (" and `y`." if y is not None else ".")
            )
        x, y = (x[key] for key in keys)
    if y is not None:
        for name, is_one in (("x", preprocessor.is_one(x)), ("y", isinstance(y, (str, bytes)))):
            if is_one:
                raise ValueError(f"`{name}` must be a list, not one example. Pass `[...]`.")
        return as_column(x, "x"), as_column(y, "y")
    pairs = as_column(x, "x")
    for i, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple, np.ndarray)) or len(pair) != 2:
            raise ValueError(
                "Training data must be two lists, inputs and outputs, or one list of pairs. "
                f"Received one list, with item {i} being {pair!r}."
            )
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def dataset(preprocessor, x, y, batch_size, cuts, training, shuffle):
    """A `tf.data.Dataset` of the batches that the preprocessor makes.

    `cuts` is a `CutTexts`: it knows at once what of lists is cut, and of datasets after a pass.
    """
    import tensorflow as tf

    do_not_convert = tf.autograph.experimental.do_not_convert
    is_python = isinstance(x, _raw_batches.RawBatches)
    is_stream = is_python or is_dataset(x)
    if is_python:
        if y is not None:
            raise ValueError("`x` gives pairs of inputs and outputs, so `y` must be None.")
        pairs, batched = x.as_dataset(preprocessor), True
    elif is_stream:
        pairs, keys = x, preprocessor.raw_keys
        if isinstance(pairs.element_spec, dict) and set(pairs.element_spec) == set(keys):
            pairs = pairs.map(do_not_convert(lambda row: tuple(row[key] for key in keys)))
        if not isinstance(pairs.element_spec, tuple) or len(pairs.element_spec) != 2:
            raise ValueError(
                "A raw dataset must give pairs of input and output. Received: "
                f"element_spec={pairs.element_spec}"
            )
        if pairs.cardinality() == 0:
            raise ValueError("There is no data: the dataset is empty.")
        spec, load = pairs.element_spec[0], preprocessor.load
        batched = spec.shape.rank != preprocessor.rank_of_one(spec)
        if not batched and load is not None:
            # Errors name the element by its number.
            pairs = pairs.enumerate().map(do_not_convert(_named))
    else:
        x, y = columns(preprocessor, x, y)
        inputs, load = preprocessor.as_slices(x, "x")
        outputs = preprocessor.as_targets(y, "y")
        count = tf.nest.flatten(inputs)[0].shape[0]
        if count != outputs.shape[0]:
            raise ValueError(
                f"Inputs and outputs must be as many. Received: {count} and {outputs.shape[0]}"
            )
        if not count:
            raise ValueError("There is no data: `x` is empty.")
        cuts.count(inputs, outputs)
        pairs = tf.data.Dataset.from_tensor_slices((inputs, outputs))
        if training and shuffle:
            pairs = pairs.shuffle(count)
        batched = False
    if not batched:
        if load is not None:

            @do_not_convert
            def load_one(source, target):
                return load(*(source if isinstance(source, tuple) else (source,))), target

            pairs = pairs.map(load_one, num_parallel_calls=tf.data.AUTOTUNE)
        pairs = pairs.batch(batch_size)

    @do_not_convert
    def prepare(source, target):
        features, labels, weights = preprocessor(source, target, sample=training)
        if is_stream:
            cuts.watch(source, target, features[preprocessor.encoder_input], labels)
        return features, labels, weights

    if is_python and not x.ahead:
        return pairs.map(prepare)
    return pairs.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _named(number, pair):
    import tensorflow as tf

    source, target = pair
    name = tf.strings.join(["number ", tf.strings.as_string(number), " of the dataset (from 0)"])
    return (source, name), target


def equally_long(dataset):
    """The batches padded to the longest of all, so that what is predicted of them can be joined."""
    import tensorflow as tf

    features = dataset.map(lambda features, *_: features)
    # Those of images are equally large.
    longest = {name: 1 for name, spec in features.element_spec.items() if spec.dtype.is_integer}
    for batch in features:
        longest = {name: max(most, batch[name].shape[-1]) for name, most in longest.items()}

    def pad(features):
        padded = dict(features)
        for name, most in longest.items():
            ids = features[name]
            before = [[0, 0]] * (ids.shape.rank - 1)
            padded[name] = tf.pad(ids, [*before, [0, most - tf.shape(ids)[-1]]])
        return padded

    return features.map(pad)


def items(preprocessor, inputs, name="inputs", failures=None):
    """The single inputs, and whether there was just one outside of any list.

    The errors of single ones go into the dict `failures`, if given, as of `as_items`.
    """
    return preprocessor.as_items(inputs_alone(preprocessor, inputs), name, failures)


def inputs_alone(preprocessor, inputs):
    """Inputs without the outputs that a dataset of pairs has beside them."""
    key = preprocessor.raw_keys[0]

    def choose(element):
        if (
            isinstance(element, (tuple, list))
            and _raw_batches.kind(preprocessor, element) == "batch"
        ):
            element = element[0]
        return element[key] if isinstance(element, dict) else element

    if isinstance(inputs, keras.utils.PyDataset):
        return [
            value for i in range(len(inputs)) for value in as_column(choose(inputs[i]), f"[{i}]")
        ]
    if is_dataset(inputs) and isinstance(inputs.element_spec, (tuple, dict)):
        import tensorflow as tf

        @tf.autograph.experimental.do_not_convert
        def select(*element):
            element = element[0]
            return element[key] if isinstance(element, dict) else element

        return inputs.map(select)
    return inputs


def with_prompts(preprocessor, inputs):
    """Raw inputs, and the raw beginnings of their outputs or None."""
    if not isinstance(inputs, dict):
        return inputs, None
    keys = preprocessor.raw_keys
    unknown = sorted(set(inputs) - set(keys))
    if unknown:
        raise ValueError(f"A dict of raw inputs may hold {keys}. Received the keys {unknown} too.")
    return inputs[keys[0]], inputs.get(keys[1])


def check_equal(first_name, first, second_name, second):
    if len(first) != len(second):
        raise ValueError(
            f"`{first_name}` and `{second_name}` must be as many. Received: {len(first)} and "
            f"{len(second)}"
        )


def batches_of_similar_size(items, size, batch_size, skipped=()):
    """Lists of indices into `items`, the largest first, without those in `skipped`."""
    order = [i for i in range(len(items)) if i not in skipped]
    order.sort(key=lambda i: -size(items[i]))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def unreadable(preprocessor, items, rows):
    """The errors of those items that the preprocessor cannot read, by their index."""
    failures = {}
    for i in rows:
        try:
            preprocessor.generate_preprocess([items[i]])
        except Exception as error:
            failures[i] = error
    return failures


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
