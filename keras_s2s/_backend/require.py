"""Conditions on the values of tensors."""

import keras
from keras import ops


def require(valid, message):
    """Raises an error if a row is not valid, as far as values can be read.

    They cannot be read in code that JAX or XLA compiles, nor while only shapes are computed.

    Args:
        valid: Bool tensor `(batch,)`.
        message: String, to which the number of the first such row is added.

    Raises:
        ValueError: If a row is not valid.
        tf.errors.InvalidArgumentError: The same within a graph of TensorFlow, when it runs.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.executing_eagerly():
            bad = tf.cast(~valid, tf.int32)
            before = tf.reduce_sum(tf.cast(tf.cumsum(bad) == 0, tf.int32))
            tf.debugging.Assert(tf.reduce_all(valid), [message, before])
            return
    elif backend == "jax":
        import jax

        if isinstance(valid, jax.core.Tracer):
            return
    else:
        from keras.src.backend.common.symbolic_scope import in_symbolic_scope

        # Keras computes shapes on tensors without values, or full of ones.
        if in_symbolic_scope():
            return
    valid = ops.convert_to_numpy(valid)
    if not valid.all():
        raise ValueError(f"{message} {valid.argmin()}")
