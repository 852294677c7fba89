import keras

from keras_s2s.training.schedules import InverseSquareRoot


def warmup_cosine(peak, warmup_steps, total_steps):
    """A schedule of Keras: linear warm-up to `peak`, then a cosine down to zero."""
    schedule = keras.optimizers.schedules.CosineDecay
    if not warmup_steps:
        return schedule(peak, total_steps)
    rest = max(total_steps - warmup_steps, 1)
    return schedule(0.0, rest, warmup_target=peak, warmup_steps=warmup_steps)


def learning_rate(kind, peak, warmup_steps, total_steps):
    """A schedule over batches; for `"plateau"` the number itself, which a callback lowers."""
    if kind == "cosine":
        return warmup_cosine(peak, warmup_steps, total_steps)
    if kind == "inverse_sqrt":
        return InverseSquareRoot(peak, max(warmup_steps, 1))
    return peak
