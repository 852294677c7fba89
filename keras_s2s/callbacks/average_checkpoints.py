from pathlib import Path

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s.callbacks._chief import is_chief


class AverageCheckpoints(keras.callbacks.Callback):
    """Gives the model the mean of its weights after the last epochs, when training ends.

    The weights are on the disk, so that training which is resumed after an interruption averages
    the same. For an average over every step, at the cost of memory on an accelerator, see
    `use_ema=True` of Keras's optimizers. If several processes train together, the first writes the
    weights and all read them: they need a common folder.

    Args:
        folder: Folder for the weights of the last epochs.
        count: Integer, the number of epochs.

    Reference:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 6.1

    Example:
    ```python
    import keras_s2s

    callback = keras_s2s.callbacks.AverageCheckpoints("run/last", count=3)
    ```
    """

    def __init__(self, folder, count=5):
        super().__init__()
        check_int("count", count, 1)
        self.folder, self.count = Path(folder), count
        self._epochs = 0

    def _files(self):
        return sorted(self.folder.glob("epoch_*.npz"))

    def on_train_begin(self, logs=None):
        if is_chief(self.model):
            self.folder.mkdir(parents=True, exist_ok=True)

    def on_epoch_begin(self, epoch, logs=None):
        if not is_chief(self.model):
            return
        for file in self._files():  # left by an earlier run
            if _number(file) > epoch:
                file.unlink()

    def on_epoch_end(self, epoch, logs=None):
        self._epochs = epoch + 1
        if not is_chief(self.model):
            return
        target = self.folder / f"epoch_{epoch + 1:04}.npz"
        # Renamed when complete, so that no file is ever incomplete.
        unfinished = target.with_suffix(".tmp")
        with open(unfinished, "wb") as file:
            np.savez(file, *self.model.get_weights())
        unfinished.replace(target)
        for old in self._files()[: -self.count]:
            old.unlink()

    def on_train_end(self, logs=None):
        sums, last, count = None, None, 0
        for last in self._kept():
            sums = last if sums is None else [a + b for a, b in zip(sums, last)]
            count += 1
        if not count:
            return
        # Integers are counters, which keep their last value.
        means = [a / count if a.dtype.kind != "i" else b for a, b in zip(sums, last)]
        self.model.set_weights([a.astype(b.dtype) for a, b in zip(means, last)])

    def _kept(self):
        """Yields the weights after each of the last epochs."""
        files = self._files()
        if not is_chief(self.model):
            # The first process may just be writing the last epoch's file and removing older ones.
            earlier = range(self._epochs - self.count + 1, self._epochs)
            files = [file for file in files if _number(file) in earlier]
        for file in files:
            with np.load(file, allow_pickle=False) as weights:
                yield [weights[name] for name in weights.files]
        if self._epochs and not is_chief(self.model):
            yield self.model.get_weights()


def _number(file):
    return int(file.stem.removeprefix("epoch_"))
