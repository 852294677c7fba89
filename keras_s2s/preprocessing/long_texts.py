"""Texts of more ids than a preprocessor's lengths allow, and what to say of them."""

import warnings

import numpy as np

from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.text import as_strings


class CutWarning(UserWarning):
    """Texts were longer than a length, and their ends were cut off."""


def count_ids(strings, tokenizer):
    """Number of ids of each string, the end id included: an integer array of their shape."""
    tf = import_tensorflow()
    strings = as_strings(strings) if not tf.is_tensor(strings) else strings
    lengths = tokenizer.tokenize(tf.reshape(strings, [-1])).row_lengths() + 1
    return np.reshape(lengths.numpy(), strings.shape)


def pieces(length):
    """What a length allows, in words: the end id is no piece that people see."""
    return f"{length - 1:,} piece{'' if length == 2 else 's'}"


class CutTexts:
    """Counts the texts of a data set whose ends the preprocessor cuts off, to say so once.

    Args:
        preprocessor: A `Preprocessor`.

    Attributes:
        is_watching: Whether to count while datasets are read.
    """

    def __init__(self, preprocessor):
        self._preprocessor = preprocessor
        self._cut = {}
        self.is_watching = False

    def count(self, inputs, outputs):
        """Counts those among all raw inputs and outputs.

        Args:
            inputs: Raw inputs, one after the other in a list or tensor.
            outputs: Texts; of inputs with several texts, `(inputs, texts)`.
        """
        self._count(inputs, outputs, count_all=True)

    def watch(self, inputs, outputs, features, labels):
        """Counts in a `tf.data` map, at the cost of a comparison where nothing is cut.

        Args:
            inputs: Raw inputs of a batch.
            outputs: Its texts.
            features: What the encoder is given.
            labels: What the model is to write.
        """
        tf, source_length = import_tensorflow(), self._preprocessor.source_length
        self.is_watching = True
        # Only a batch as wide as the length can have longer texts.
        may_be_cut = tf.shape(labels)[-1] >= self._preprocessor.target_length
        if source_length is None:
            inputs = tf.zeros([0])
        else:
            may_be_cut |= tf.shape(features)[-1] >= source_length

        def count(inputs, outputs):
            if self.is_watching:
                self._count(inputs, outputs)
            return 0

        tf.cond(
            may_be_cut,
            lambda: tf.py_function(count, [inputs, outputs], tf.int32),
            lambda: tf.constant(0),
        )

    def warn(self, stacklevel=2):
        """Says what was counted, once."""
        for side, (cut, seen, first) in self._cut.items():
            length = f"{'source' if side == 'inputs' else 'target'}_length"
            most = getattr(self._preprocessor, length)
            of_all = f" of {seen:,}" if seen else ""
            warnings.warn(
                f"{cut:,}{of_all} {side} have more than {pieces(most)} and are cut there, the "
                f"first: {first}. A larger `{length}` of the preprocessor keeps them whole.",
                CutWarning,
                stacklevel=stacklevel + 1,
            )
        self._cut = {}

    def _count(self, inputs, outputs, count_all=False):
        p = self._preprocessor
        for side, texts, length, count in (
            ("inputs", inputs, p.source_length, p.count_source_ids),
            ("outputs", outputs, p.target_length, p.count_target_ids),
        ):
            if length is None:
                continue
            lengths = np.atleast_1d(count(texts))
            long = np.argwhere(lengths > length)
            if len(long):
                cut = self._cut.setdefault(side, [0, 0, _beginning(texts, long[0])])
                cut[0] += len(long)
                cut[1] += lengths.size if count_all else 0


def _beginning(texts, index):
    for i in index:
        texts = texts[int(i)]
    text = texts.numpy() if hasattr(texts, "numpy") else texts
    text = text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text
    return repr(text) if len(text) <= 40 else f"{text[:40]!r} ..."
