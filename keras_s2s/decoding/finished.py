"""Removes examples that are done from the batch, so that the steps of the others take less time.

A batch takes as many steps as its longest search: on Multi30k, with 64 sentences at once and 5
beams, 1.5 times as many as its sentences take on average.
"""

import functools

import keras
from keras import ops

from keras_s2s._backend.gather import take_rows
from keras_s2s._backend.shapes import size

#: Smaller batches do not shrink: with fewer rows, they hardly take less time.
SMALLEST_TO_SHRINK = 16


def can_leave(memory):
    """Whether batches may shrink: only in TensorFlow graphs made for batches of any size."""
    return memory["values"].shape[0] is None


def going_on(done, rows_per_example):
    """Which examples are not done, `(batch,)`.

    Args:
        done: Bool `(batch * rows_per_example,)`.
        rows_per_example: Integer, the rows of `done` that each example has, side by side.
    """
    if rows_per_example > 1:
        done = ops.all(ops.reshape(done, (-1, rows_per_example)), axis=1)
    return ops.logical_not(done)


def run(loop, examples, variables, max_length, rows_per_example, of_examples):
    """Runs the search; whenever half of the batch is done, only the rest goes on.

    Args:
        loop: Function of `(examples, variables, left)`. It runs until all examples but `left` are
            done, or `max_length` is reached, and returns the variables.
        examples: Nested tensors that the steps read, with one row per example: the memory.
        variables: Tuple of the step, the tokens, the state, an empty tuple, and the search. Tokens
            and state have `rows_per_example` rows per example.
        max_length: As in `Sampler`.
        rows_per_example: As in `Sampler`.
        of_examples: Names in the search of what has one row per example; the rest has
            `rows_per_example`.

    Returns:
        The search, for all examples in their order.
    """
    step, tokens, state, nothing, search = variables
    rows_of_done = 1 if "done" in of_examples else rows_per_example

    def each_part(function, *searches):
        """Maps `function(is_of_rows, *tensors)` over all tensors of the searches."""
        return {
            name: keras.tree.map_structure(
                functools.partial(function, name not in of_examples),
                *(search[name] for search in searches),
            )
            for name in searches[0]
        }

    def is_unfinished(step, tokens, state, search, index, examples, complete):
        return ops.logical_and(step < max_length, ops.any(going_on(search["done"], rows_of_done)))

    def shrink(step, tokens, state, search, index, examples, complete):
        batch = size(index, 0)
        left = ops.where(batch < SMALLEST_TO_SHRINK, 0, batch // 2)
        step, tokens, state, _, search = loop(
            examples, (step, tokens, state, nothing, search), left
        )
        places = [ops.expand_dims(i, -1) for i in (index, _rows(index, rows_per_example))]
        complete = each_part(
            lambda is_of_rows, whole, part: ops.scatter_update(whole, places[is_of_rows], part),
            complete,
            search,
        )
        going = ops.cast(ops.nonzero(going_on(search["done"], rows_of_done))[0], "int32")
        rows = _rows(going, rows_per_example)
        tokens, state = keras.tree.map_structure(lambda x: take_rows(x, rows), (tokens, state))
        search = each_part(
            lambda is_of_rows, x: take_rows(x, rows if is_of_rows else going), search
        )
        index, examples = keras.tree.map_structure(lambda x: take_rows(x, going), (index, examples))
        return step, tokens, state, search, index, examples, complete

    index = ops.arange(size(examples["memory"]["values"], 0), dtype="int32")
    *_, complete = ops.while_loop(
        is_unfinished, shrink, (step, tokens, state, search, index, examples, search)
    )
    return complete


def _rows(examples, rows_per_example):
    """The rows of `examples`, where each has `rows_per_example` side by side."""
    if rows_per_example == 1:
        return examples
    first = ops.expand_dims(examples * rows_per_example, -1)
    return ops.reshape(first + ops.arange(rows_per_example, dtype="int32"), (-1,))
