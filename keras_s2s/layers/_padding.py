from keras import ops


def at_least_one_step(inputs):
    """Pads `(batch, 0, ...)` by one step of zeros, since loops and softmax need at least one."""
    length = inputs.shape[1]
    if length:
        return inputs
    shape = ops.shape(inputs)
    missing = 1 if length == 0 else ops.maximum(1 - shape[1], 0)
    padding = ops.zeros((shape[0], missing, *shape[2:]), dtype=inputs.dtype)
    return ops.concatenate([inputs, padding], axis=1)
