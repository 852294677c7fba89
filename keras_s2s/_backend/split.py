"""A tensor in parts of known sizes."""

import keras
import numpy as np
from keras import ops


def split(x, sizes, axis=-1):
    """`x` in parts of `sizes` along `axis`, a list.

    `keras.ops.split` takes indices, not sizes, and a graph computes the sizes from them again.

    Args:
        x: A tensor.
        sizes: List of Python ints, whose sum is the size of the axis.
        axis: Integer.
    """
    if len(sizes) == 1:
        return [x]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.split(x, sizes, axis=axis)
    return ops.split(x, np.cumsum(sizes[:-1]).tolist(), axis=axis)
