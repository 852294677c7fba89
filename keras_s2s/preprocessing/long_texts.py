"""Counts texts of more ids than a preprocessor's lengths allow, and warns of them."""

import warnings

import numpy as np

from keras_s2s._optional import import_tensorflow


class CutWarning(UserWarning):
    """Texts were longer than a length, and their ends were cut off."""


class SlotWarning(UserWarning):
    """Inputs had more words that the vocabulary lacks than there are `copy_slots`."""


def pieces(length):
    """The pieces that a length allows, in words, without the end id, which users do not see."""
    return f"{length - 1:,} piece{'' if length == 2 else 's'}"


def warn_of_slots(column, words, rows=None, stacklevel=2):
    """Warns if inputs have more words that the vocabulary lacks than the column has slots.

    Args:
        column: A `TextColumn` with `copy_slots`.
        words: What its `own_words` returned for the inputs and one slot more.
        rows: The index of the input of each row, if they are others.
        stacklevel: As in `warnings.warn`.
    """
    slots = column.copy_slots
    long = np.flatnonzero(np.asarray(words)[:, slots] != b"")
    if len(long):
        rows = np.arange(len(words)) if rows is None else np.asarray(rows)
        warnings.warn(
            f"{len(set(rows[long])):,} of {len(set(rows)):,} inputs have more than {slots:,} "
            f"different words that the vocabulary lacks, the first at index {rows[long[0]]}. Only "
            f"the first {slots:,} can be copied. To copy more, raise `copy_slots`, or enlarge the "
            "vocabulary.",
            SlotWarning,
            stacklevel=stacklevel + 1,
        )


class CutTexts:
    """Counts the texts of a data set whose ends the preprocessor cuts off, to warn once.

    Args:
        preprocessor: A `Preprocessor`.

    Attributes:
        is_watching: Whether to count while datasets are read.
    """

    def __init__(self, preprocessor):
        self._preprocessor = preprocessor
        self._cut = {}
        self._inputs = []
        self.is_watching = False

    def count(self, inputs, outputs):
        """Counts the texts that are cut among all raw inputs and outputs.

        Args:
            inputs: Raw inputs, one after the other in a list.
            outputs: Texts; of inputs with several texts, `(inputs, texts)`.
        """
        for side, texts in self._texts(inputs, outputs).items():
            self._count(side, texts, count_all=True)
        if self._preprocessor.raw.copy_slots:
            self._inputs += list(inputs)

    def watch(self, inputs, outputs, features, labels):
        """Counts in a `tf.data` map, at the cost of a comparison where nothing is cut.

        Args:
            inputs: Raw inputs of a batch.
            outputs: Its texts.
            features: Dict of the encoder's features.
            labels: Ids that the model is to write.
        """
        tf = import_tensorflow()
        self.is_watching = True
        sides = self._texts(inputs, outputs)
        ids = {column.raw_name: features[column.name] for column in self._preprocessor.columns}
        ids["outputs"] = labels
        # Only a batch as wide as the length can have longer texts.
        may_be_cut = tf.constant(False)
        for side in sides:
            may_be_cut |= tf.shape(ids[side])[-1] >= self._limit(side)[0]

        def count(*texts):
            if self.is_watching:
                for side, column in zip(sides, texts):
                    self._count(side, column)
            return 0

        tf.cond(
            may_be_cut,
            lambda: tf.py_function(count, list(sides.values()), tf.int32),
            lambda: tf.constant(0),
        )

    def warn(self, stacklevel=2):
        """Warns of the texts counted since the last warning."""
        for side, (cut, seen, first) in self._cut.items():
            length, _, what, option = self._limit(side)
            of_all = f" of {seen:,}" if seen else ""
            warnings.warn(
                f"{cut:,}{of_all} {what} have more than {pieces(length)} and are cut there, the "
                f"first: {first}. A larger {option} keeps them whole.",
                CutWarning,
                stacklevel=stacklevel + 1,
            )
        if self._inputs:
            column = self._preprocessor.raw
            words = column.own_words(column.as_batch(self._inputs), column.copy_slots + 1)
            warn_of_slots(column, words, stacklevel=stacklevel + 1)
        self._cut, self._inputs = {}, []

    def _texts(self, inputs, outputs):
        """The texts that can be too long, by the side they are on."""
        columns = self._preprocessor.columns
        if len(columns) > 1:
            sides = self._preprocessor.raw.by_column(inputs)
        else:
            sides = {columns[0].raw_name: inputs}
        sides = {c.raw_name: sides[c.raw_name] for c in columns if c.length is not None}
        return {**sides, "outputs": outputs}

    def _limit(self, side):
        """Length, function that counts ids, name of the texts, and name of what to enlarge."""
        p = self._preprocessor
        if side == "outputs":
            option = "`target_length` of the preprocessor"
            return p.target_length, p.count_target_ids, "outputs", option
        [column] = [column for column in p.columns if column.raw_name == side]
        name = "inputs" if len(p.columns) == 1 else repr(side)
        option = "`length` of the column"
        if hasattr(p, "source_length"):
            option = "`source_length` of the preprocessor"
        return column.text_length, column.count_text_ids, name, option

    def _count(self, side, texts, count_all=False):
        length, count, _, _ = self._limit(side)
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
