"""Training batches of a few fixed shapes."""

import functools
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow
from keras_s2s.data.buckets import choose_buckets
from keras_s2s.data.ragged import as_ragged
from keras_s2s.preprocessing.long_texts import CutWarning
from keras_s2s.preprocessing.text import as_list
from keras_s2s.tokens import END, PAD, decoder_inputs

_planning = threading.Lock()
_drawing = ThreadPoolExecutor(max_workers=1)


class BucketedBatches(keras.utils.PyDataset):
    """Batches of token ids of similar lengths, for `fit`, `evaluate` or an own loop.

    Every pair comes exactly once per epoch, and little is padding. Plain NumPy: no TensorFlow
    needed.

    Without `max_buckets` pairs are sorted by length, and each batch is as wide as its longest
    source and target. With `max_buckets` there are no more shapes than that, batch size included,
    so that XLA and JAX compile as many programs: what does not fill a batch moves to the next
    wider bucket, and the last batch of all is filled with rows of zeros whose sample weight is 0.

    Batches are `(x, labels, sample_weight)` as `TextPairPreprocessor` makes them.

    Each epoch has an order of its own, a function of `seed` and `epoch` only. `fit` starts
    epochs by itself; in an own loop call `on_epoch_end()` after each, or `set_epoch(n)` before.

    Args:
        source_ids: Sequence of 1-D integer sequences, or `RaggedIds`, without start and end ids.
        target_ids: The same for the outputs.
        tokens_per_batch: Positions of a batch, source and target together, padding included.
        batch_size: Pairs of a batch, however long, in place of `tokens_per_batch`.
        max_buckets: Largest number of shapes, or None. Small sets get fewer, so that batches fill.
            `"auto"`: 12 on JAX, which compiles each, and None on other backends. Give a number
            for `jit_compile=True` too.
        source_length: Longest source, its end id included. `None`: that of the longest pair.
        target_length: Longest target, its end id included. `None`: that of the longest pair.
        drop_long: If true, leave out pairs longer than that; if false, cut them, the end id kept.
            A `keras_s2s.preprocessing.CutWarning` says how many.
        shuffle: If false, the order is the same in all epochs, short batches first.
        seed: Integer.
        resample: Callable, `resample(epoch) -> (source_ids, target_ids)`: other segmentations of
            the same pairs, for subword regularisation. Called once for each epoch, in another
            thread while the epoch before trains; `epoch` should seed the draws. Where they are
            longer than the lengths or the widest bucket, the given ids are used.
        **kwargs: Those of `keras.utils.PyDataset`.

    Attributes:
        shapes: List of `(batch, source, target)`: those of this epoch, from narrow to wide.
        padding_share: Share of this epoch's positions that are padding.
        num_dropped: Number of pairs left out because of their length.
        num_cut: Number of pairs cut because of it.
        epoch: Number of the current epoch, from 0.

    Raises:
        ValueError: If there are no pairs, not as many sources as targets, special ids among the
            ids, or a size below 1.
        TypeError: If the ids are not integers.

    Example:
    ```python
    from keras_s2s.data import BucketedBatches

    sources = [[5, 6], [7], [5, 6, 7, 8]] * 20
    targets = [[9], [9, 8, 7], [6, 5, 4]] * 20
    batches = BucketedBatches(sources, targets, tokens_per_batch=64)
    for x, labels, sample_weight in batches:
        assert x["encoder_token_ids"].shape[0] == labels.shape[0]
    ```
    """

    def __init__(
        self,
        source_ids,
        target_ids,
        tokens_per_batch=4096,
        max_buckets="auto",
        source_length=None,
        target_length=None,
        drop_long=False,
        shuffle=True,
        seed=0,
        resample=None,
        batch_size=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self._resample = resample
        self._ahead = {}
        pairs = as_ragged(source_ids, "source_ids"), as_ragged(target_ids, "target_ids")
        if len(pairs[0]) != len(pairs[1]):
            raise ValueError(
                "`source_ids` and `target_ids` must be of the same length. "
                f"Received {len(pairs[0])} sources and {len(pairs[1])} targets."
            )
        if max_buckets == "auto":
            max_buckets = 12 if keras.backend.backend() == "jax" else None
        for name, value in (
            ("tokens_per_batch", tokens_per_batch),
            ("max_buckets", max_buckets),
            ("source_length", source_length),
            ("target_length", target_length),
            ("batch_size", batch_size),
        ):
            if value is not None:
                check_int(name, value, 1)
        self._limits = source_length, target_length
        fits = [_fits(ids, limit) for ids, limit in zip(pairs, self._limits)]
        fits = np.all(fits, axis=0)
        self._kept = np.flatnonzero(fits) if drop_long else np.arange(len(pairs[0]))
        self.num_dropped = len(pairs[0]) - len(self._kept)
        self.num_cut = 0 if drop_long else int(np.sum(~fits))
        if not len(self._kept):
            raise ValueError(
                f"There are no pairs to make batches of: {len(pairs[0])} were given, "
                f"{self.num_dropped} were longer than `source_length`={source_length} or "
                f"`target_length`={target_length}."
            )
        if not fits.all():
            done = "left out" if drop_long else "cut"
            warnings.warn(
                f"{np.sum(~fits):,} of {len(fits):,} pairs are {done}, the first at index "
                f"{np.argmin(fits)}: they have more tokens, the end included, than "
                f"source_length={source_length} or target_length={target_length}.",
                CutWarning,
                stacklevel=2,
            )
        self._given = self._prepare(pairs)
        pairs = self._segmented(0)

        self._sizes = functools.partial(_rows, tokens_per_batch, batch_size)
        self._buckets = None
        if max_buckets is not None:
            self._buckets = self._choose_buckets(pairs, max_buckets, tokens_per_batch, batch_size)
        self._num_batches = len(self._plan(self._given))
        if resample:
            # Keras asks for the number once, so it must do for every draw.
            drawn = len(self._plan(pairs))
            enough = max(self._num_batches, drawn) + 2 + drawn // 500
            self._num_batches = min(enough, len(self._kept))
        self._state = (0, *self._start_epoch(0, pairs))

    def _choose_buckets(self, pairs, max_buckets, tokens_per_batch, batch_size):
        """Array `(buckets, 2)` of source and target widths."""
        lengths = [ids.lengths + 1 for ids in pairs]
        # At least four batches a bucket, else most batches would come from spilling over.
        if batch_size:
            useful = len(self._kept) // (4 * batch_size)
        else:
            useful = int(np.sum(lengths)) // (4 * tokens_per_batch)
        widths = choose_buckets(*lengths, min(max(useful, 1), max_buckets))
        # Whatever is drawn in an epoch, the given ids must fit.
        widest = [ids.lengths.max() + 1 for ids in self._given]
        widths[-1] = np.maximum(widths[-1], widest)
        return widths

    @classmethod
    def from_text(cls, preprocessor, sources, targets, sample=True, **options):
        """Makes batches of strings.

        Text is turned into ids once, and kept. If a tokenizer has a `sample_alpha`, its side is
        segmented anew at the start of each epoch.

        Args:
            preprocessor: `TextPairPreprocessor`. Its lengths apply.
            sources: Strings: a list, an array, a column of a table, an iterator ...
            targets: Strings, as many.
            sample: If false, no segmentations are drawn: for validation.
            **options: Those of the constructor.

        Returns:
            A `BucketedBatches`.
        """
        source, target = preprocessor.source_tokenizer, preprocessor.target_tokenizer
        sources, _ = as_list(sources, "sources")
        targets, _ = as_list(targets, "targets")
        plain = [
            as_ragged(tokenizer.encode(strings))
            for tokenizer, strings in ((source, sources), (target, targets))
        ]
        drawing = [sample and t.sample_alpha is not None for t in (source, target)]
        seed = options.get("seed", 0)

        def resample(epoch):
            return [
                tokenizer.encode(strings, sample=True, seed=[seed, epoch, side]) if draws else ids
                for side, (tokenizer, strings, draws, ids) in enumerate(
                    zip((source, target), (sources, targets), drawing, plain)
                )
            ]

        options = {
            "source_length": preprocessor.source_length,
            "target_length": preprocessor.target_length,
            "resample": resample if any(drawing) else None,
        } | options
        return cls(*plain, **options)

    @property
    def shapes(self):
        if self._buckets is not None:
            return [self._shape(widths) for widths in self._buckets]
        _, plan = self._current()
        return sorted({shape for shape, _ in plan}, key=lambda shape: (sum(shape[1:]), shape))

    def _shape(self, widths):
        source, target = (int(width) for width in widths)
        return min(self._sizes(source + target), len(self._kept)), source, target

    @property
    def num_batches(self):
        return self._num_batches

    def __len__(self):
        return self._num_batches

    def __getitem__(self, index):
        if not 0 <= index < self._num_batches:
            raise IndexError(f"There is no batch {index}; there are {self._num_batches}.")
        (sources, targets), plan = self._current()
        (size, source_width, target_width), rows = plan[index]
        row = np.arange(len(rows))
        source = np.zeros((size, source_width), "int32")
        source[row] = sources.padded(rows, source_width)
        source[row, sources.lengths[rows]] = END
        decoder, labels = np.zeros((2, size, target_width), "int32")
        labels[row] = targets.padded(rows, target_width)
        labels[row, targets.lengths[rows]] = END
        # Rows of padding alone begin with nothing.
        decoder[row] = decoder_inputs(labels[row])
        weights = (labels != PAD).astype("float32")
        return {"encoder_token_ids": source, "decoder_token_ids": decoder}, labels, weights

    def set_epoch(self, epoch):
        """Goes to epoch number `epoch`, e.g. when training is resumed."""
        self.epoch = epoch

    def on_epoch_end(self):
        self.set_epoch(self.epoch + 1)

    @property
    def padding_share(self):
        pairs, plan = self._current()
        used = sum(int(ids.lengths.sum()) + len(ids) for ids in pairs)
        positions = 0
        for (size, source, target), _ in plan:
            positions += size * (source + target)
        return 1.0 - used / positions

    def as_tf_dataset(self):
        """Returns a `tf.data.Dataset` of the batches. Each pass over it is one more epoch."""
        tf = import_tensorflow()

        def one_epoch():
            yield from self
            self.on_epoch_end()

        ids, weights = tf.TensorSpec((None, None), "int32"), tf.TensorSpec((None, None), "float32")
        signature = ({"encoder_token_ids": ids, "decoder_token_ids": ids}, ids, weights)
        dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _current(self):
        """`(pairs, plan)` of the current epoch, made when first asked for."""
        # Locked, since Keras may read ahead in another thread.
        with _planning:
            if self._state[0] != self.epoch:
                pairs = self._segmented(self.epoch)
                self._state = (self.epoch, *self._start_epoch(self.epoch, pairs))
            return self._state[1:]

    def _prepare(self, pairs):
        """The kept pairs, cut so that the end id still has room."""
        return [
            ids if limit is None else ids.cut(limit - 1)
            for ids, limit in zip(self._select(pairs), self._limits)
        ]

    def _select(self, pairs):
        if len(self._kept) == len(pairs[0]):
            return pairs
        return [ids.select(self._kept) for ids in pairs]

    def _segmented(self, epoch):
        if self._resample is None:
            return self._given
        ahead = self._ahead.get(epoch)
        pairs = ahead.result() if ahead else self._drawn(epoch)
        # Draws of the next epoch are made while this one trains.
        self._ahead = {epoch + 1: _drawing.submit(self._drawn, epoch + 1)}
        return pairs

    def _drawn(self, epoch):
        names = "source_ids", "target_ids"
        drawn = [as_ragged(ids, name) for ids, name in zip(self._resample(epoch), names)]
        if {len(ids) for ids in drawn} != {len(self._kept) + self.num_dropped}:
            raise ValueError("`resample` must return as many sources and targets as were given.")
        drawn = self._select(drawn)
        fits = np.all([_fits(ids, limit) for ids, limit in zip(drawn, self._limits)], axis=0)
        if fits.all():
            return drawn
        return [ids.where(fits, given) for ids, given in zip(drawn, self._given)]

    def _start_epoch(self, epoch, pairs):
        """`(pairs, plan)`: the plan a list of `(shape, rows)`, `num_batches` long."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(pairs[0])) if self.shuffle else None
        widest = (None, None) if self._buckets is None else self._buckets[-1]
        use = np.all([_fits(ids, width) for ids, width in zip(pairs, widest)], axis=0)
        chosen = pairs
        while True:
            if not use.all():
                chosen = [new.where(use, old) for new, old in zip(pairs, self._given)]
            plan = self._plan(chosen, order)
            if len(plan) <= self._num_batches:
                break
            use &= rng.random(len(use)) < 0.9  # Rare: draws need more batches than announced.
        while len(plan) < self._num_batches:  # The other way round: split some.
            largest = max(range(len(plan)), key=lambda index: len(plan[index][1]))
            shape, rows = plan[largest]
            plan[largest] = shape, rows[::2]
            plan.append((shape, rows[1::2]))
        if self.shuffle:
            plan = [plan[index] for index in rng.permutation(len(plan))]
        _show_what_varies(plan)
        return chosen, plan

    def _plan(self, pairs, order=None):
        """List of `(shape, rows)`, short ones first."""
        lengths = np.stack([ids.lengths + 1 for ids in pairs], axis=1)
        order = np.arange(len(lengths)) if order is None else order
        if self._buckets is None:
            return self._sorted_plan(lengths, order)
        bucket = np.max([np.searchsorted(w, n) for w, n in zip(self._buckets.T, lengths.T)], axis=0)
        # Each pair in the narrowest bucket with room in a batch.
        plan, spilled = [], order[:0]
        for index, shape in enumerate(self.shapes):
            size = shape[0]
            rows = np.concatenate([spilled, order[bucket[order] == index]])
            full = len(rows) // size * size
            plan += [(shape, rows[at : at + size]) for at in range(0, full, size)]
            spilled = rows[full:]
        return plan + [(shape, spilled)] if len(spilled) else plan

    def _sorted_plan(self, lengths, order):
        source, target = lengths[order].T
        # Sources grow for one length of the target and fall for the next, so that neighbours are
        # similar everywhere. Targets cost more.
        order = order[np.lexsort((np.where(target % 2, source, -source), target))]
        widths, plan, at = lengths[order], [], 0
        while at < len(order):
            size = self._sizes(int(widths[at].sum()))
            while True:
                shape = widths[at : at + size].max(axis=0)
                if self._sizes(int(shape.sum())) >= size:
                    break
                size = self._sizes(int(shape.sum()))
            rows = order[at : at + size]
            plan.append(((len(rows), *shape.tolist()), rows))
            at += size
        return plan


def _show_what_varies(plan):
    """Puts first the batches that Keras looks at to see which axes vary in length."""
    plan.insert(0, plan.pop(min(range(len(plan)), key=lambda index: sum(plan[index][0][1:]))))
    plan.insert(1, plan.pop(max(range(len(plan)), key=lambda index: sum(plan[index][0][1:]))))
    if len(plan) < 3:
        return
    (size, *widths), rows = plan[1]
    for axis in (0, 1):
        # Rarely neither the narrowest nor the widest batch shows it: then this one is wider.
        all_widths = {shape[1 + axis] for shape, _ in plan}
        if widths[axis] == plan[0][0][1 + axis] and len(all_widths) > 1:
            widths[axis] = max(all_widths) + (widths[axis] == max(all_widths))
    plan[1] = (size, *widths), rows


def _fits(ids, width):
    """For each sequence whether it and the end id fit `width`; `None` is no limit."""
    return np.full(len(ids), True) if width is None else ids.lengths < width


def _rows(tokens_per_batch, batch_size, width):
    if batch_size:
        return batch_size
    rows = max(tokens_per_batch // width, 1)
    # Matrix units work in eights.
    return rows - rows % 8 if rows > 8 else rows
