"""Products with a matrix, as functions of the other factor."""

import keras
from keras import ops


def product(kernel):
    """`x @ kernel` as a function of `x (rows, dim)`, for `kernel (dim, units)`."""
    return lambda x: ops.matmul(x, kernel)


def loop_product(kernel):
    """The same for the steps of `scan`, when made before the loop.

    On TensorFlow the backward pass multiplies by a transposed copy that is made once: where there
    are few rows, the product with a matrix that is yet to be transposed takes twice the time.
    """
    if keras.backend.backend() != "tensorflow":
        return product(kernel)
    import tensorflow as tf

    kernel = tf.convert_to_tensor(kernel)
    transposed = tf.transpose(kernel)

    @tf.custom_gradient
    def multiply(x, kernel):
        def gradient(dy):
            # Not an argument, so that graphs without a gradient do not make it.
            return tf.matmul(dy, transposed), tf.matmul(x, dy, transpose_a=True)

        return tf.matmul(x, kernel), gradient

    return lambda x: multiply(x, kernel)
