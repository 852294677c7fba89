"""All steps of a decoder that has only `start` and `step`."""

from keras import ops

from keras_s2s._backend.scan import scan
from keras_s2s._backend.shapes import size
from keras_s2s.layers._padding import at_least_one_step


def by_steps(decoder, targets, memory, rows_per_example):
    """The logits `(rows, target, output_size)` of `decoder.step` for each token of the targets.

    Args:
        decoder: A `keras_s2s.layers.Decoder` whose logits are float32.
        targets: `(rows, target)` token ids.
        memory: What an encoder returned.
        rows_per_example: As in `Decoder`.
    """
    length = size(targets, 1)
    targets = at_least_one_step(targets)
    memory, state = decoder.start(memory, rows_per_example)

    def step(state, tokens, memory):
        logits, state = decoder.step(tokens, state, memory)
        return state, logits

    like = ops.zeros((size(targets, 0), decoder.output_size), dtype="float32")
    _, logits = scan(step, state, ops.transpose(targets), like, memory)
    return ops.transpose(logits, (1, 0, 2))[:, :length]
