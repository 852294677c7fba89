"""Compiles functions of tensors in the way that suits each backend best."""

import keras
import numpy as np
from keras import ops

from keras_s2s.decoding.finished import SMALLEST_TO_SHRINK


def compile(model, function, changed=(), static=None, of_few=None):
    """Compiles a function of structures of tensors.

    Args:
        model: The model whose weights it reads.
        function: The function.
        changed: Variables that it changes, beside the model's.
        static: Index of the argument that is a Python value, or None.
        of_few: Function to run in place of it on small batches, or None.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _compile_tensorflow(function, of_few)
    if backend == "jax":
        return _compile_jax(model, function, changed, static)
    return _without_gradient(function)


def _compile_tensorflow(function, of_few=None):
    """Compiles to plain graphs, which take every shape; XLA would compile again for each.

    `of_few`, if given, runs in place of `function` on small batches.
    """
    import tensorflow as tf

    specs, graphs = {}, {}

    def has_ids(tensor):
        # Not the pixels of images, which may be integers, too.
        return tensor.dtype.is_integer and tensor.shape.rank < 3

    def spec(tensor, known):
        # Allow any batch and any number of tokens; an axis that differed once may differ again.
        shape = tensor.shape
        if known is not None and known.is_compatible_with(shape):
            return known
        if shape.rank:
            shape = [None] * shape.rank if has_ids(tensor) else [None, *shape[1:]]
        shape = tf.TensorShape(shape)
        return shape if known is None else known.most_specific_compatible_shape(shape)

    def call(inputs, *arguments):
        arguments = {name: tf.convert_to_tensor(x) for name, x in inputs.items()}, *arguments
        # Each combination of arguments that are None needs a graph of its own.
        absent = tf.nest.map_structure(lambda x: x is None, arguments)
        tensors = [tf.convert_to_tensor(x) for x in tf.nest.flatten(arguments) if x is not None]
        few = of_few is not None and tensors[0].shape[0] < SMALLEST_TO_SHRINK
        # Values with another last axis are another kind: images, or features of them.
        kinds = [(x.dtype, x.shape.rank, 0 if has_ids(x) else x.shape[-1:]) for x in tensors]
        kind = few, str(absent), str(kinds)
        known = specs.get(kind, [None] * len(tensors))
        shapes = [spec(x, k) for x, k in zip(tensors, known)]
        if shapes != known:

            def run(*tensors):
                given = iter(tensors)
                given = tf.nest.map_structure(lambda x: None if x else next(given), absent)
                return (of_few if few else function)(*given)

            signature = [tf.TensorSpec(s, x.dtype) for s, x in zip(shapes, tensors)]
            graphs[kind] = tf.function(run, input_signature=signature, autograph=False)
            specs[kind] = shapes
        return graphs[kind](*tensors)

    return call


def _compile_jax(model, function, changed, static):
    """`changed` are the variables, beside the model's, that the function changes."""
    import jax

    def stateless(values, *arguments):
        # Weights must be arguments: jit would take those in the closure for constants.
        variables = [*model.variables, *changed]
        with keras.StatelessScope(state_mapping=list(zip(variables, values))) as scope:
            result = function(*arguments)
        return result, [scope.get_current_value(v) for v in changed]

    compiled = jax.jit(stateless, static_argnums=() if static is None else (static + 1,))

    def call(*arguments):
        # During `fit` the weights are in the state of training, not in the variables.
        model.jax_state_sync()
        values = [v.value for v in (*model.variables, *changed)]
        result, new = compiled(values, *arguments)
        for variable, value in zip(changed, new):
            variable.assign(value)
        return result

    return call


def _without_gradient(function):
    import torch

    return torch.no_grad()(function)


def without_tensorflow(tensor):
    """Converts a TensorFlow tensor to an array if TensorFlow is not the backend."""
    foreign = type(tensor).__module__.startswith("tensorflow.")
    if foreign and keras.backend.backend() != "tensorflow":
        return np.asarray(tensor)
    return tensor


def to_backend(structure):
    """Converts arrays and TensorFlow tensors to the backend's; for JAX padded to few widths."""
    if keras.backend.backend() == "tensorflow":
        return structure

    def convert(tensor):
        value = np.asarray(tensor)
        step = {2: 16, 3: 64}.get(value.ndim)  # of ids and of spectrograms
        if keras.backend.backend() == "jax" and step:
            missing = -value.shape[1] % step
            value = np.pad(value, [(0, 0), (0, missing), (0, 0)][: value.ndim])
        return ops.convert_to_tensor(value)

    return keras.tree.map_structure(convert, structure)
