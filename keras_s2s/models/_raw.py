"""Raw data, such as strings, in the forms in which people have it."""

import sys

import numpy as np

from keras_s2s.preprocessing import TextPairPreprocessor


def is_dataset(x):
    # Whoever has a tf.data.Dataset has imported TensorFlow.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def reader(preprocessor):
    """Whoever knows which data are raw; without a preprocessor, text is."""
    return TextPairPreprocessor if preprocessor is None else preprocessor


def is_raw(preprocessor, x):
    """Whether `x` needs the preprocessor: raw inputs, pairs of raw data, datasets of them."""
    known = reader(preprocessor)
    if is_dataset(x):
        x = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
    if isinstance(x, dict):
        inputs, outputs = known.raw_keys
        # Where the raw inputs have the name of the encoder's features, texts decide.
        return outputs in x or (inputs in x and inputs != known.encoder_input)
    return known.is_raw(x)


def columns(preprocessor, x, y):
    """Inputs and outputs, from two sequences or from one of pairs."""
    keys = preprocessor.raw_keys
    if isinstance(x, dict):
        if y is not None or set(x) != set(keys):
            raise ValueError(
                f"A dict of training data must hold {keys[0]!r} and {keys[1]!r}, and come alone. "
                f"Received the keys {sorted(x)}" + (" and `y`." if y is not None else ".")
            )
        return tuple(x[key] for key in keys)
    if y is not None:
        return x, y
    for i, pair in enumerate(x):
        if not isinstance(pair, (list, tuple, np.ndarray)) or len(pair) != 2:
            raise ValueError(
                "Training data must be two lists, inputs and outputs, or one list of pairs. "
                f"Received one list, with item {i} being {pair!r}."
            )
    return [pair[0] for pair in x], [pair[1] for pair in x]


def dataset(preprocessor, x, y, batch_size, training, shuffle):
    """A `tf.data.Dataset` of the batches that the preprocessor makes."""
    import tensorflow as tf

    do_not_convert = tf.autograph.experimental.do_not_convert
    if is_dataset(x):
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
        if outputs.shape.rank == 0:
            raise ValueError("`y` must be a list of strings, not one string.")
        count = tf.nest.flatten(inputs)[0].shape[0]
        if count != outputs.shape[0]:
            raise ValueError(
                f"Inputs and outputs must be as many. Received: {count} and {outputs.shape[0]}"
            )
        if not count:
            raise ValueError("There is no data: `x` is empty.")
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
        return preprocessor(source, target, sample=training)

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


def items(preprocessor, inputs, name="inputs"):
    """The single inputs, and whether there was just one outside of any list."""
    if not is_dataset(inputs):
        return preprocessor.as_items(inputs, name)
    found = []
    for element in inputs:
        element = element[0] if isinstance(element, tuple) else element
        element = element[preprocessor.raw_keys[0]] if isinstance(element, dict) else element
        some, _ = preprocessor.as_items(element, name)
        found.extend(some)
    return found, False


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


def batches_of_similar_size(items, size, batch_size):
    """Lists of indices into `items`, the largest first."""
    order = sorted(range(len(items)), key=lambda i: -size(items[i]))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
