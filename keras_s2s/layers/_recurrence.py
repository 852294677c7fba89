"""Recurrent layers: cuDNN's where there is a GPU, else cells split in two.

Keras multiplies each step's input inside its loop. Multiplied here for all steps at
once, before the loop, the same weights give the same numbers in less time.
"""

import numbers

import keras
from keras import ops

from keras_s2s._backend.scan import scan

CELLS = {
    "rnn": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
}
#: How many tensors a cell's state has: h, or h and c.
STATE_SIZE = {"rnn": 1, "gru": 1, "lstm": 2}


def make(cell, units, dtype, name, go_backwards=False):
    """A Keras recurrent layer, which owns the weights and knows cuDNN."""
    return CELLS[cell](
        units,
        return_sequences=True,
        return_state=True,
        go_backwards=go_backwards,
        recurrent_initializer=_Orthogonal(),
        dtype=dtype,
        name=name,
    )


class _Orthogonal(keras.initializers.Orthogonal):
    """Keras's default, in 16-bit dtypes too, for which there is no QR decomposition."""

    def __call__(self, shape, dtype=None):
        return ops.cast(super().__call__(shape, "float32"), dtype or keras.config.floatx())


def check_cell(cell):
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {sorted(CELLS)}. Received: cell={cell!r}")


def check_sizes(**sizes):
    for name, value in sizes.items():
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def project(layer, inputs, rows=slice(None)):
    """Inputs' share of the gates, `(..., dim)` to `(..., gates)`.

    `rows` takes a part of the kernel, for an input that is a concatenation of which
    the parts are known at different times. Only the first part brings the bias.
    """
    kernel = ops.cast(layer.cell.kernel, inputs.dtype)[rows]
    gates = ops.matmul(inputs, kernel)
    if rows.start:
        return gates
    bias = ops.cast(layer.cell.bias, inputs.dtype)
    return gates + (bias[0] if isinstance(layer, keras.layers.GRU) else bias)


def advance(layer, gates, state, dropout_mask=None):
    """One step of the recurrence.

    Args:
        layer: A Keras `SimpleRNN`, `GRU` or `LSTM`, built.
        gates: `(rows, gates)`, from `project`.
        state: List of `(rows, units)`.
        dropout_mask: `(rows, units)` factor of the h that enters the gates, or None.

    Returns:
        The new state. Its first tensor is the output.
    """
    h = state[0] if dropout_mask is None else state[0] * dropout_mask
    recurrent = ops.matmul(h, ops.cast(layer.cell.recurrent_kernel, h.dtype))
    if isinstance(layer, keras.layers.LSTM):
        i, f, g, o = ops.split(gates + recurrent, 4, axis=-1)
        c = ops.sigmoid(f) * state[1] + ops.sigmoid(i) * ops.tanh(g)
        return [ops.sigmoid(o) * ops.tanh(c), c]
    if isinstance(layer, keras.layers.GRU):
        recurrent = recurrent + ops.cast(layer.cell.bias, h.dtype)[1]
        units = layer.units
        z, r = ops.split(
            ops.sigmoid(gates[..., : 2 * units] + recurrent[..., : 2 * units]), 2, axis=-1
        )
        candidate = ops.tanh(gates[..., 2 * units :] + r * recurrent[..., 2 * units :])
        return [z * state[0] + (1 - z) * candidate]
    return [ops.tanh(gates + recurrent)]


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

        # cuDNN knows padding on the right alone.
        return tf.cond(
            ops.all(ops.logical_or(mask[:, :-1], ops.logical_not(mask[:, 1:]))),
            lambda: _run_fused(layer, inputs, state, mask),
            lambda: _run_loop(layer, inputs, state, mask, dropout_mask),
        )
    return _run_loop(layer, inputs, state, mask, dropout_mask)


def _run_loop(layer, inputs, state, mask, dropout_mask):
    gates = ops.transpose(project(layer, inputs), (1, 0, 2))
    xs = {"gates": gates}
    if mask is not None:
        xs["mask"] = ops.expand_dims(ops.transpose(mask), -1)

    def step(state, x):
        after = advance(layer, x["gates"], state, dropout_mask)
        if mask is not None:
            after = [ops.where(x["mask"], new, old) for new, old in zip(after, state)]
        return after, after[0]

    state, outputs = scan(step, state, xs, like=state[0], reverse=layer.go_backwards)
    return ops.transpose(outputs, (1, 0, 2)), state


def _has_cudnn(layer):
    """Whether Keras would choose cuDNN. An export, which must run anywhere, forbids it."""
    if keras.backend.backend() != "tensorflow" or isinstance(layer, keras.layers.SimpleRNN):
        return False
    import tensorflow as tf

    return layer.use_cudnn in (True, "auto") and bool(tf.config.list_logical_devices("GPU"))


def _run_fused(layer, inputs, state, mask):
    if mask is None:
        outputs, *last = layer(inputs, initial_state=state)
    else:
        # cuDNN crashes on a sequence of no steps: let it take one, then forget it.
        empty = ops.logical_not(ops.any(mask, axis=1, keepdims=True))
        first = ops.expand_dims(ops.arange(ops.shape(mask)[1]) == 0, 0)
        at_least_one = ops.logical_or(mask, ops.logical_and(empty, first))
        outputs, *last = layer(inputs, initial_state=state, mask=at_least_one)
        last = [ops.where(empty, old, new) for old, new in zip(state, last)]
    return ops.flip(outputs, axis=1) if layer.go_backwards else outputs, last
