"""Gradients of a model's loss, outside of its training step."""

import keras
from keras import ops


def gradients(model, x, y, sample_weight):
    """The gradients of the loss of one batch, computed as in training, dropout left out.

    Args:
        model: A built and compiled `keras.Model`.
        x: Its inputs.
        y: Its labels.
        sample_weight: Their weights.

    Returns:
        List of NumPy arrays, one for each of `model.trainable_variables`; None where the loss does
        not depend on one.
    """
    variables = model.trainable_variables
    x, y, sample_weight = keras.tree.map_structure(ops.convert_to_tensor, (x, y, sample_weight))

    def loss():
        return model.compute_loss(x, y, model(x, training=False), sample_weight, training=False)

    found = _OF_BACKEND[keras.backend.backend()](loss, variables)
    return [None if g is None else ops.convert_to_numpy(g) for g in found]


def _tensorflow(loss, variables):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss()
    found = tape.gradient(value, [v.value for v in variables])
    return [None if g is None else tf.convert_to_tensor(g) for g in found]


def _jax(loss, variables):
    import jax

    def stateless(values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values))):
            return loss()

    return jax.jit(jax.grad(stateless))([v.value for v in variables])


def _torch(loss, variables):
    import torch

    return torch.autograd.grad(loss(), [v.value for v in variables], allow_unused=True)


_OF_BACKEND = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
