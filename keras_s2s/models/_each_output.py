"""Inputs with several outputs each, for decoders, which take rows."""

from keras import ops


def each_output(decode, targets, memory):
    """Decodes `(batch, [outputs,] target)` tokens with a function of `(rows, target)`.

    Args:
        decode: Function of targets `(rows, target)`, the memory and the number of rows of each
            example, such as a decoder.
        targets: `(batch, target)` or `(batch, outputs, target)`.
        memory: What an encoder returned.

    Returns:
        What it returned, `(batch, [outputs,] target, output_size)`.
    """
    if len(targets.shape) == 2:
        return decode(targets, memory, rows_per_example=1)
    batch, outputs_per_example, length = ops.shape(targets)
    rows = ops.reshape(targets, (batch * outputs_per_example, length))
    logits = decode(rows, memory, rows_per_example=outputs_per_example)
    return ops.reshape(logits, (batch, outputs_per_example, *ops.shape(logits)[1:]))
