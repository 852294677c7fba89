"""Raw data, such as strings, in the forms in which people have it."""

import sys

import numpy as np


def is_dataset(x):
    # Whoever has a tf.data.Dataset has imported TensorFlow.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


#: The keys of raw inputs and outputs in a dict, as KerasHub calls them.
KEYS = ("encoder_text", "decoder_text")


def is_raw(x):
    """Whether `x` needs the preprocessor: strings, pairs of strings, datasets of them."""
    if is_dataset(x):
        first = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
        if isinstance(first, dict):
            return KEYS[0] in first
        return getattr(first, "dtype", None) is not None and first.dtype.name == "string"
    if isinstance(x, dict):
        return KEYS[0] in x
    if isinstance(x, (str, bytes)):
        return True
    if isinstance(x, (list, tuple)):
        # An empty list, and one of None or of numbers, is the preprocessor's to refuse.
        return True
    dtype = getattr(x, "dtype", None)
    if hasattr(dtype, "kind"):  # NumPy's and pandas' dtypes
        return dtype.kind in "OSUT"
    return getattr(dtype, "name", None) == "string"


def columns(x, y):
    """Inputs and outputs, from two sequences or from one of pairs."""
    if isinstance(x, dict):
        if y is not None or set(x) != set(KEYS):
            raise ValueError(
                f"A dict of training data must hold {KEYS[0]!r} and {KEYS[1]!r}, and come alone. "
                f"Received the keys {sorted(x)}" + (" and `y`." if y is not None else ".")
            )
        return tuple(x[key] for key in KEYS)
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

    from keras_s2s.preprocessing import as_strings

    if is_dataset(x):
        pairs = x
        if isinstance(pairs.element_spec, dict) and set(pairs.element_spec) == set(KEYS):

            @tf.autograph.experimental.do_not_convert
            def as_pair(row):
                return tuple(row[key] for key in KEYS)

            pairs = pairs.map(as_pair)
        if not isinstance(pairs.element_spec, tuple) or len(pairs.element_spec) != 2:
            raise ValueError(
                "A raw dataset must give pairs of input and output. Received: "
                f"element_spec={pairs.element_spec}"
            )
        if pairs.cardinality() == 0:
            raise ValueError("There is no data: the dataset is empty.")
        batched = pairs.element_spec[0].shape.rank != 0
    else:
        x, y = columns(x, y)
        inputs, outputs = as_strings(x, "x"), as_strings(y, "y")
        for name, strings in (("x", inputs), ("y", outputs)):
            if strings.shape.rank == 0:
                raise ValueError(f"`{name}` must be a list of strings, not one string.")
        if inputs.shape != outputs.shape:
            raise ValueError(
                "Inputs and outputs must be as many. Received: "
                f"{inputs.shape[0]} and {outputs.shape[0]}"
            )
        if not inputs.shape[0]:
            raise ValueError("There is no data: `x` is empty.")
        pairs = tf.data.Dataset.from_tensor_slices((inputs, outputs))
        if training and shuffle:
            pairs = pairs.shuffle(inputs.shape[0])
        batched = False
    if not batched:
        pairs = pairs.batch(batch_size)

    @tf.autograph.experimental.do_not_convert
    def prepare(source, target):
        return preprocessor(source, target, sample=training)

    return pairs.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def equally_long(dataset):
    """The batches padded to the longest of all, so that what is predicted of them can be joined."""
    import tensorflow as tf

    features = dataset.map(lambda features, *_: features)
    longest = {name: 1 for name in features.element_spec}
    for batch in features:
        longest = {name: max(most, batch[name].shape[1]) for name, most in longest.items()}

    def pad(features):
        return {
            name: tf.pad(ids, [[0, 0], [0, longest[name] - tf.shape(ids)[1]]])
            for name, ids in features.items()
        }

    return features.map(pad)


def items(inputs):
    """The single inputs, and whether there was just one outside of any list."""
    if is_dataset(inputs):
        found = []
        for element in inputs:
            element = element[0] if isinstance(element, tuple) else element
            element = element[KEYS[0]] if isinstance(element, dict) else element
            found.extend(np.atleast_1d(element.numpy()).tolist())
        return found, False
    from keras_s2s.preprocessing.text import as_list

    return as_list(inputs)


def with_prompts(inputs):
    """Raw inputs, and the raw beginnings of their outputs or None."""
    if not isinstance(inputs, dict):
        return inputs, None
    unknown = sorted(set(inputs) - set(KEYS))
    if unknown:
        raise ValueError(f"A dict of raw inputs may hold {KEYS}. Received the keys {unknown} too.")
    return inputs[KEYS[0]], inputs.get(KEYS[1])


def check_equal(first_name, first, second_name, second):
    if len(first) != len(second):
        raise ValueError(
            f"`{first_name}` and `{second_name}` must be as many. Received: {len(first)} and "
            f"{len(second)}"
        )


def batches_of_similar_length(items, batch_size):
    """Lists of indices into `items`, the longest first."""
    order = sorted(range(len(items)), key=lambda i: -len(items[i]))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
