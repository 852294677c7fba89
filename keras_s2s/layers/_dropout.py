"""Dropout masks drawn before a loop. Drawn inside, they would repeat or fail."""

import keras
from keras import ops


def dropout_mask(shape, rate, dtype, seed_generator):
    """Factors of 0 or `1 / (1 - rate)`, of the given shape, or None when `rate` is 0."""
    if not rate:
        return None
    keep = keras.random.uniform(shape, dtype="float32", seed=seed_generator) >= rate
    return ops.cast(keep, dtype) / (1 - rate)
