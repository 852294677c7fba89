"""The logarithm of a cumulative sum of exponentials, which `keras.ops` lacks."""

import keras


def cumulative_logsumexp(x):
    """`log(cumsum(exp(x)))` along the last axis, without overflow or underflow."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.math.cumulative_logsumexp(x, axis=-1)
    if backend == "jax":
        import jax

        return jax.lax.cumlogsumexp(x, axis=x.ndim - 1)
    import torch

    return torch.logcumsumexp(x, dim=-1)
