"""What the tests of layers share: arrays in and out, gradients, and references in NumPy."""

import keras
import numpy as np
from keras import ops

BACKEND = keras.backend.backend()


def numpy(structure):
    """Nested tensors as nested float32, int or bool arrays."""

    def convert(x):
        if keras.backend.standardize_dtype(x.dtype) in ("bfloat16", "float16"):
            x = ops.cast(x, "float32")
        return ops.convert_to_numpy(x)

    return keras.tree.map_structure(convert, structure)


def tensors(structure):
    return keras.tree.map_structure(ops.convert_to_tensor, structure)


def run(function, *arguments):
    """`function` of nested arrays, as nested arrays."""
    return numpy(compiled(function)(*tensors(arguments)))


def compiled(function):
    """`function` of nested tensors, compiled by JAX, whose faster way that is; no gradients."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})
    if BACKEND == "torch":
        import torch

        return torch.no_grad()(function)
    return function


def gradients(function, variables):
    """Value of a scalar function of nothing, and its gradients by Keras variables, as arrays."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        found = tape.gradient(value, [v.value for v in variables])
        found = [None if g is None else tf.convert_to_tensor(g) for g in found]
    elif BACKEND == "jax":
        import jax

        def stateless(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return function()

        compiled = jax.jit(
            jax.value_and_grad(stateless),
            compiler_options={"xla_backend_optimization_level": 0},
        )
        value, found = compiled([v.value for v in variables])
    else:
        import torch

        value = function()
        found = torch.autograd.grad(value, [v.value for v in variables], allow_unused=True)
        value = value.detach()
    return float(value), [None if g is None else numpy(g) for g in found]


def randomize(layer, scale=0.5, seed=0):
    """Random weights, biases and gains too, so that no term of an equation is zero."""
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(scale * rng.normal(size=variable.shape).astype("float32"))
    return layer


def weights(layer):
    return [ops.convert_to_numpy(w) for w in layer.trainable_variables]


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def make_memory(lengths, dim=6, source=None, state=None, seed=0, fill=9.0):
    """What an encoder returns, as arrays; where it is padding, `fill`, which nobody may read.

    `state` is the structure of sizes, such as `[[4, 4]]` for one LSTM of 4.
    """
    rng = np.random.default_rng(seed)
    source = source or max(lengths)
    values = np.full((len(lengths), source, dim), fill, "float32")
    for row, length in enumerate(lengths):
        values[row, :length] = rng.normal(size=(length, dim))
    memory = {"values": values, "mask": np.arange(source) < np.array(lengths)[:, None]}
    if state is not None:
        memory["state"] = [
            [rng.normal(size=(len(lengths), size)).astype("float32") for size in layer]
            for layer in state
        ]
    return memory


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def cell_step(cell, x, state, kernel, recurrent, bias):
    """One step of a cell for one row, with the weights as Keras lays them out.

    Elman (1990); Cho et al. (2014), with the reset gate after the product, as cuDNN has it;
    Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000).
    """
    h = state[0]
    if cell == "rnn":
        return [np.tanh(x @ kernel + h @ recurrent + bias)]
    if cell == "gru":
        xz, xr, xn = np.split(x @ kernel + bias[0], 3)
        hz, hr, hn = np.split(h @ recurrent + bias[1], 3)
        update, reset = sigmoid(xz + hz), sigmoid(xr + hr)
        return [update * h + (1 - update) * np.tanh(xn + reset * hn)]
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


STATE_SIZE = {"rnn": 1, "gru": 1, "lstm": 2}
