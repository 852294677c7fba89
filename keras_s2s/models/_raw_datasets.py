"""Batches of raw data, as the preprocessor makes them."""

from keras_s2s._optional import import_tensorflow
from keras_s2s.models import _raw_batches, _raw_forms
from keras_s2s.models._raw_lists import RawLists
from keras_s2s.preprocessing.preprocessor import TARGETS


def make(preprocessor, x, y, batch_size, cuts, training, shuffle):
    """`RawLists`, or a `tf.data.Dataset`, of the batches that the preprocessor makes.

    `cuts` is a `CutTexts`: it counts the cut texts of lists at once, and of datasets in a pass.
    """
    is_python = isinstance(x, _raw_batches.RawBatches)
    is_stream = is_python or _raw_forms.is_dataset(x)
    if not is_stream:
        x, y = _raw_forms.columns(preprocessor, x, y)
        if not preprocessor.raw.needs_tensorflow:
            return _lists(preprocessor, x, y, batch_size, cuts, training, shuffle)
    tf = import_tensorflow()
    do_not_convert = tf.autograph.experimental.do_not_convert
    if is_python:
        if y is not None:
            raise ValueError("`x` gives pairs of inputs and outputs, so `y` must be None.")
        pairs, batched = x.as_dataset(preprocessor), True
    elif is_stream:
        pairs, keys = x, preprocessor.raw_keys
        if isinstance(pairs.element_spec, dict) and set(pairs.element_spec) == set(keys):
            pairs = pairs.map(
                do_not_convert(lambda row: (_raw_forms.inputs_of(preprocessor, row), row[TARGETS]))
            )
        if not isinstance(pairs.element_spec, tuple) or len(pairs.element_spec) != 2:
            raise ValueError(
                "A raw dataset must give pairs of input and output. Received: "
                f"element_spec={pairs.element_spec}"
            )
        if pairs.cardinality() == 0:
            raise ValueError("There is no data: the dataset is empty.")
        spec, load = pairs.element_spec[0], preprocessor.raw.load
        one = next(iter(spec.values())) if isinstance(spec, dict) else spec
        batched = one.shape.rank != preprocessor.raw.rank_of_one(spec)
        if not batched and load is not None:
            # Number the elements, so that errors can name them.
            pairs = pairs.enumerate().map(do_not_convert(_named))
            load = _load_named(load)
    else:
        inputs, load = preprocessor.raw.as_slices(x, "x")
        outputs = preprocessor.as_targets(y, "y")
        count = tf.nest.flatten(inputs)[0].shape[0]
        _check_counts(count, outputs.shape[0])
        cuts.count(x, outputs)
        pairs = tf.data.Dataset.from_tensor_slices((inputs, outputs))
        if training and shuffle:
            pairs = pairs.shuffle(count)
        batched = False
    if not batched:
        if load is not None:

            @do_not_convert
            def load_one(source, target):
                return load(source), target

            pairs = pairs.map(load_one, num_parallel_calls=tf.data.AUTOTUNE)
        is_ragged = preprocessor.raw.is_ragged
        pairs = pairs.ragged_batch(batch_size) if is_ragged else pairs.batch(batch_size)

    @do_not_convert
    def prepare(source, target):
        features, labels, weights = preprocessor(source, target, sample=training)
        if is_stream:
            cuts.watch(source, target, features, labels)
        return features, labels, weights

    if is_python and not x.ahead:
        return pairs.map(prepare)
    return pairs.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _lists(preprocessor, inputs, outputs, batch_size, cuts, training, shuffle):
    inputs, single = preprocessor.raw.as_items(inputs, "x")
    if single:
        raise ValueError("`x` must be a list, not one example. Pass `[...]`.")
    outputs = preprocessor.as_targets(outputs, "y")
    _check_counts(len(inputs), len(outputs))
    cuts.count(inputs, outputs)
    return RawLists(preprocessor, inputs, outputs, batch_size, training, training and shuffle)


def _check_counts(inputs, outputs):
    if inputs != outputs:
        raise ValueError(
            "There must be one output for each input. Received: "
            f"{inputs} inputs and {outputs} outputs"
        )
    if not inputs:
        raise ValueError("There is no data: `x` is empty.")


def _load_named(load):
    return lambda source: load(*source)


def _named(number, pair):
    tf = import_tensorflow()
    source, target = pair
    name = tf.strings.join(["number ", tf.strings.as_string(number), " of the dataset (from 0)"])
    return (source, name), target


def equally_long(dataset):
    """The batches padded to the longest of all, so that their predictions can be joined."""
    tf = import_tensorflow()
    features = dataset.map(lambda features, *_: features)
    # Token ids end with the axis that varies, spectrograms have it before the last. Images have one
    # size anyway.
    axes = {
        name: -1 if spec.dtype.is_integer else -2
        for name, spec in features.element_spec.items()
        if spec.dtype.is_integer or spec.shape[1] is None
    }
    longest = dict.fromkeys(axes, 1)
    for batch in features:
        longest = {name: max(most, batch[name].shape[axes[name]]) for name, most in longest.items()}

    def pad(features):
        padded = dict(features)
        for name, most in longest.items():
            values, axis = features[name], axes[name]
            paddings = [[0, 0] for _ in range(values.shape.rank)]
            paddings[axis] = [0, most - tf.shape(values)[axis]]
            padded[name] = tf.pad(values, paddings)
        return padded

    return features.map(pad)
