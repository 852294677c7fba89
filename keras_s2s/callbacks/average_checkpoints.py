from pathlib import Path

import keras
import numpy as np

from keras_s2s.decoding.sampler import check_int


class AverageCheckpoints(keras.callbacks.Callback):
    """Gives the model the mean of its weights after the last epochs, when training ends.

    The weights lie on the disk, so that training which goes on after an interruption averages the
    same. For an average over every step, and for the sake of memory on an accelerator, see
    `use_ema=True` of Keras's optimizers.

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

    def _files(self):
        return sorted(self.folder.glob("epoch_*.npz"))

    def on_train_begin(self, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_epoch_begin(self, epoch, logs=None):
        for file in self._files():  # of a run before this one
            if int(file.stem.removeprefix("epoch_")) > epoch:
                file.unlink()

    def on_epoch_end(self, epoch, logs=None):
        target = self.folder / f"epoch_{epoch + 1:04}.npz"
        # Whole or not at all.
        unfinished = target.with_suffix(".tmp")
        with open(unfinished, "wb") as file:
            np.savez(file, *self.model.get_weights())
        unfinished.replace(target)
        for old in self._files()[: -self.count]:
            old.unlink()

    def on_train_end(self, logs=None):
        files = self._files()
        if not files:
            return
        sums, last = None, None
        for file in files:
            with np.load(file, allow_pickle=False) as weights:
                last = [weights[name] for name in weights.files]
            sums = last if sums is None else [a + b for a, b in zip(sums, last)]
        # Counters have no mean.
        means = [a / len(files) if a.dtype.kind != "i" else b for a, b in zip(sums, last)]
        self.model.set_weights([a.astype(b.dtype) for a, b in zip(means, last)])
