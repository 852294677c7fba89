import json
from pathlib import Path

import keras

from keras_s2s._checks import check_choice
from keras_s2s.callbacks._chief import is_chief


class ExportBest(keras.callbacks.Callback):
    """Exports the model as a SavedModel after each epoch that is the best so far.

    The first goes to `path/1`, the next to `path/2`: TensorFlow Serving, told to serve `path`,
    switches to the highest number by itself. The best value is kept in `path/best.json`, so that
    training which is resumed after an interruption exports nothing worse. If several processes
    train together, the first exports.

    Args:
        path: Folder.
        monitor: Name in the logs. For a name that `GenerationMetrics` adds, put that callback
            before this one in `fit`.
        mode: `"max"` or `"min"`, or `"auto"`: `"min"` for losses, perplexities and error rates
            (names that end in `loss`, `perplexity`, `wer` or `cer`), `"max"` for others.
        **options: Arguments of `model.export`.

    Raises:
        ValueError: If `mode` is none of these, or `path/best.json` is about another value.
        KeyError: If the logs do not have `monitor`.

    Example:
    ```python
    import keras_s2s

    callback = keras_s2s.callbacks.ExportBest("translator", monitor="val_perplexity")
    assert callback.mode == "min"
    ```
    """

    def __init__(self, path, monitor="val_loss", mode="auto", **options):
        super().__init__()
        check_choice("mode", mode, ("auto", "min", "max"))
        if mode == "auto":
            mode = "min" if monitor.endswith(("loss", "perplexity", "wer", "cer")) else "max"
        self.path, self.monitor, self.mode, self.options = Path(path), monitor, mode, options
        self.best = None

    @property
    def _record(self):
        return self.path / "best.json"

    def on_train_begin(self, logs=None):
        if not self._record.exists():
            return
        record = json.loads(self._record.read_text(encoding="utf-8"))
        if (record["monitor"], record["mode"]) != (self.monitor, self.mode):
            raise ValueError(
                f"{str(self.path)!r} holds exports whose {record['monitor']!r} was best. Choose "
                f"another folder for {self.monitor!r}."
            )
        self.best = record["value"]

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.monitor not in logs:
            raise KeyError(
                f"The logs have no {self.monitor!r} to choose the best epoch by. They have "
                f"{sorted(logs)}."
            )
        value = float(logs[self.monitor])
        better = self.best is None or (
            value < self.best if self.mode == "min" else value > self.best
        )
        if not better:
            return
        self.best = value
        if not is_chief(self.model):
            return
        numbers = [int(p.name) for p in self.path.glob("*") if p.name.isdigit()]
        version = max(numbers, default=0) + 1
        self.model.export(self.path / str(version), **{"verbose": False, **self.options})
        record = {"monitor": self.monitor, "mode": self.mode, "value": value, "epoch": epoch + 1}
        unfinished = self.path / ".best.json"
        unfinished.write_text(json.dumps({**record, "version": version}), encoding="utf-8")
        unfinished.replace(self._record)
