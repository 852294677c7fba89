"""Training batches of token ids and features."""

import copy
import functools
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow
from keras_s2s.data.batch_columns import Features, Ids, as_batch_column
from keras_s2s.data.batch_plans import SimilarLengths, TokensPerBatch
from keras_s2s.preprocessing import own_words
from keras_s2s.preprocessing.long_texts import CutWarning, warn_of_slots
from keras_s2s.preprocessing.text import as_list, as_rows
from keras_s2s.tokens import PAD, decoder_inputs

TARGETS = "decoder_token_ids"

_planning = threading.Lock()
_drawing = ThreadPoolExecutor(max_workers=1)


class Batches(keras.utils.PyDataset):
    """Batches of columns, for `fit`, `evaluate` or a loop of your own. Plain NumPy.

    Batches are `(x, labels, sample_weight)` as a `keras_s2s.preprocessing.Preprocessor` makes
    them. Every example comes exactly once per epoch; a plan says which share a batch.

    Each epoch has an order of its own, a function of `seed` and `epoch` only. `fit` starts
    epochs by itself; in a loop of your own call `on_epoch_end()` after each, or `set_epoch(n)`
    before.

    Args:
        columns: Dict from the names of a model's inputs to columns. Sequences of 1-D integer
            sequences, without start and end ids, are token ids; anything else is wrapped in
            `keras_s2s.data.Features`. `"decoder_token_ids"` are the outputs, of which an example
            may have a list.
        plan: `TokensPerBatch`, `ExamplesPerBatch` or `SimilarLengths`. By default
            `TokensPerBatch()`, and with features `SimilarLengths()`.
        lengths: Dict from names to the longest texts, the end id included; others have no limit.
        drop_long: If true, leave out examples with a longer text; if false, cut it, the end id
            kept. A `keras_s2s.preprocessing.CutWarning` says how many.
        shuffle: If false, the order is the same in all epochs.
        seed: Integer.
        resample: Callable, `resample(epoch)` that returns a dict of some of the columns: other
            segmentations of the same texts, for subword regularisation. Called once for each
            epoch, in another thread while the epoch before trains; `epoch` should seed the draws.
            Where they are longer than the lengths or the widest bucket, the given ids are used.
        shortest_first: Integer, in how many epochs the batches come in the order of their texts'
            lengths. The longest is the second all the same, so that Keras sees that they vary.
        **kwargs: Keyword arguments of `keras.utils.PyDataset`.

    Attributes:
        shapes: List of this epoch's `(batch, *widths)` of the text columns, from narrow to wide.
        padding_share: Share of this epoch's text positions that are padding.
        features: Dict of the columns that are `keras_s2s.data.Features`.
        num_dropped: Number of examples left out because of their length.
        num_cut: Number of examples cut because of their length.
        cut_share: Their share of all examples.
        epoch: Number of the current epoch, from 0.

    Raises:
        ValueError: If there are no examples, columns of unequal length, special ids among the
            ids, or a size below 1.
        TypeError: If the ids are not integers.

    Example:
    ```python
    from keras_s2s.data import Batches, TokensPerBatch

    sources = [[5, 6], [7], [5, 6, 7, 8]] * 20
    targets = [[9], [9, 8, 7], [6, 5, 4]] * 20
    columns = {"encoder_token_ids": sources, "decoder_token_ids": targets}
    for x, labels, sample_weight in Batches(columns, TokensPerBatch(64)):
        assert x["encoder_token_ids"].shape[0] == labels.shape[0]
    ```
    """

    def __init__(
        self,
        columns,
        plan=None,
        lengths=None,
        drop_long=False,
        shuffle=True,
        seed=0,
        resample=None,
        shortest_first=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        self.shortest_first = check_int("shortest_first", shortest_first, 0)
        if TARGETS not in columns:
            raise ValueError(
                f"`columns` must hold the outputs, {TARGETS!r}. Received: {list(columns)}"
            )
        columns = {name: as_batch_column(values, name) for name, values in columns.items()}
        # Put the outputs last.
        columns[TARGETS] = columns.pop(TARGETS)
        counts = {name: len(column) for name, column in columns.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"The columns must be of the same length. Received: {counts}")
        self.features = {n: c for n, c in columns.items() if isinstance(c, Features)}
        texts = {n: c for n, c in columns.items() if n not in self.features}
        if plan is None:
            plan = SimilarLengths() if self.features else TokensPerBatch()
        # Copied, since the plan keeps the buckets of this data set.
        self._plan = plan = copy.copy(plan)
        self._lengths = {name: None for name in texts} | dict(lengths or {})
        for name, length in self._lengths.items():
            if name not in texts:
                raise ValueError(f"`lengths` holds {name!r}, which is no column of token ids.")
            if length is not None:
                check_int(f"lengths[{name!r}]", length, 1)
        self._keep(texts, counts[TARGETS], drop_long)
        self._resample, self._ahead = resample, {}
        self._given = self._prepared(texts)
        drawn = self._segmented(0)
        longest = [column.lengths.max() for column in self._given.values()]
        plan.prepare(_lengths(drawn), longest)
        self._num_batches = len(plan.batches(_lengths(self._given)))
        if resample:
            # Keras asks for the number of batches once, so it must be enough in every epoch.
            count = len(plan.batches(_lengths(drawn)))
            self._num_batches = min(
                max(self._num_batches, count) + 2 + count // 500, len(self._kept)
            )
        self._state = (0, *self._start_epoch(0, drawn))

    def _keep(self, texts, count, drop_long):
        """Finds the examples that are too long, and warns of them."""
        fits = np.all([c.fits(self._lengths[name]) for name, c in texts.items()], axis=0)
        self._kept = np.flatnonzero(fits) if drop_long else np.arange(count)
        self.num_dropped = count - len(self._kept)
        self.num_cut = 0 if drop_long else int(np.sum(~fits))
        told = ", ".join(f"{n}={length}" for n, length in self._lengths.items() if length)
        if not len(self._kept):
            raise ValueError(
                f"There are no examples to make batches of: {count} were given, "
                f"{self.num_dropped} were longer than `lengths`: {told or 'none'}."
            )
        if not fits.all():
            done = "left out" if drop_long else "cut"
            warnings.warn(
                f"{np.sum(~fits):,} of {count:,} examples are {done}, the first at index "
                f"{np.argmin(fits)}: they have more tokens, the end included, than {told}.",
                CutWarning,
                stacklevel=3,
            )
        if len(self._kept) < count:
            self.features = {n: c.select(self._kept) for n, c in self.features.items()}

    @classmethod
    def from_raw(cls, preprocessor, inputs, targets, plan=None, sample=True, **options):
        """Makes batches of raw data.

        Text is turned into ids once, and kept. If a tokenizer has a `sample_alpha`, its column is
        segmented anew at the start of each epoch. Images are read for each batch.

        Args:
            preprocessor: A `keras_s2s.preprocessing.Preprocessor`. Its lengths apply.
            inputs: Raw inputs: a list, an array, a column of a table, an iterator ...
            targets: Texts, as many; where inputs may have several, one or a list for each.
            plan: See the class.
            sample: If false, no segmentations are drawn: for validation.
            **options: Other arguments of the constructor.

        Returns:
            A `Batches`.
        """
        seed = options.get("seed", 0)
        columns, lengths, texts, words = {}, {}, {}, None
        given = {preprocessor.raw.raw_name: inputs}
        if len(preprocessor.columns) > 1:
            given = preprocessor.raw.by_column(inputs)
        for column in preprocessor.columns:
            values = given[column.raw_name]
            if column.vocabulary_size is None:
                convert = functools.partial(_features, column, sample)
                columns[column.name] = Features(values, convert, column.shape)
                continue
            strings, _ = as_list(values, column.raw_name)
            texts[column.name] = column.tokenizer, strings
            lengths[column.name] = column.length
            if column.copy_slots:
                words = column.own_words(column.as_batch(strings), column.copy_slots + 1)
                warn_of_slots(column, words)
                words = words[:, : column.copy_slots]
        rows = as_rows(targets, "targets")
        tokenizer = preprocessor.target_tokenizer
        if all(isinstance(row, bytes) for row in rows):
            texts[TARGETS] = tokenizer, rows
        else:
            columns[TARGETS] = [tokenizer.encode(row) for row in rows]
        lengths[TARGETS] = preprocessor.target_length
        columns |= {name: _encode(*text, words) for name, text in texts.items()}
        drawing = {
            name: (side, *text)
            for side, (name, text) in enumerate(texts.items())
            if sample and text[0].sample_alpha is not None
        }

        def resample(epoch):
            return {
                name: tokenizer.encode(strings, sample=True, seed=[seed, epoch, side])
                for name, (side, tokenizer, strings) in drawing.items()
            }

        options = {"lengths": lengths, "resample": resample if drawing else None} | options
        return cls(columns, plan, **options)

    @property
    def shapes(self):
        if shapes := getattr(self._plan, "shapes", lambda count: None)(len(self._kept)):
            return shapes
        shapes = {(size, *widths) for size, widths, _ in self._current()[1]}
        return sorted(shapes, key=lambda shape: (sum(shape[1:]), shape))

    @property
    def num_batches(self):
        return self._num_batches

    def __len__(self):
        return self._num_batches

    def __getitem__(self, index):
        if not 0 <= index < self._num_batches:
            raise IndexError(f"There is no batch {index}; there are {self._num_batches}.")
        texts, plan = self._current()
        size, widths, rows = plan[index]
        x = {name: column.batch(rows, size) for name, column in self.features.items()}
        for (name, column), width in zip(texts.items(), widths):
            x[name] = column.batch(rows, size, width)
        labels = x.pop(TARGETS)
        x[TARGETS] = np.zeros_like(labels)
        # Rows that only fill the batch have no start id.
        x[TARGETS][: len(rows)] = decoder_inputs(labels[: len(rows)])
        return x, labels, (labels != PAD).astype("float32")

    def inputs(self, rows):
        """The inputs of examples, without their outputs: a dict of arrays.

        Args:
            rows: Integer array, numbers of the examples that were not left out.
        """
        texts = {name: column for name, column in self._given.items() if name != TARGETS}
        # Few different widths, for each of which JAX compiles.
        widths = {name: -(-int(c.lengths[rows].max()) // 16) * 16 for name, c in texts.items()}
        features = {name: column.batch(rows, len(rows)) for name, column in self.features.items()}
        ids = {name: c.batch(rows, len(rows), widths[name]) for name, c in texts.items()}
        return {**features, **ids}

    def labels(self, rows, length):
        """The outputs of examples, int32 `(rows, texts, length)`.

        Args:
            rows: As in `inputs`.
            length: Integer, at least that of the longest of them, the end id included.
        """
        labels = self._given[TARGETS].batch(rows, len(rows), length)
        return labels if labels.ndim == 3 else labels[:, None]

    def set_epoch(self, epoch):
        """Goes to epoch number `epoch`, e.g. when training is resumed."""
        self.epoch = epoch

    def on_epoch_end(self):
        self.set_epoch(self.epoch + 1)

    @property
    def padding_share(self):
        texts, plan = self._current()
        used = sum(column.tokens for column in texts.values())
        texts_each = [getattr(column, "most", 1) for column in texts.values()]
        positions = sum(
            size * sum(width * most for width, most in zip(widths, texts_each))
            for size, widths, _ in plan
        )
        return 1.0 - used / positions

    @property
    def cut_share(self):
        return self.num_cut / len(self._kept)

    def as_tf_dataset(self):
        """Returns a `tf.data.Dataset` of the batches. Each pass over it is one more epoch."""
        tf = import_tensorflow()

        def one_epoch():
            yield from (self[i] for i in range(len(self)))
            self.on_epoch_end()

        x, labels, weights = self[0]

        def spec(name, array):
            column = self.features.get(name)
            shape = [None] * array.ndim
            if column is not None:
                shape = (None, *(column.shape or array.shape[1:]))
            return tf.TensorSpec(shape, array.dtype)

        signature = (
            {name: spec(name, array) for name, array in x.items()},
            spec(TARGETS, labels),
            spec(TARGETS, weights),
        )
        dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _current(self):
        """`(texts, plan)` of the current epoch, made when first asked for."""
        # Locked, since Keras may read ahead in another thread.
        with _planning:
            if self._state[0] != self.epoch:
                texts = self._segmented(self.epoch)
                self._state = (self.epoch, *self._start_epoch(self.epoch, texts))
            return self._state[1:]

    def _prepared(self, texts):
        """The kept texts, cut so that the end id still has room."""
        return {
            name: column if self._lengths[name] is None else column.cut(self._lengths[name])
            for name, column in self._select(texts).items()
        }

    def _select(self, texts):
        if len(self._kept) == len(next(iter(texts.values()))):
            return texts
        return {name: column.select(self._kept) for name, column in texts.items()}

    def _segmented(self, epoch):
        if self._resample is None:
            return self._given
        ahead = self._ahead.get(epoch)
        texts = ahead.result() if ahead else self._drawn(epoch)
        # Draws of the next epoch are made while this one trains.
        self._ahead = {epoch + 1: _drawing.submit(self._drawn, epoch + 1)}
        return texts

    def _drawn(self, epoch):
        drawn = {name: Ids(ids, name) for name, ids in self._resample(epoch).items()}
        count = len(self._kept) + self.num_dropped
        if any(len(column) != count for column in drawn.values()):
            raise ValueError("`resample` must return as many texts as were given.")
        drawn = {**self._given, **self._select(drawn)}
        fits = [column.fits(self._lengths[name]) for name, column in drawn.items()]
        return self._where(np.all(fits, axis=0), drawn)

    def _where(self, use, texts):
        """Drawn texts where `use`, else the given ones."""
        if use.all():
            return texts
        return {
            name: given if texts[name] is given else texts[name].where(use, given)
            for name, given in self._given.items()
        }

    def _start_epoch(self, epoch, texts):
        """`(texts, plan)`, where the plan is a list of `num_batches` `(size, widths, rows)`."""
        rng = np.random.default_rng([self.seed, epoch])
        draws = self._plan.draw(rng, len(self._kept)) if self.shuffle else None
        widest = self._plan.widest
        widest = [None] * len(texts) if widest is None else widest
        use = np.all([c.fits(width) for c, width in zip(texts.values(), widest)], axis=0)
        chosen = texts
        while True:
            chosen = self._where(use, texts)
            plan = self._plan.batches(_lengths(chosen), draws)
            if len(plan) <= self._num_batches:
                break
            use &= rng.random(len(use)) < 0.9  # Rare: too many batches, so use fewer draws.
        while len(plan) < self._num_batches:  # Too few batches: split some.
            largest = max(range(len(plan)), key=lambda index: len(plan[index][2]))
            size, widths, rows = plan[largest]
            plan[largest] = size, widths, rows[::2]
            plan.append((size, widths, rows[1::2]))
        if epoch < self.shortest_first:
            plan.sort(key=lambda batch: sum(batch[1]))
        elif self.shuffle:
            plan = [plan[index] for index in rng.permutation(len(plan))]
        _show_what_varies(plan)
        return chosen, plan


def _features(column, sample, values):
    return np.asarray(column.encode(column.as_batch(values), sample))


def _encode(tokenizer, strings, words):
    if words is None:
        return tokenizer.encode(strings)
    return own_words.encode(strings, tokenizer, words)


def _lengths(texts):
    return np.stack([column.lengths for column in texts.values()], axis=1)


def _show_what_varies(plan):
    """Puts first the batches that Keras looks at to see which axes vary in length."""
    plan.insert(0, plan.pop(min(range(len(plan)), key=lambda index: sum(plan[index][1]))))
    plan.insert(1, plan.pop(max(range(len(plan)), key=lambda index: sum(plan[index][1]))))
    if len(plan) < 3:
        return
    size, widths, rows = plan[1]
    widths = list(widths)
    for axis, width in enumerate(widths):
        # Rarely the narrowest and the widest batch do not show that an axis varies: widen this one.
        all_widths = {other[axis] for _, other, _ in plan}
        if width == plan[0][1][axis] and len(all_widths) > 1:
            widths[axis] = max(all_widths) + (width == max(all_widths))
    plan[1] = size, widths, rows
