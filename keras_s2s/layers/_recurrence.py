"""Recurrent layers: cuDNN's where there is a GPU, else loops over cells split in two.

Keras multiplies each step's input inside its loop. Here one product for all steps, before the
loop, gives the same numbers with the same weights in less time.
"""

import keras
from keras import ops

from keras_s2s._backend.scan import multiply, scan, with_matrices
from keras_s2s._backend.shapes import add, add_bias, size
from keras_s2s._backend.split import split
from keras_s2s.layers._quantized import matrix
from keras_s2s.layers._recurrent_layers import GRU, LSTM, SimpleRNN

CELLS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
#: The names of the matrices that steps multiply by.
MATRICES = ("kernel", "recurrent")
#: How many tensors a cell's state has: h, or h and c.
STATE_SIZE = {"rnn": 1, "gru": 1, "lstm": 2}


def make(cell, units, dtype, name, go_backwards=False):
    """A Keras recurrent layer, which owns the weights and can use cuDNN."""
    layer = CELLS[cell](
        units,
        return_sequences=True,
        return_state=True,
        go_backwards=go_backwards,
        recurrent_initializer=_Orthogonal(),
        dtype=dtype,
        name=name,
    )
    # From Keras 3.16 on this is False, and the layer warns that later layers will not see its mask.
    layer.supports_masking = True
    return layer


class _Orthogonal(keras.initializers.Orthogonal):
    """Keras's default, computed in float32: in 16-bit dtypes there is no QR decomposition."""

    def __call__(self, shape, dtype=None):
        return ops.cast(super().__call__(shape, "float32"), dtype or keras.config.floatx())


def project(layer, inputs):
    """The share of inputs `(..., dim)` in the gates, with the bias, as `advance` takes it."""
    (weights,) = input_weights(layer, inputs.dtype)
    if not isinstance(layer, keras.layers.GRU):
        return project_step(weights, inputs)
    # In three parts, so that steps need not split them, nor gradients join them.
    kernels = ops.split(weights["kernel"], 3, axis=-1)
    biases = ops.split(weights["bias"], 3)
    return [add_bias(multiply(inputs, k), bias) for k, bias in zip(kernels, biases)]


def input_weights(layer, dtype, sizes=None):
    """The weights for `project_step`: a list of dicts.

    If the input is a concatenation of parts that come at different times, `sizes` holds the sizes
    of the parts, and each part has a dict. The first dict has the bias.
    """
    kernel = matrix(layer.cell, dtype)
    # Split, since the gradient of each slice would be as large as the kernel.
    kernels = [kernel]
    if sizes is not None and len(sizes) > 1:
        kernels = split(kernel, sizes, axis=0)
    weights = [{"kernel": part} for part in kernels]
    weights[0]["bias"] = _biases(layer, dtype)[0]
    return weights


def project_step(weights, inputs):
    """The share of inputs `(..., dim)` in the gates, `(..., gates)`."""
    gates = multiply(inputs, weights["kernel"])
    return add_bias(gates, weights["bias"]) if "bias" in weights else gates


def _biases(layer, dtype):
    """The bias of the gates, and the bias of a GRU candidate's recurrent product, or None."""
    bias = ops.cast(layer.cell.bias, dtype)
    if not isinstance(layer, keras.layers.GRU):
        return bias, None
    of_inputs, of_recurrent = ops.unstack(bias, num=2)
    # The recurrent bias of z and r is only added, so it can be added for all steps at once.
    added, candidate = split(of_recurrent, [2 * layer.units, layer.units])
    return of_inputs + ops.pad(added, (0, layer.units)), candidate


def step_weights(layer, dtype, dropout_mask=None):
    """The weights for `advance`, a dict, made once before a loop.

    Args:
        layer: A Keras `SimpleRNN`, `GRU` or `LSTM`, built.
        dtype: The dtype of the computation.
        dropout_mask: `(rows, units)` factor of the h that enters the gates, or None.
    """
    weights = {"recurrent": matrix(layer.cell, dtype, "recurrent_kernel")}
    _, bias = _biases(layer, dtype)
    if bias is not None:
        weights["bias"] = bias
    if dropout_mask is not None:
        weights["dropout_mask"] = dropout_mask
    return weights


