"""EfficientNet-Lite, image models without squeeze and excitation, which `keras.applications` lacks.

Tan and Le, 2019, https://arxiv.org/abs/1905.11946 (sizes of the blocks and how they grow); Google,
2020, https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite (ReLU6, and a
stem and a head that do not grow).
"""

import math
from typing import NamedTuple

from keras import Input, Model, layers


class _Group(NamedTuple):
    """Blocks of one size, in the smallest model."""

    filters: int
    repeats: int
    kernel: int
    stride: int
    expansion: int


_GROUPS = (
    _Group(16, 1, 3, 1, expansion=1),
    _Group(24, 2, 3, 2, expansion=6),
    _Group(40, 2, 5, 2, expansion=6),
    _Group(80, 3, 3, 2, expansion=6),
    _Group(112, 3, 5, 1, expansion=6),
    _Group(192, 4, 5, 2, expansion=6),
    _Group(320, 1, 3, 1, expansion=6),
)
_STEM, _HEAD = 32, 1280
#: From the name to the factors of width and depth.
SIZES = {
    "EfficientNetLite0": (1.0, 1.0),
    "EfficientNetLite1": (1.0, 1.1),
    "EfficientNetLite2": (1.1, 1.2),
    "EfficientNetLite3": (1.2, 1.4),
    "EfficientNetLite4": (1.4, 1.8),
}


def make(name, image_size, dtype):
    """The model without its classifier, from scaled images to a grid of features.

    Args:
        name: One of `SIZES`.
        image_size: Tuple of height and width.
        dtype: Dtype policy.

    Returns:
        A functional `keras.Model` with random weights.
    """
    width, depth = SIZES[name]

    def convolve(x, filters, kernel, stride, where, activate=True):
        """A convolution, or a depthwise one where `filters` is None."""
        options = {"padding": "same", "use_bias": False, "dtype": dtype, "name": f"{where}_conv"}
        if filters is None:
            x = layers.DepthwiseConv2D(kernel, stride, **options)(x)
        else:
            x = layers.Conv2D(filters, kernel, stride, **options)(x)
        x = layers.BatchNormalization(epsilon=1e-3, dtype=dtype, name=f"{where}_bn")(x)
        return layers.ReLU(6.0, dtype=dtype, name=f"{where}_relu")(x) if activate else x

    def block(x, filters, kernel, stride, expansion, where):
        """An inverted residual: wide between narrow ends, which are added where they match."""
        inputs = x
        if expansion > 1:
            x = convolve(x, expansion * x.shape[-1], 1, 1, f"{where}_expand")
        x = convolve(x, None, kernel, stride, f"{where}_dw")
        x = convolve(x, filters, 1, 1, f"{where}_project", activate=False)
        if stride == 1 and inputs.shape[-1] == filters:
            x = layers.Add(dtype=dtype, name=f"{where}_add")([inputs, x])
        return x

    inputs = Input((*image_size, 3), name="pixels")
    x = convolve(inputs, _STEM, 3, 2, "stem")
    count = 0
    for group in _GROUPS:
        # The first group and the last stay as deep.
        repeats = group.repeats
        if group not in (_GROUPS[0], _GROUPS[-1]):
            repeats = math.ceil(depth * repeats)
        for i in range(repeats):
            x = block(
                x,
                _rounded(width * group.filters),
                group.kernel,
                group.stride if i == 0 else 1,
                group.expansion,
                f"block{count}",
            )
            count += 1
    x = convolve(x, _HEAD, 1, 1, "head")
    return Model(inputs, x, name="backbone")


def scale(pixels):
    """Pixels in 0..255 as the models were trained on them."""
    return (pixels - 127.0) / 128.0


def _rounded(filters):
    """To a multiple of 8, of which it may lose a tenth at most."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
