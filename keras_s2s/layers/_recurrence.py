"""Recurrent layers: cuDNN's where there is a GPU, else cells split in two.

Keras multiplies each step's input inside its loop. Multiplied here for all steps at
once, before the loop, the same weights give the same numbers in less time.
"""

import numbers

import keras
from keras import ops

from keras_s2s._backend.products import loop_product, product
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


def project(layer, inputs, size=None):
    """Inputs' share of the gates, `(..., dim)` to `(..., gates)`, with the bias.

    Where the input is a concatenation, `size` says that these inputs are its first part.
    """
    gates = ops.matmul(inputs, ops.cast(layer.cell.kernel, inputs.dtype)[:size])
    return gates + _biases(layer, inputs.dtype)[0]


def _biases(layer, dtype):
    """That of the gates, and that of the recurrent product, which only Keras's GRU has."""
    bias = ops.cast(layer.cell.bias, dtype)
    return ops.unstack(bias, num=2) if isinstance(layer, keras.layers.GRU) else (bias, None)


class Cell:
    """One step of a recurrent layer.

    Made before a loop, it does once what is done with the weights.

    Args:
        layer: A Keras `SimpleRNN`, `GRU` or `LSTM`, built.
        dtype: The dtype of the computation.
        in_loop: Whether there are steps and a gradient to come.
        known_size: How much of the input is known, and projected, before the loop.
    """

    def __init__(self, layer, dtype, in_loop=False, known_size=0):
        multiply = loop_product if in_loop else product
        self.layer = layer
        self._multiply = multiply(ops.cast(layer.cell.kernel, dtype)[known_size:])
        self._multiply_recurrent = multiply(ops.cast(layer.cell.recurrent_kernel, dtype))
        bias, self._recurrent_bias = _biases(layer, dtype)
        self._bias = None if known_size else bias

    def project(self, inputs):
        """The share in the gates of what is not known before: `(rows, dim)` to `(rows, gates)`."""
        gates = self._multiply(inputs)
        return gates if self._bias is None else gates + self._bias

    def advance(self, gates, state, dropout_mask=None):
        """One step of the recurrence.

        Args:
            gates: `(rows, gates)`, from `project`.
            state: List of `(rows, units)`.
            dropout_mask: `(rows, units)` factor of the h that enters the gates, or None.

        Returns:
            The new state. Its first tensor is the output.
        """
        h = state[0] if dropout_mask is None else state[0] * dropout_mask
        recurrent = self._multiply_recurrent(h)
        if isinstance(self.layer, keras.layers.LSTM):
            i, f, g, o = ops.split(gates + recurrent, 4, axis=-1)
            c = ops.sigmoid(f) * state[1] + ops.sigmoid(i) * ops.tanh(g)
            return [ops.sigmoid(o) * ops.tanh(c), c]
        if isinstance(self.layer, keras.layers.GRU):
            # Split, since a slice has a gradient of the size of what it is cut from.
            z, r, candidate = ops.split(gates, 3, axis=-1)
            parts = ops.split(recurrent + self._recurrent_bias, 3, axis=-1)
            z, r = ops.sigmoid(z + parts[0]), ops.sigmoid(r + parts[1])
            candidate = ops.tanh(candidate + r * parts[2])
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

    cell = Cell(layer, gates.dtype, in_loop=True)

    def step(state, x):
        after = cell.advance(x["gates"], state, dropout_mask)
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
