"""Raw data in lists, of which each batch is prepared when it is needed."""

import random

import keras
import numpy as np

from keras_s2s._optional import import_tensorflow

# Widths are rounded up to multiples of this: JAX compiles a step for every width.
_STEP_OF_WIDTHS = {"jax": 16}


class RawLists(keras.utils.PyDataset):
    """Batches of raw inputs and outputs, prepared without TensorFlow.

    Python's `random` draws the orders, which `keras.utils.set_random_seed` seeds.

    Args:
        preprocessor: A `Preprocessor` whose inputs need no TensorFlow.
        inputs: List of raw inputs.
        outputs: Array of as many texts.
        batch_size: Integer.
        training: Whether tokenizers draw segmentations.
        shuffle: Whether each epoch has a new order.
    """

    def __init__(self, preprocessor, inputs, outputs, batch_size, training, shuffle):
        super().__init__()
        self._preprocessor, self._inputs, self._outputs = preprocessor, inputs, outputs
        self._batch_size, self._training, self._shuffle = batch_size, training, shuffle
        self._order = list(range(len(inputs)))

    @property
    def num_batches(self):
        return -(-len(self._inputs) // self._batch_size)

    def __len__(self):
        return self.num_batches

    def on_epoch_begin(self):
        if self._shuffle:
            random.shuffle(self._order)

    def __getitem__(self, index):
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        batch = self._prepared(rows)
        step = _STEP_OF_WIDTHS.get(keras.backend.backend(), 1)
        return keras.tree.map_structure(
            lambda x: _widened(x, -(-x.shape[-1] // step) * step), batch
        )

    def _prepared(self, rows):
        inputs = [self._inputs[row] for row in rows]
        return self._preprocessor(inputs, self._outputs[rows], sample=self._training)

    def features(self, steps=None):
        """The features of all inputs in one dict, for `predict`.

        Args:
            steps: Integer, how many batches to take, or None for all.
        """
        size = None if steps is None else steps * self._batch_size
        features, _, _ = self._prepared(list(range(len(self._inputs)))[:size])
        return features

    def for_keras(self):
        """What Keras trains on: itself, or on TensorFlow a `tf.data.Dataset` of the batches."""
        if keras.backend.backend() != "tensorflow":
            return self
        tf = import_tensorflow()

        def batches():
            self.on_epoch_begin()
            yield from (self[i] for i in range(len(self)))

        def spec(x):
            return tf.TensorSpec([None] * x.ndim, x.dtype)

        # Without a signature, Keras would take the widths of the first two batches for all.
        signature = keras.tree.map_structure(spec, self[0])
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        return dataset.prefetch(tf.data.AUTOTUNE)


def _widened(rows, width):
    padding = [(0, 0)] * (rows.ndim - 1) + [(0, width - rows.shape[-1])]
    return np.pad(rows, padding)
