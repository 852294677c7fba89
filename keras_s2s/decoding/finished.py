"""Removes examples that are done from the batch, so that the steps of the others take less time.

A batch takes as many steps as its longest search: on Multi30k, with 64 sentences at once and 5
beams, 1.5 times as many as its sentences take on average.
"""

import keras
from keras import ops

from keras_s2s._backend.gather import take_rows

#: Smaller batches do not shrink: with fewer rows, they hardly take less time.
SMALLEST_TO_SHRINK = 16


def can_leave(memory):
    """Whether batches may shrink: only in TensorFlow graphs made for batches of any size."""
    return memory["values"].shape[0] is None


def going_on(search, batch):
    """Which of the examples are not done, `(batch,)`."""
    rows = ops.shape(search["done"])[0] // ops.maximum(batch, 1)
    done = ops.all(ops.reshape(search["done"], (batch, rows)), axis=1)
    return ops.logical_not(done)


def run(loop, examples, variables, max_length):
    """Runs the search; whenever half of the batch is done, only the rest goes on.

    Args:
        loop: Function of `(examples, variables, left)` that runs until all examples but `left` are
            done, or `max_length` is reached, and returns the variables.
        examples: Nested tensors that the steps read, an entry for each example: the memory.
        variables: Tuple of the step, the tokens, the state, an empty tuple, and the search.
        max_length: As in `Sampler`.

    Returns:
        The search, for all examples in their order.
    """
    step, tokens, state, nothing, search = variables

    def is_unfinished(step, tokens, state, search, index, examples, found):
        return ops.logical_and(step < max_length, ops.any(going_on(search, ops.shape(index)[0])))

    def shrink(step, tokens, state, search, index, examples, found):
        batch = ops.shape(index)[0]
        left = ops.where(batch < SMALLEST_TO_SHRINK, 0, batch // 2)
        step, tokens, state, _, search = loop(
            examples, (step, tokens, state, nothing, search), left
        )
        found = keras.tree.map_structure(
            lambda all_of_it, part: ops.scatter_update(
                all_of_it, ops.expand_dims(_rows(part, index, batch), -1), part
            ),
            found,
            search,
        )
        rest = ops.cast(ops.nonzero(going_on(search, batch))[0], "int32")
        taken = keras.tree.map_structure(
            lambda x: take_rows(x, _rows(x, rest, batch)),
            (tokens, state, search, index, examples),
        )
        return step, *taken, found

    index = ops.arange(ops.shape(examples["memory"]["values"])[0], dtype="int32")
    *_, found = ops.while_loop(
        is_unfinished, shrink, (step, tokens, state, search, index, examples, search)
    )
    return found


def _rows(x, examples, batch):
    """The rows of `x` that belong to `examples`; `x` has one or several rows for each example."""
    several = ops.shape(x)[0] // batch
    rows = ops.expand_dims(examples * several, -1) + ops.arange(several, dtype="int32")
    return ops.reshape(rows, (-1,))
