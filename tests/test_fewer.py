import itertools

import pytest

from tests import fewer


@pytest.mark.parametrize("sizes, most", [((7, 3, 2, 3, 2, 2), 23), ((3, 2, 3), 9), ((4, 3), 12)])
def test_every_two_values_meet(sizes, most, monkeypatch):
    monkeypatch.setattr(fewer, "ALL", False)
    monkeypatch.setattr(fewer, "FEWER", False)
    axes = [[f"{axis}{i}" for i in range(size)] for axis, size in zip("abcdef", sizes)]
    cases = fewer.pairwise(*axes)
    assert len(cases) <= most and set(cases) <= set(itertools.product(*axes))
    for first, second in itertools.combinations(range(len(axes)), 2):
        met = {(case[first], case[second]) for case in cases}
        assert met == set(itertools.product(axes[first], axes[second]))
    once = fewer.each(*axes)
    assert len(once) == max(sizes) and [set(axis) for axis in zip(*once)] == list(map(set, axes))
    monkeypatch.setattr(fewer, "FEWER", True)
    cases = fewer.pairwise(*axes)
    assert len(cases) == max(sizes) and [set(axis) for axis in zip(*cases)] == list(map(set, axes))
    monkeypatch.setattr(fewer, "ALL", True)
    assert fewer.pairwise(*axes) == fewer.each(*axes) == list(itertools.product(*axes))
