"""Sums and means over the replicas of a `tf.distribute` strategy, each with a part of a batch.

Elsewhere a batch is one tensor, on JAX even if several devices share it.
"""

import keras
from keras import ops


def number_of_replicas():
    """The number by which Keras divides losses, so that their sum over the replicas is right."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sums(tensors):
    """The sums over all replicas, the same in each of them.

    All replicas must call it, and not inside a branch or a loop.

    Args:
        tensors: List of tensors, equally shaped on all replicas.
    """
    if number_of_replicas() == 1:
        return tensors
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    # Keras builds a model outside of the replicas, where there is no context.
    return tensors if context is None else context.all_reduce("SUM", tensors)


def batch_mean(total, number):
    """The mean over the whole batch, from the sum over the part of it that this replica has.

    Its value is the same on all replicas, and the mean over the replicas of its gradients is the
    gradient of the mean. It is 0 for an empty batch.

    Args:
        total: Scalar, the sum over this replica's part.
        number: Scalar, the number of its summands, or the sum of their weights.
    """
    if number_of_replicas() == 1:
        return ops.divide_no_nan(total, number)
    all_together, of_all = sums([ops.stop_gradient(total), ops.stop_gradient(number)])
    part = number_of_replicas() * ops.divide_no_nan(total, of_all)
    return part + ops.stop_gradient(ops.divide_no_nan(all_together, of_all) - part)
