"""The spectrograms of the clips of a recipe, each computed once for each speed."""

import numpy as np

#: Bytes of spectrograms that are kept; those of further clips are computed for each batch.
ROOM = 2**31


class LogMels:
    """From numbers of clips to a batch of their spectrograms.

    Args:
        column: `keras_s2s.preprocessing.AudioColumn`.
        clips: List of clips, as models take them.
        sample: Whether each clip gets one of the speeds of the column, drawn anew in each call.
        seed: Integer.
    """

    def __init__(self, column, clips, sample, seed):
        self.column, self.clips = column, clips
        self.speeds = column.speeds if sample else (1.0,)
        self.rng = np.random.default_rng(seed)
        self.kept, self.room = {}, ROOM

    def __call__(self, rows):
        """Float32 `(rows, frames, num_mels)`, 0 at padding."""
        drawn = self.rng.choice(self.speeds, len(rows))
        keys = [(int(row), float(speed)) for row, speed in zip(rows, drawn)]
        made = {key: self.kept[key] for key in keys if key in self.kept}
        for speed in set(drawn):
            missing = list({key for key in keys if key not in made and key[1] == speed})
            if missing:
                made |= self._computed(missing, speed)
        frames = max(len(made[key]) for key in keys)
        batch = np.zeros((len(keys), frames, self.column.spectrogram.num_mels), "float32")
        for place, key in zip(batch, keys):
            place[: len(made[key])] = made[key]
        return batch

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
