"""Pairs with other names."""

import re

from keras_s2s.data import substitute_names

SOURCES = ["Wo ist Tom?", "Das ist Tom.", "Hand aufs Herz, Tom!", "Der Hund schläft.", "Im April."]
TARGETS = ["Where is Tom?", "That is Tom.", "Hand on heart, Tom!", "The dog sleeps.", "In April."]


def test_both_sides_get_the_same_name():
    sources, targets = substitute_names(SOURCES, TARGETS, copies=3)
    assert len(sources) == len(targets) == 9
    names = set()
    for source, target, old in zip(sources, targets, [s for s in SOURCES[:3] for _ in range(3)]):
        before, after = old.split("Tom")
        assert source.startswith(before) and source.endswith(after)
        name = source[len(before) : -len(after)]
        assert name in target and "Tom" not in target
        names.add(name)
    assert len(names) > 6 and all(re.fullmatch(r"[A-Z]\w+([ -][A-Z]\w+)*", name) for name in names)


def test_a_name_elsewhere_is_left_alone():
    """One side says it twice, or in another form."""
    sources = ["Tom und Tom", "Toms Hund", "Wo ist Tom?", "ist NATO da"]
    targets = ["Tom", "Tom's dog", "Where is he, and Tom", "is NATO there"]
    new, others = substitute_names(["Das ist Tom", *sources], ["That is Tom", *targets])
    assert [source.split()[0] for source in new] == ["Das", "Wo"]
    assert [target.split()[0] for target in others] == ["That", "Where"]


def test_seed():
    first, again, other = (substitute_names(SOURCES, TARGETS, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_prefix_stays():
    sources, _ = substitute_names(["<de> Is this Tom?"], ["Ist das Tom?"])
    assert sources[0].startswith("<de> Is this ")
