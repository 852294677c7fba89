"""Keras's recurrent layers, with cells that can be quantized to int8."""

import random

import keras
from keras import quantizers


class _Int8:
    """Mixin that stores the two matrices as int8, with a scale for each column.

    It saves space, not time: `keras_s2s.layers._quantized.matrix` makes floats of them once for
    all steps.
    """

    def build(self, input_shape):
        super().build(input_shape)
        if self.quantization_mode is not None:
            self._store_as_int8()

    def quantize(self, mode=None, type_check=True, config=None):
        if mode != "int8":
            raise self._quantization_mode_error(mode)
        self.quantization_config = config
        quantizer = getattr(config, "weight_quantizer", None) or quantizers.AbsMaxQuantizer(axis=0)
        weights = [self.kernel, self.recurrent_kernel]
        (kernel, scale), (recurrent_kernel, recurrent_scale) = (
            quantizer(weight, to_numpy=True) for weight in weights
        )
        self._store_as_int8()
        self.kernel.assign(kernel)
        self.kernel_scale.assign(scale[0])
        self.recurrent_kernel.assign(recurrent_kernel)
        self.recurrent_kernel_scale.assign(recurrent_scale[0])
        if self.dtype_policy.quantization_mode is None:
            self.dtype_policy = keras.dtype_policies.get(f"{mode}_from_{self.dtype_policy.name}")

    def _store_as_int8(self):
        """Puts integers and scales, not yet set, in the place of the matrices."""
        for name in ("kernel", "recurrent_kernel"):
            shape = getattr(self, name).shape
            delattr(self, name)
            fixed = {"trainable": False, "initializer": "zeros"}
            setattr(self, name, self.add_weight(shape, dtype="int8", name=name, **fixed))
            scale = self.add_weight(shape[1:], name=f"{name}_scale", **fixed)
            setattr(self, f"{name}_scale", scale)
        self._is_quantized = True


class _SimpleRNNCell(_Int8, keras.layers.SimpleRNNCell):
    pass


class _GRUCell(_Int8, keras.layers.GRUCell):
    pass


class _LSTMCell(_Int8, keras.layers.LSTMCell):
    pass


class _OtherCell(keras.layers.RNN):
    """Comes between a layer of Keras and its base `RNN`, and replaces the cell that it is given."""

    kind = None

    def __init__(self, cell, **kwargs):
        # Pass the initializers on: new ones would draw new seeds, and ours is not registered.
        names = ("kernel_initializer", "recurrent_initializer", "bias_initializer")
        config = {**cell.get_config(), **{name: getattr(cell, name) for name in names}}
        # A cell also draws a seed for dropout, which ours do not have. Later layers draw as if it
        # had not.
        state = random.getstate()
        cell = self.kind(**config)
        random.setstate(state)
        super().__init__(cell, **kwargs)


class SimpleRNN(keras.layers.SimpleRNN, _OtherCell):
    """`keras.layers.SimpleRNN`."""

    kind = _SimpleRNNCell


class GRU(keras.layers.GRU, _OtherCell):
    """`keras.layers.GRU`."""

    kind = _GRUCell


class LSTM(keras.layers.LSTM, _OtherCell):
    """`keras.layers.LSTM`."""

    kind = _LSTMCell
