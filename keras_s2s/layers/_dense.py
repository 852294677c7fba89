from keras import ops


def kernel_of(dense, dtype):
    """The matrix `(dim, units)` that a Keras `Dense` multiplies by, quantized to int8 or not."""
    mode = dense.quantization_mode
    if mode is None:
        return ops.cast(dense.kernel, dtype)
    if mode != "int8":
        raise ValueError(
            f"Decoders take steps with layers in full precision or int8. {dense.path!r} was "
            f"quantized to {mode!r}."
        )
    return ops.cast(ops.cast(dense.kernel, "float32") / dense.kernel_scale, dtype)
