import itertools

import numpy as np
import pytest

from keras_s2s.data.buckets import choose_buckets


def padded_positions(source, target, buckets):
    smallest = np.maximum(
        np.searchsorted(buckets[:, 0], source), np.searchsorted(buckets[:, 1], target)
    )
    return buckets[smallest].sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_best_of_all_cuts(seed, count):
    """Where both lengths are equal, buckets are cuts of a line: try them all."""
    lengths = np.random.default_rng(seed).integers(1, 15, size=60)
    widths = np.unique(lengths)
    best = min(
        padded_positions(lengths, lengths, np.array([[w, w] for w in (*some, widths[-1])]))
        for n in range(count)
        for some in itertools.combinations(widths[:-1], n)
    )
    buckets = choose_buckets(lengths, lengths, count)
    assert len(buckets) <= count
    assert padded_positions(lengths, lengths, buckets) == best


@pytest.mark.parametrize("max_buckets", [1, 4, 12])
def test_nested_and_covering(max_buckets):
    rng = np.random.default_rng(1)
    source = rng.integers(1, 500, size=5000)
    target = np.maximum(1, (source * rng.normal(1.3, 0.4, size=5000)).astype(int))
    buckets = choose_buckets(source, target, max_buckets)
    assert len(buckets) == max_buckets
    assert (np.diff(buckets, axis=0) >= 0).all()
    assert buckets[-1].tolist() == [source.max(), target.max()]


def test_fewer_lengths_than_buckets():
    assert choose_buckets([5] * 9, [7] * 9, 12).tolist() == [[5, 7]]
    assert choose_buckets([5], [7], 1).tolist() == [[5, 7]]
