import math
from pathlib import Path

import keras
import numpy as np

from keras_s2s.callbacks._chief import is_chief


class StopOnNaN(keras.callbacks.Callback):
    """Ends training with an error as soon as the loss is no number, and saves the batch.

    It raises an error, so that no other callback saves the spoilt weights at the end of the epoch:
    the last files of `Resume` and `keras.callbacks.ModelCheckpoint` stay. It reads the loss after
    every batch, for which an accelerator has to wait.

    Args:
        batches: The training data of `fit`: `keras_s2s.data.Batches`, or with
            `fit(shuffle=False)` another `keras.utils.PyDataset`.
        path: File for the batch, an `.npz`.

    Raises:
        FloatingPointError: In `fit`, naming epoch, batch and file.

    Example:
    ```python
    import keras_s2s

    columns = {"encoder_token_ids": [[4, 5], [6]], "decoder_token_ids": [[7], [8, 9]]}
    batches = keras_s2s.data.Batches(columns)
    callback = keras_s2s.callbacks.StopOnNaN(batches, "run/nan_batch.npz")
    ```
    """

    def __init__(self, batches, path):
        super().__init__()
        self.batches, self.path = batches, Path(path)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        if is_chief(self.model):
            self._save(batch)
        raise FloatingPointError(
            f"The loss is {loss} after batch {batch + 1} of {len(self.batches)} in epoch "
            f"{self.epoch + 1}. The batch is saved in {str(self.path)!r}. Usual causes: a learning "
            "rate that is too high, gradients that are not clipped (`global_clipnorm=1.0`), "
            "float16 without loss scaling, or NaN in the data."
        )

    def _save(self, batch):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        names = ("x", "y", "sample_weight")
        arrays = {}
        for name, part in zip(names, self.batches[batch]):
            parts = part if isinstance(part, dict) else {"": part}
            for key, value in parts.items():
                arrays[f"{name}/{key}" if key else name] = np.asarray(value)
        np.savez(self.path, **arrays)
