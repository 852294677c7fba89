"""Gets and restores the state of callbacks."""

import keras

#: The attributes that hold the state of Keras's callbacks, which have no methods for it.
ATTRIBUTES = {
    keras.callbacks.EarlyStopping: ("best", "best_epoch", "best_weights", "stopped_epoch", "wait"),
    keras.callbacks.ReduceLROnPlateau: ("best", "cooldown_counter", "wait"),
    keras.callbacks.ModelCheckpoint: (
        "best",
        "_batches_seen_since_last_saving",
        "_last_batch_seen",
    ),
}


def check(callback):
    """Raises a `TypeError` if the state of a callback is unknown."""
    if not _has_methods(callback) and _attributes(callback) is None:
        names = ", ".join(kind.__name__ for kind in ATTRIBUTES)
        raise TypeError(
            f"`callbacks` may hold {names}, and callbacks with the methods `get_state()` and "
            f"`set_state(state)`. {type(callback).__name__} has none: add them, or, if it counts "
            f"nothing, leave it out here. Received: {callback!r}"
        )


def get(callback):
    """The state of a callback, a dict."""
    if _has_methods(callback):
        return callback.get_state()
    return {name: getattr(callback, name) for name in _attributes(callback)}


def restore(callback, state):
    """Gives a callback the state that `get` returned; other values, of old files, are ignored."""
    if _has_methods(callback):
        callback.set_state(state)
        return
    for name in _attributes(callback):
        if name in state:
            setattr(callback, name, state[name])


def _has_methods(callback):
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _attributes(callback):
    for kind, names in ATTRIBUTES.items():
        if isinstance(callback, kind):
            return names
    return None
