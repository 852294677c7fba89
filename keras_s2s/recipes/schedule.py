import keras


def warmup_cosine(peak, warmup_steps, total_steps):
    """A schedule of Keras: linear warm-up to `peak`, then a cosine down to zero."""
    schedule = keras.optimizers.schedules.CosineDecay
    if not warmup_steps:
        return schedule(peak, total_steps)
    rest = max(total_steps - warmup_steps, 1)
    return schedule(0.0, rest, warmup_target=peak, warmup_steps=warmup_steps)
