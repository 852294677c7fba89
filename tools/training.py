"""What the trainings of all presets share."""

import math
from pathlib import Path

import keras
import numpy as np


@keras.saving.register_keras_serializable("keras_s2s_tools")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then a cosine down to zero."""

    def __init__(self, peak, warmup_steps, total_steps):
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        up = (step + 1) / max(self.warmup_steps, 1)
        share = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        down = 0.5 * (1 + keras.ops.cos(math.pi * keras.ops.clip(share, 0, 1)))
        return self.peak * keras.ops.where(step < self.warmup_steps, up, down)

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }


class KeepLast(keras.callbacks.Callback):
    """Keeps the weights of the last epochs on disk, and can average them."""

    def __init__(self, folder, count):
        super().__init__()
        self.folder, self.count = Path(folder), count
        self.folder.mkdir(parents=True, exist_ok=True)

    def files(self):
        return sorted(self.folder.glob("epoch_*.npz"))

    def on_epoch_begin(self, epoch, logs=None):
        for file in self.files():  # of a run before this one
            if int(file.stem.removeprefix("epoch_")) > epoch:
                file.unlink()

    def on_epoch_end(self, epoch, logs=None):
        weights = self.model.get_weights()
        np.savez(self.folder / f"epoch_{epoch + 1:04}.npz", *weights)
        for old in self.files()[: -self.count]:
            old.unlink()

    def average(self):
        sums = None
        for file in self.files():
            with np.load(file, allow_pickle=False) as weights:
                arrays = [weights[name] for name in weights.files]
            sums = arrays if sums is None else [a + b for a, b in zip(sums, arrays)]
        return [a / len(self.files()) for a in sums]
