"""Scripts, and which of them put no blank between words."""

import collections
import functools
import itertools
import unicodedata

#: Scripts, by the first word of the Unicode names of their letters.
_IDEOGRAPHS = {"CJK", "IDEOGRAPHIC", "BOPOMOFO"}
_KANA = {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}
_SOUTH_EAST_ASIAN = {"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
_WITHOUT_BLANKS = _IDEOGRAPHS | _KANA | _SOUTH_EAST_ASIAN

WITHOUT_BLANKS = frozenset({"chinese", "japanese"} | {name.lower() for name in _SOUTH_EAST_ASIAN})
"""The scripts, as `main_script` names them, in which no blank shows where a word ends."""


def main_script(texts):
    """The script that most words of the texts are written in.

    A letter of a script without blanks counts as a word, so that English terms in a Chinese text,
    which have many letters, do not outvote it.

    Args:
        texts: Iterable of strings.

    Returns:
        `"chinese"` or `"japanese"`, which has kana too, or the name that Unicode's letters have,
        such as `"latin"`, `"hangul"` or `"thai"`. `"latin"` where there are no letters.
    """
    counts = collections.Counter()
    for text in texts:
        for script, letters in itertools.groupby(text, _script):
            if script is not None:
                counts[script] += sum(1 for _ in letters) if script in _WITHOUT_BLANKS else 1
    ideographs, kana = (
        sum(counts.pop(script, 0) for script in some) for some in (_IDEOGRAPHS, _KANA)
    )
    if ideographs + kana:
        # A Chinese text may contain a Japanese name; about half of a Japanese text is kana.
        name = "JAPANESE" if kana >= (ideographs + kana) / 10 else "CHINESE"
        counts[name] = ideographs + kana
    return max(counts, key=counts.get).lower() if counts else "latin"


@functools.cache
def _script(character):
    """The first word of a letter's Unicode name; None for any other character."""
    if not character.isalpha():
        return None
    # NFKC lets full-width and half-width letters count for their script.
    return unicodedata.name(unicodedata.normalize("NFKC", character)[0], "?").split(" ")[0]
