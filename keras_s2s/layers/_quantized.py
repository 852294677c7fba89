"""The matrices of layers, quantized to int8 or not."""

from keras import ops


def matrix(layer, dtype, name="kernel"):
    """A matrix `(dim, units)` of a Keras `Dense` or of a cell, as it multiplies.

    Args:
        layer: The layer, which has the scale of an int8 matrix as `<name>_scale`, `(units,)`.
        dtype: The dtype of the product.
        name: The attribute.
    """
    mode = layer.quantization_mode
    if mode is None:
        return ops.cast(getattr(layer, name), dtype)
    if mode != "int8":
        raise ValueError(
            f"Decoders take steps with layers in full precision or int8. {layer.path!r} was "
            f"quantized to {mode!r}."
        )
    scale = getattr(layer, f"{name}_scale")
    return ops.cast(ops.cast(getattr(layer, name), "float32") / scale, dtype)
