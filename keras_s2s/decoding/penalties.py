"""The length and coverage terms of Google's translation system (Wu et al., 2016, equation 14)."""

from keras import ops

# Keeps the logarithm finite where a source position got no attention at all.
_LEAST_COVERAGE = 1e-10


def length_penalty(length, alpha):
    """`((5 + length) / 6) ** alpha`, which a sum of log-probabilities is divided by.

    Args:
        length: Int or int tensor, in tokens, the end id counted.
        alpha: Float, at least 0. With 0 the penalty is 1; larger values favour longer hypotheses.

    Returns:
        A float, or a float32 tensor of the shape of `length`.
    """
    if alpha == 0:
        return 1.0
    return ((5.0 + ops.cast(length, "float32")) / 6.0) ** alpha


def coverage_penalty(coverage, beta):
    """`beta * sum_i log(min(coverage_i, 1))`, added to the score: at most 0.

    Args:
        coverage: Float tensor `(..., source)`, the attention each source position got, summed over
            the target; at least 1 at padding, so that it does not count.
        beta: Float, at least 0.

    Returns:
        A float32 tensor `(...)`.
    """
    coverage = ops.clip(coverage, _LEAST_COVERAGE, 1.0)
    return beta * ops.sum(ops.log(coverage), axis=-1)
