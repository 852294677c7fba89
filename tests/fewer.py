"""Fewer cases than all combinations. With ALL_CASES=1 in the environment tests get all."""

import itertools
import os

import keras

ALL = bool(os.environ.get("ALL_CASES"))
# Only what keras_s2s/_backend does differs there. JAX compiles for a second or more each time, and
# PyTorch runs each step of a loop from Python.
FEWER = keras.backend.backend() != "tensorflow" and not ALL


def chosen(cases, *names):
    """The named cases, which are enough by default; with ALL_CASES=1 all cases."""
    return list(cases) if ALL else list(names)


def fewer_elsewhere(cases, every, first=0):
    """The cases; on other backends than TensorFlow, from the place `first` on, one of `every`."""
    cases = list(cases)
    return cases[first::every] if FEWER else cases


def pairwise(*axes):
    """Cases of `itertools.product(*axes)` in which any two values of two axes meet.

    For axes of which a fault concerns one value or two that meet. On other backends than TensorFlow
    each value is in a case.
    """
    return _cases(axes, together=1 if FEWER else 2)


def each(*axes):
    """Cases of `itertools.product(*axes)` in which each value occurs.

    For axes that do not interact, or whose pairs are all in the cases of another test.
    """
    return _cases(axes, together=1)


def _cases(axes, together):
    axes = [list(axis) for axis in axes]
    cases = list(itertools.product(*map(range, map(len, axes))))
    if not ALL:
        cases = sorted(_covering(cases, together))
    return [tuple(axis[i] for axis, i in zip(axes, case)) for case in cases]


def _covering(cases, together):
    """Takes the case with the most new values, or pairs of them, until there are none."""
    groups = {case: set(itertools.combinations(enumerate(case), together)) for case in cases}
    left = set().union(*groups.values())
    while left:
        best = max(cases, key=lambda case: len(groups[case] & left))
        left -= groups[best]
        yield best
