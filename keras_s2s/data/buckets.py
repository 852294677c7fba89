"""Chooses the few batch shapes that waste least on padding."""

import numpy as np

_CANDIDATES = 256


def choose_buckets(source_lengths, target_lengths, max_buckets):
    """Chooses bucket widths for pairs of lengths, minimising all padded positions.

    Buckets are nested: each is at least as wide as the one before on both sides, so every pair
    has a smallest bucket that holds it, and the last holds all.

    Args:
        source_lengths: Integer array `(pairs,)`, all at least 1.
        target_lengths: Integer array `(pairs,)`, all at least 1.
        max_buckets: Largest number of buckets.

    Returns:
        Integer array `(buckets, 2)` of source and target widths, growing.

    Example:
    ```python
    from keras_s2s.data.buckets import choose_buckets

    assert choose_buckets([3, 3, 9], [4, 4, 8], max_buckets=2).tolist() == [[3, 4], [9, 8]]
    ```
    """
    source, target = np.asarray(source_lengths, "int64"), np.asarray(target_lengths, "int64")
    # One order for both lengths: the longer side, in units of the source, decides.
    level = np.maximum(source, target * (source.mean() / target.mean()))
    order = np.argsort(level, kind="stable")
    level = level[order]
    widths = np.maximum.accumulate(np.stack([source[order], target[order]], 1))
    ends = np.append(np.flatnonzero(np.diff(level)) + 1, len(level))
    if len(ends) > _CANDIDATES:
        ends = ends[np.linspace(0, len(ends) - 1, _CANDIDATES).round().astype(int)]
    width = widths[ends - 1].sum(1)
    # cost[i, j]: all pairs after candidate i up to candidate j share one bucket.
    starts = np.append(0, ends)
    cost = (ends[None] - starts[:, None]) * width[None].astype("float64")
    cost[starts[:, None] >= ends[None]] = np.inf
    best, choices = cost[0], []
    for _ in range(1, max_buckets):
        through = np.append(np.inf, best)[:, None] + cost
        through[0] = best  # Fewer buckets are enough.
        choices.append(through.argmin(0))
        best = through.min(0)
    cut, cuts = len(ends), []
    for choice in reversed(choices):
        if choice[cut - 1]:
            cuts.append(cut)
            cut = choice[cut - 1]
    cuts.append(cut)
    return np.unique(widths[ends[np.array(cuts) - 1] - 1], axis=0)
