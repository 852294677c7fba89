"""When the pieces and words of an output are said."""

from keras import ops

#: The shares of the attention of a piece that come before its begin and before its end.
_BEGIN, _END = 0.25, 0.75
_SPACE, _ENDS = "▁", "</s>"


def seconds_per_position(encoder, columns):
    """How many seconds of the input a position of the memory stands for.

    Args:
        encoder: A `keras_s2s.layers.Encoder`.
        columns: Dict from names to the columns of the preprocessor.

    Returns:
        Float, or None unless the only input is sound.
    """
    if len(encoder.input_names) > 1:
        return None
    seconds = columns[encoder.input_names[0]].seconds_per_step
    return None if seconds is None else seconds * encoder.reduction


def token_times(result, weights, seconds):
    """When each piece of an output begins and ends.

    A `keras_s2s.layers.CTC` knows it; attention only says what the decoder wanted to hear, which is
    often less than the whole word, or what comes next.

    Args:
        result: What `decode` returned. Without `"spans"`, half of the attention of a piece is
            between the two times, a quarter before and a quarter after.
        weights: `(..., target, positions)`, the attention of each piece.
        seconds: Float, how long a position lasts.

    Returns:
        `(..., target, 2)` float32, in seconds; NaN where a CTC has no room for the output.
    """
    if "spans" in result:
        spans = ops.cast(result["spans"], "float32")
        return ops.where(spans < 0, float("nan"), spans * seconds)
    sums = ops.cumsum(ops.cast(weights, "float32"), axis=-1)
    before = [
        ops.sum(ops.cast(sums < share * sums[..., -1:], "float32"), axis=-1)
        for share in (_BEGIN, _END)
    ]
    return ops.stack([before[0], before[1] + 1], axis=-1) * seconds


def word_times(pieces, times):
    """The words of an output and their times.

    Args:
        pieces: List of strings. A word begins with `"▁"`; without any, each piece is one.
        times: `(pieces, 2)`, in seconds.

    Returns:
        List of tuples `(word, begin, end)`.
    """
    words, each = [], not any(piece.startswith(_SPACE) for piece in pieces)
    for piece, (begin, end) in zip(pieces, times.tolist()):
        if piece == _ENDS:
            break
        text = piece.removeprefix(_SPACE)
        if text != piece or not words or each:
            words.append((text, begin, end))
            continue
        before, first, last = words[-1]
        # A space that is a piece by itself is not said.
        words[-1] = (before + text, first if before else begin, max(last, end) if before else end)
    return [word for word in words if word[0]]
