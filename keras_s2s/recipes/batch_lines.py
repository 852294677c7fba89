import time

import keras


class BatchLines(keras.callbacks.Callback):
    """Prints how far an epoch is, at most once a minute: for log files, where there is no bar.

    Args:
        steps: Integer: batches of an epoch.
        seconds: Float: the least time between two lines.
    """

    def __init__(self, steps, seconds=60.0):
        super().__init__()
        self.steps, self.seconds = steps, seconds

    def on_epoch_begin(self, epoch, logs=None):
        self._begun = self._printed = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        now, done = time.monotonic(), batch + 1
        if now - self._printed < self.seconds or done >= self.steps:
            return
        self._printed = now
        # The first batches are the slowest, so this is rather too long.
        left = (now - self._begun) / done * (self.steps - done) / 60
        loss = float(keras.ops.convert_to_numpy((logs or {}).get("loss", float("nan"))))
        print(f"{done:,}/{self.steps:,} - loss: {loss:.4f} - {left:.0f} min left", flush=True)
