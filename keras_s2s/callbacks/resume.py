import json
import shutil
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_s2s._backend import global_random_state
from keras_s2s.callbacks import _state
from keras_s2s.callbacks._chief import is_chief


class Resume(keras.callbacks.Callback):
    """Resumes training after an interruption, with the same result as without one.

    After every epoch the state of training is written, completely or not at all: weights,
    optimizer, random states of dropout and sampling, and the state of other callbacks. Run the same
    program again, and `fit` goes on after the last complete epoch. Data of `keras_s2s.data` come in
    the same order as without the interruption. When training ends, the folder is removed. If
    several processes train together, the first writes and all read: they need a common folder.

    `keras.callbacks.BackupAndRestore` keeps neither random states nor other callbacks' counts, and
    can be killed between its two files.

    Args:
        folder: Folder of this training. Another training needs another one.
        callbacks: Callbacks whose state is kept, too: Keras's `EarlyStopping`,
            `ReduceLROnPlateau` and `ModelCheckpoint`, and any that has the methods `get_state()`,
            which returns a dict of what goes into JSON and of lists of NumPy arrays, and
            `set_state(state)`, which takes such a dict when training goes on, after
            `on_train_begin`. Put this callback after them in `fit`.

    Raises:
        TypeError: If one of the callbacks is none of these; in `fit`, if its state holds something
            else.
        ValueError: In `fit`, if the model has not been built, or the folder is of another model.

    Example:
    ```python
    import keras
    import keras_s2s

    stop = keras.callbacks.EarlyStopping("val_loss", patience=3)
    callbacks = [stop, keras_s2s.callbacks.Resume("run/state", callbacks=[stop])]  # for `fit`


    class CountBatches(keras.callbacks.Callback):
        count = 0

        def on_train_batch_end(self, batch, logs=None):
            self.count += 1

        def get_state(self):
            return {"count": self.count}

        def set_state(self, state):
            self.count = state["count"]


    count = CountBatches()
    callbacks = [count, keras_s2s.callbacks.Resume("run/state", callbacks=[count])]
    ```
    """

    def __init__(self, folder, callbacks=()):
        super().__init__()
        self.folder, self.callbacks = Path(folder), list(callbacks)
        for callback in self.callbacks:
            _state.check(callback)

    @property
    def interrupted(self):
        """Whether the folder holds a training that can be resumed."""
        return self._newest() is not None

    def on_train_begin(self, logs=None):
        newest = self._newest()
        if not self.model.built:
            raise ValueError(
                "Training can be resumed only where the model is built: call `model.build(...)`, "
                "or the model on a batch, before `fit`."
            )
        if newest is None:
            return
        optimizer = self.model.optimizer
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        state = json.loads((newest / "state.json").read_text(encoding="utf-8"))
        self.model.load_weights(newest / "model.weights.h5")
        with np.load(newest / "arrays.npz", allow_pickle=False) as arrays:
            arrays = dict(arrays)
        for i, variable in enumerate(self._unsaved()):
            if f"variable_{i}" not in arrays:
                raise ValueError(f"{str(self.folder)!r} is the state of another model's training.")
            variable.assign(arrays[f"variable_{i}"])
        global_random_state.restore(arrays)
        for i, callback in enumerate(self.callbacks[: len(state["callbacks"])]):
            lists = {
                name: [arrays[f"{i}/{name}/{n}"] for n in range(length)]
                for name, length in state["lists"][i].items()
            }
            _state.restore(callback, {**state["callbacks"][i], **lists})
        # The only way for a callback to tell `fit` where to begin; Keras's callback uses it, too.
        self.model._initial_epoch = state["epoch"]

    def on_epoch_end(self, epoch, logs=None):
        if not is_chief(self.model):
            return
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        self.model.save_weights(unfinished / "model.weights.h5")
        arrays = {f"variable_{i}": ops.convert_to_numpy(v) for i, v in enumerate(self._unsaved())}
        arrays |= global_random_state.get()
        counts, lists = [], []
        for i, callback in enumerate(self.callbacks):
            counted = _state.get(callback)
            counts.append({name: v for name, v in counted.items() if not _is_arrays(v)})
            arrays_of_callback = {name: v for name, v in counted.items() if _is_arrays(v)}
            lists.append({name: len(v) for name, v in arrays_of_callback.items()})
            arrays |= {
                f"{i}/{name}/{n}": a
                for name, v in arrays_of_callback.items()
                for n, a in enumerate(v)
            }
        np.savez(unfinished / "arrays.npz", **arrays)
        state = {"epoch": epoch + 1, "callbacks": counts, "lists": lists}
        (unfinished / "state.json").write_text(json.dumps(state, default=_plain), encoding="utf-8")
        before = self._newest()
        unfinished.rename(self.folder / f"epoch_{epoch + 1:05}")
        if before is not None:
            shutil.rmtree(before)

    def on_train_end(self, logs=None):
        # Otherwise Keras would begin the next `fit` at this epoch, too.
        self.model._initial_epoch = None
        if is_chief(self.model):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _newest(self):
        return max(self.folder.glob("epoch_*"), default=None)

    def _unsaved(self):
        """The variables that `save_weights` does not save: random states."""
        model = self.model
        weights = {id(v) for v in model.weights}
        metrics = {id(v) for metric in model.metrics for v in metric.variables}
        random_states = [v for v in model.variables if id(v) not in weights | metrics]
        return [*random_states, *getattr(getattr(model, "sampler", None), "variables", ())]


def _plain(value):
    if isinstance(value, np.number):
        return value.item()
    raise TypeError(
        "The state of a callback must be a dict of what goes into JSON and of lists of NumPy "
        f"arrays. It holds {value!r}"
    )


def _is_arrays(value):
    return isinstance(value, list) and value and all(isinstance(v, np.ndarray) for v in value)
