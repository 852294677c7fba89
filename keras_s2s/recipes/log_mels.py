"""The spectrograms of the clips of a recipe, each computed once for each speed."""

import warnings

import keras
import numpy as np

#: Bytes of spectrograms that are kept; those of further clips are computed for each batch.
ROOM = 2**31


class LogMels:
    """From numbers of clips to a batch of their spectrograms.

    Args:
        column: `keras_s2s.preprocessing.AudioColumn`.
        clips: List of clips, as models take them.
        sample: Whether each clip gets one of the speeds of the column, drawn anew in each epoch.
        seed: Integer.

    Attributes:
        batches: The `keras_s2s.data.Batches` whose epoch counts, or None.
    """

    def __init__(self, column, clips, sample, seed):
        self.column, self.clips, self.seed = column, clips, seed
        self.speeds = column.speeds if sample else (1.0,)
        self.batches = None
        self.kept, self.room = {}, ROOM
        self._needed, self._reduction, self._short, self._seen = None, 1, set(), set()

    def tell_short(self, ids, reduction):
        """Warns once, after an epoch, how many clips have no room for a CTC's path.

        Args:
            ids: Token ids of the transcripts, a sequence of sequences.
            reduction: Integer, how many frames a position of the memory stands for.
        """
        rows = [np.asarray(row) for row in ids]
        # Equal tokens need a blank between them.
        self._needed = [len(row) + int(np.sum(row[1:] == row[:-1])) for row in rows]
        self._reduction = reduction

    def __call__(self, rows):
        """Float32 `(rows, frames, num_mels)`, 0 at padding."""
        epoch = 0 if self.batches is None else self.batches.epoch
        keys = [(int(row), self._speed(epoch, int(row))) for row in rows]
        made = {key: self.kept[key] for key in keys if key in self.kept}
        for speed in self.speeds:
            missing = list({key for key in keys if key not in made and key[1] == speed})
            if missing:
                made |= self._computed(missing, speed)
        self._count(made)
        frames = max(len(made[key]) for key in keys)
        if keras.backend.backend() == "jax":
            frames = -(-frames // 64) * 64  # Few widths, for each of which JAX compiles.
        batch = np.zeros((len(keys), frames, self.column.spectrogram.num_mels), "float32")
        for place, key in zip(batch, keys):
            place[: len(made[key])] = made[key]
        return batch

    def _speed(self, epoch, row):
        draw = np.random.default_rng([self.seed, epoch, row])
        return float(self.speeds[draw.integers(len(self.speeds))])

    def _computed(self, keys, speed):
        waveforms = self.column.as_batch([self.clips[row] for row, _ in keys])
        log_mels = np.asarray(self.column.at_speed(waveforms, speed))
        # Rows of 0 are padding.
        computed = {key: one[one.any(axis=-1)] for key, one in zip(keys, log_mels)}
        for key, one in computed.items():
            if one.nbytes <= self.room:
                self.kept[key] = one
                self.room -= one.nbytes
        return computed

    def _count(self, made):
        if self._needed is None:
            return
        for (row, _), one in made.items():
            self._seen.add(row)
            if -(-len(one) // self._reduction) < self._needed[row]:
                self._short.add(row)
        if len(self._seen) < len(self.clips):
            return
        self._needed = None
        if self._short:
            warnings.warn(
                f"{len(self._short):,} of {len(self.clips):,} transcripts have more tokens than "
                "their clips have positions, so the CTC does not learn from them. Use fewer "
                "'filters' or 'pyramid_layers', or larger pieces.",
                stacklevel=2,
            )
