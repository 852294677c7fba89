"""Where each token of an output is said, by the most probable path of CTC."""

from keras import ops

from keras_s2s._backend.log_zero import IMPOSSIBLE
from keras_s2s._backend.scan import no_gradient, scan
from keras_s2s._backend.shapes import repeat_rows, size
from keras_s2s.layers.attention import count_rows_per_example
from keras_s2s.tokens import PAD

# Where no path leads, less than any path.
_FARTHEST = -1e30


@no_gradient()
def align(log_probs, mask, labels):
    """The positions of each token on the most probable path that stands for the labels.

    A path is at a state at each position: at token `i` of the labels, state `2 * i + 1`, or at the
    blank before it, `2 * i`, or behind it. From one position to the next it stays, goes to the next
    state, or from a token to a different one.

    Args:
        log_probs: `(batch, source, vocabulary)`, of which id 0 is the blank.
        mask: `(batch, source)` bool, False at padding, which is behind the rest.
        labels: `(rows, target)` token ids, 0 at padding. The rows of one example lie side by side.

    Returns:
        Int32 `(rows, target, 2)`: the first position of each token, and the one after its last. At
        padding both are the number of positions. Where there are more tokens than positions have
        room for, all are -1.
    """
    rows = size(labels, 0)
    rows_per_example = count_rows_per_example(rows, size(mask, 0))
    labels = ops.cast(labels, "int32")
    lengths = ops.sum(ops.cast(labels != PAD, "int32"), axis=1)
    tokens = ops.one_hot(labels, log_probs.shape[-1], dtype="float32")
    # A blank before each token and behind the last.
    said = ops.matmul(repeat_rows(log_probs, rows_per_example), ops.transpose(tokens, (0, 2, 1)))
    said = ops.where(ops.expand_dims(labels != PAD, 1), said, IMPOSSIBLE)
    blank = ops.broadcast_to(
        repeat_rows(log_probs, rows_per_example)[..., PAD : PAD + 1], ops.shape(said)
    )
    scores = ops.reshape(ops.stack([blank, said], axis=-1), (rows, size(said, 1), -1))
    scores = ops.concatenate([scores, blank[..., :1]], axis=-1)
    states = size(scores, 2)
    is_blank = ops.arange(states) % 2 == 0
    mask = repeat_rows(mask, rows_per_example)
    scores = ops.where(ops.expand_dims(mask, -1), scores, ops.where(is_blank, 0.0, IMPOSSIBLE))
    # From a token to the next token, without a blank, unless they are equal.
    differs = ops.pad(labels[:, 1:] != labels[:, :-1], ((0, 0), (1, 0)))
    skips = ops.reshape(ops.stack([ops.zeros_like(differs), differs], axis=-1), (rows, -1))
    skips = ops.pad(skips, ((0, 0), (0, 1)))

    def forward(best, scores, skips):
        by_one = ops.pad(best[:, :-1], ((0, 0), (1, 0)), constant_values=IMPOSSIBLE)
        by_two = ops.pad(best[:, :-2], ((0, 0), (2, 0)), constant_values=IMPOSSIBLE)[
            :, : size(best, 1)
        ]
        by_two = ops.where(skips, by_two, IMPOSSIBLE)
        nearer = ops.maximum(best, by_one)
        moves = ops.where(by_two > nearer, 2, ops.cast(by_one > best, "int32"))
        return ops.maximum(nearer, by_two) + scores, moves

    def back(state, moves, _):
        moved = ops.take_along_axis(moves, ops.expand_dims(state, -1), axis=1)
        return state - ops.squeeze(moved, -1), state

    # Before the first position, a path is where only the first blank and the first token are next.
    index = ops.arange(states, dtype="int32")
    start = ops.where(index == 0, 0.0, IMPOSSIBLE) + ops.zeros((rows, 1), dtype="float32")
    like = ops.zeros_like(start, dtype="int32")
    best, moves = scan(forward, start, ops.transpose(scores, (1, 0, 2)), like, skips)
    # The last token, or the blank behind it.
    behind = index - 2 * ops.expand_dims(lengths, -1)
    ends = [ops.max(ops.where(behind == at, best, _FARTHEST), axis=-1) for at in (-1, 0)]
    last = 2 * lengths - ops.cast(ends[0] > ends[1], "int32")
    _, path = scan(back, last, moves, ops.zeros_like(last), reverse=True)
    # `(source, rows, target)`
    path = ops.expand_dims(path, -1)
    token_states = 2 * ops.arange(size(labels, 1), dtype="int32") + 1
    real = ops.expand_dims(ops.transpose(mask), -1)
    spans = [
        ops.sum(ops.cast(ops.logical_and(real, before), "int32"), axis=0)
        for before in (path < token_states, path <= token_states)
    ]
    has_room = ops.expand_dims(ops.maximum(*ends) > IMPOSSIBLE / 2, -1)
    return ops.stack([ops.where(has_room, one, -1) for one in spans], axis=-1)
