"""Training pairs with other names in them, so that a model learns to copy names."""

import random
import re
from collections import Counter

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_STARTS = "B Br C Ch D Dr F Fl G Gr H J K Kr L M N P Pr R S Sch Sh St T Th Tr V W Z".split()
_MIDDLES = "b bb ck d ff g k l ll ld m mm n nd nn ng p r rk rr s ss st t tt v z".split()
_VOWELS = "a a a e e e i i o o u ä ö ü é ai au ei ie ou y".split()
# Capitalized and spelled alike in English and German.
_MONTHS = {"April", "August", "September", "November"}
_ENDS = "a e o er en in i ez ov ic us el ard sson mann ton ini ero ska".split() + [""] * 6


def substitute_names(sources, targets, copies=1, seed=0):
    """Makes pairs with other names from pairs that have the same names on both sides.

    A text often has the same few names, and a model learns to write these few. A capitalized word
    that occurs equally often on both sides is taken for a name, and replaced by a made-up one on
    both. On each side it must also be capitalized within a sentence somewhere in the texts: "Hand"
    in "Hand me the book" is not.

    Args:
        sources: List of strings.
        targets: List of strings, as many.
        copies: Integer, the pairs to make of each pair that has a name.
        seed: Integer. The same seed gives the same pairs.

    Returns:
        `(sources, targets)`: the new pairs only.

    Example:
    ```python
    from keras_s2s.data import substitute_names

    sources, targets = substitute_names(["Wo ist Tom?", "Hallo!"], ["Where is Tom?", "Hello!"])
    print(sources, targets)  # ['Wo ist Schokelmann?'] ['Where is Schokelmann?']
    assert len(sources) == len(targets) == 1 and "Tom" not in sources[0]
    ```
    """
    rng, new_sources, new_targets = random.Random(seed), [], []
    inside = [_inside(side) for side in (sources, targets)]
    for source, target in zip(sources, targets):
        names = _names(source, target, inside)
        for _ in range(copies if names else 0):
            others = {name: _made_up(rng) for name in names}
            new_sources.append(_replace(source, others))
            new_targets.append(_replace(target, others))
    return new_sources, new_targets


def _inside(texts):
    """Counts the capitalized words that do not begin a sentence."""
    counts = Counter()
    for text in texts:
        for match in _WORD.finditer(text):
            before = text[: match.start()].rstrip(" \"'„“”»«(¿¡")
            if before and before[-1] not in ".!?:" and match[0][0].isupper():
                counts[match[0]] += 1
    return counts


def _names(source, target, inside):
    counts = [Counter(_WORD.findall(text)) for text in (source, target)]
    return [
        word
        for word, count in counts[0].items()
        if len(word) > 2
        and word[0].isupper()
        and not word.isupper()
        and word not in _MONTHS
        and counts[1][word] == count
        and all(words[word] for words in inside)
    ]


def _replace(text, others):
    return _WORD.sub(lambda match: others.get(match[0], match[0]), text)


def _made_up(rng):
    """A name of one to four syllables; one in eight has two parts."""
    name = rng.choice(_STARTS) + rng.choice(_VOWELS)
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        name += rng.choice(_MIDDLES) + rng.choice(_VOWELS)
    if rng.random() < 0.7:
        name += rng.choice(_MIDDLES)
        name += rng.choice(_ENDS)
    return f"{name}{rng.choice(' -')}{_made_up(rng)}" if rng.random() < 0.125 else name
