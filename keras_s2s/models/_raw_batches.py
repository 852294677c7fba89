"""Raw data that come one by one: from generators, `keras.utils.PyDataset`, DataLoaders."""

import itertools
import random

import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.as_column import as_column, is_missing, plain


class RawBatches:
    """Batches of raw inputs and outputs, as a `tf.data.Dataset`.

    Args:
        passes: Function that begins a pass and returns an iterator of batches.
        first: A batch, whose dtypes and shapes stand for all.
        count: Number of batches, or None if it is not known.
        ahead: Whether batches may be read before they are needed.

    Attributes:
        ahead: As given.
    """

    def __init__(self, passes, first, count=None, ahead=True):
        self._passes, self._first, self._count, self.ahead = passes, first, count, ahead

    def as_dataset(self, preprocessor):
        """A `tf.data.Dataset` of the batches, pairs of tensors."""
        tf = import_tensorflow()

        def tensors(batch):
            inputs, outputs = _pair(preprocessor, batch)
            inputs = tf.nest.map_structure(_as_tensor, preprocessor.raw.as_batch(inputs, "x"))
            outputs = _as_tensor(preprocessor.as_targets(outputs, "y"))
            if preprocessor.several_targets and outputs.shape.rank == 1:
                outputs = outputs[:, None]
            # A ragged tensor is one value, which `flatten` would take apart.
            count = next(iter(inputs.values())) if isinstance(inputs, dict) else inputs
            count = count.shape[0]
            if count != outputs.shape[0]:
                raise ValueError(
                    "A batch must have as many inputs as outputs. Received: "
                    f"{count} and {outputs.shape[0]}"
                )
            return inputs, outputs

        # Pixels are converted by now, so that only the number of images is unknown.
        inputs, outputs = tensors(self._first)
        signature = (
            tf.nest.map_structure(_spec, inputs),
            tf.TensorSpec([None] * outputs.shape.rank, tf.string),
        )
        dataset = tf.data.Dataset.from_generator(
            lambda: map(tensors, self._passes()), output_signature=signature
        )
        if self._count is not None:
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(self._count))
        return dataset


def of_py_dataset(preprocessor, dataset, shuffle):
    """`RawBatches` of a `keras.utils.PyDataset`, or the dataset itself if its data are not raw."""
    # Datasets of this library have `set_epoch`, and hold token ids.
    if hasattr(dataset, "set_epoch") or dataset.num_batches == 0:
        return dataset
    first = dataset[0]
    if kind(preprocessor, first) != "batch":
        return dataset
    count = dataset.num_batches

    def passes():
        order = itertools.count() if count is None else list(range(count))
        if shuffle and count is not None:
            random.shuffle(order)
        dataset.on_epoch_begin()
        for number, index in enumerate(order, 1):
            batch = dataset[index]
            if number == count:
                dataset.on_epoch_end()
            yield batch

    return RawBatches(passes, first, count)


def of_iterable(preprocessor, iterable, name, steps=None, batch_size=32):
    """Reads an iterable into a list or `RawBatches`; one that is not raw stays an iterable.

    Args:
        preprocessor: The preprocessor, which knows what is raw.
        iterable: Iterator, or an object that makes iterators, such as a DataLoader.
        name: The name of the iterable in error messages.
        steps: Integer, how many batches a pass takes, if the iterator may be endless; else None.
        batch_size: Integer, for pairs from an iterator that may be endless.
    """
    iterator = iter(iterable)
    first = next(iterator, _NOTHING)
    if first is _NOTHING:
        raise ValueError(
            f"There is no data: `{name}` gives nothing. An iterator can be read once; pass a list "
            "if it has been read before."
        )
    once = iterator is iterable
    if once:
        iterator = itertools.chain([first], iterator)
    element_kind = kind(preprocessor, first)
    if element_kind is None:
        # Left to Keras, which takes no iterators except generators.
        return (batch for batch in iterator) if once else iterable
    if element_kind == "pair" and steps is not None and once:
        iterator, element_kind = _batched(iterator, batch_size), "batch"
        first = next(iterator)
        iterator = itertools.chain([first], iterator)
    if element_kind != "batch":
        values = iterator if once else as_column(iterable, name)
        return [row(preprocessor, value) for value in values]
    if once and steps is not None:
        return RawBatches(_stream(iterator, first), first, ahead=False)
    batches = list(iterator) if once else iterable
    count = len(batches) if hasattr(batches, "__len__") else None
    return RawBatches(lambda: iter(batches), first, count)


def kind(preprocessor, element):
    """The kind of a raw element: `"items"`, `"pair"` or `"batch"`; None if it is not raw."""
    element = row(preprocessor, element)
    raw = preprocessor.raw
    if raw.is_one(element) or is_missing(plain(element)):
        return "items"
    if isinstance(element, (tuple, list)) and len(element) in (2, 3):
        first = element[0]
        if raw.is_one(first) or is_missing(first):
            return "pair"
        if raw.is_raw(first):
            return "batch"
    return None


_NOTHING = object()


def row(preprocessor, element):
    """Makes a pair of a dict of inputs and outputs; returns anything else unchanged."""
    *names, outputs = preprocessor.raw_keys
    if not isinstance(element, dict) or set(element) != {*names, outputs}:
        return element
    inputs = {name: element[name] for name in names}
    return (inputs if len(names) > 1 else inputs[names[0]]), element[outputs]


def _spec(values):
    """The spec of batches like this one, of any number of values."""
    tf = import_tensorflow()
    if isinstance(values, tf.RaggedTensor):
        return tf.RaggedTensorSpec([None, *values.shape[1:]], values.dtype)
    return tf.TensorSpec([None, *values.shape[1:]], values.dtype)


def _as_tensor(values):
    tf = import_tensorflow()
    if not isinstance(values, np.ndarray) or values.dtype != object:
        return values
    # TensorFlow takes an empty array of objects for numbers.
    return tf.constant(values.tolist(), tf.string, shape=values.shape)


def _pair(preprocessor, batch):
    batch = row(preprocessor, batch)
    if len(batch) != 2:
        raise ValueError(
            "Raw batches must be pairs of inputs and outputs: their tokens weigh 1, and padding 0. "
            f"Received {len(batch)} parts."
        )
    return batch


def _batched(pairs, size):
    while chunk := list(itertools.islice(pairs, size)):
        yield [pair[0] for pair in chunk], [pair[1] for pair in chunk]


def _stream(iterator, first):
    """A function whose passes go on where the one before ended, for endless iterators."""
    given = 0

    def passes():
        nonlocal given
        if given == 1:
            # Keras has read one batch to build the model, and begins again: repeat the batch.
            yield first
        for batch in iterator:
            given += 1
            yield batch

    return passes
