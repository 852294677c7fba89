"""Gradients of a model's loss, outside of its training step."""

import keras
from keras import ops


class Gradients:
    """Function from a batch to the gradients of its loss, as in training but without dropout.

    Where the backend compiles, it is compiled at the first call for batches of each shape.

    Args:
        model: A built and compiled `keras.Model`. Later changes of `trainable` do not count.

    Call arguments:
        x: The model's inputs.
        y: Its labels.
        sample_weight: Their weights.

    Returns:
        List of NumPy arrays, one for each of `variables`; None where the loss does not depend on
        one.
    """

    def __init__(self, model):
        self.model, self.variables = model, model.trainable_variables
        self._compute = _OF_BACKEND[keras.backend.backend()](self._loss, model)

    def _loss(self, x, y, sample_weight):
        predicted = self.model(x, training=False)
        return self.model.compute_loss(x, y, predicted, sample_weight, training=False)

    def __call__(self, x, y, sample_weight):
        batch = keras.tree.map_structure(ops.convert_to_tensor, (x, y, sample_weight))
        return [None if g is None else ops.convert_to_numpy(g) for g in self._compute(*batch)]


def _tensorflow(loss, model):
    import tensorflow as tf

    variables = [v.value for v in model.trainable_variables]

    @tf.function
    def compute(*batch):
        with tf.GradientTape() as tape:
            value = loss(*batch)
        gradients = tape.gradient(value, variables)
        return [None if g is None else tf.convert_to_tensor(g) for g in gradients]

    return compute


def _jax(loss, model):
    import jax

    groups = model.trainable_variables, model.non_trainable_variables

    def stateless(trained, others, batch):
        mapping = [*zip(groups[0], trained), *zip(groups[1], others)]
        with keras.StatelessScope(state_mapping=mapping):
            return loss(*batch)

    compiled = jax.jit(jax.grad(stateless))
    return lambda *batch: compiled(*([v.value for v in group] for group in groups), batch)


def _torch(loss, model):
    import torch

    variables = [v.value for v in model.trainable_variables]
    return lambda *batch: torch.autograd.grad(loss(*batch), variables, allow_unused=True)


_OF_BACKEND = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