def advance(layer, weights, gates, state):
    """One step of the recurrence.

    Args:
        layer: The layer; only its kind matters.
        weights: What `step_weights` returned, with tensors or `Matrix` objects.
        gates: `(rows, gates)`, the inputs' share; for a GRU perhaps a list of its three parts.
        state: List of `(rows, units)`.

    Returns:
        The new state. Its first tensor is the output.
    """
    h = state[0]
    if "dropout_mask" in weights:
        h = h * weights["dropout_mask"]
    recurrent = multiply(h, weights["recurrent"])
    if isinstance(layer, keras.layers.LSTM):
        i, f, g, o = ops.split(add(gates, recurrent), 4, axis=-1)
        c = ops.sigmoid(f) * state[1] + ops.sigmoid(i) * ops.tanh(g)
        return [ops.sigmoid(o) * ops.tanh(c), c]
    if isinstance(layer, keras.layers.GRU):
        # Split, since the gradient of a slice is as large as the tensor that it is cut from.
        z, r, candidate = gates if isinstance(gates, list) else ops.split(gates, 3, axis=-1)
        parts = ops.split(recurrent, 3, axis=-1)
        z, r = ops.sigmoid(add(z, parts[0])), ops.sigmoid(add(r, parts[1]))
        candidate = ops.tanh(add(candidate, r * add_bias(parts[2], weights["bias"])))
        return [add(candidate, z * add(state[0], -candidate))]
    return [ops.tanh(add(gates, recurrent))]


def zero_state(cell, units, rows, dtype):
    return [ops.zeros((rows, units), dtype=dtype) for _ in range(STATE_SIZE[cell])]


def run(layer, inputs, state, mask=None, dropout_mask=None):
    """All steps of a recurrent layer.

    Args:
        layer: A Keras `SimpleRNN`, `GRU` or `LSTM`, built. With its `go_backwards` time
            runs backwards.
        inputs: `(batch, time, dim)`.
        state: List of `(batch, units)`, the state before the first step.
        mask: `(batch, time)` bool or None. Where it is False the state stays.
        dropout_mask: `(batch, units)` factor of the recurrent h, or None.

    Returns:
        Tuple of outputs `(batch, time, units)`, in the order of the inputs, and the last
        state. What the outputs hold where the mask is False is not defined.
    """
    if dropout_mask is None and _has_cudnn(layer):
        if mask is None:
            return _run_fused(layer, inputs, state, mask)
        import tensorflow as tf

        # cuDNN only supports padding on the right.
        return tf.cond(
            ops.all(ops.logical_or(mask[:, :-1], ops.logical_not(mask[:, 1:]))),
            lambda: _run_fused(layer, inputs, state, mask),
            lambda: _run_loop(layer, inputs, state, mask, dropout_mask),
        )
    return _run_loop(layer, inputs, state, mask, dropout_mask)


def _run_loop(layer, inputs, state, mask, dropout_mask):
    # Transpose the inputs, which are narrower than the gates.
    xs = {"gates": project(layer, ops.transpose(inputs, (1, 0, 2)))}
    if mask is not None:
        xs["mask"] = ops.expand_dims(ops.transpose(mask), -1)

    constants = with_matrices(step_weights(layer, inputs.dtype, dropout_mask), MATRICES)

    def step(state, x, weights):
        after = advance(layer, weights, x["gates"], state)
        if mask is not None:
            after = [ops.where(x["mask"], new, old) for new, old in zip(after, state)]
        return after, after[0]

    state, outputs = scan(
        step, state, xs, like=state[0], constants=constants, reverse=layer.go_backwards
    )
    return ops.transpose(outputs, (1, 0, 2)), state


def _has_cudnn(layer):
    """Whether Keras would choose cuDNN. An export, which must run anywhere, forbids it."""
    if keras.backend.backend() != "tensorflow" or isinstance(layer, keras.layers.SimpleRNN):
        return False
    if layer.cell.quantization_mode is not None:
        return False
    import tensorflow as tf

    return layer.use_cudnn in (True, "auto") and bool(tf.config.list_logical_devices("GPU"))


def _run_fused(layer, inputs, state, mask):
    if mask is None:
        outputs, *last = layer(inputs, initial_state=state)
    else:
        # cuDNN crashes on an empty sequence: let it take one step, then restore the state.
        empty = ops.logical_not(ops.any(mask, axis=1, keepdims=True))
        first = ops.expand_dims(ops.arange(size(mask, 1)) == 0, 0)
        at_least_one = ops.logical_or(mask, ops.logical_and(empty, first))
        outputs, *last = layer(inputs, initial_state=state, mask=at_least_one)
        last = [ops.where(empty, old, new) for old, new in zip(state, last)]
    return ops.flip(outputs, axis=1) if layer.go_backwards else outputs, last
