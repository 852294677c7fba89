"""Cuts text into words and punctuation, and joins them again, alike in Python and RE2."""

import re

from keras_s2s._optional import import_tensorflow

#: Marks the side on which a punctuation mark touches its neighbour.
JOINER = "￭"

# Ranges of code points, since the classes of Python and RE2 know different versions of Unicode.
_BLANKS = f"[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000{JOINER}]+"
_SIGNS = (
    r"([!-/:-@\[-`{-~"  # ASCII
    "\xa1-\xbf\xd7\xf7\u2010-\u2027\u2030-\u205e\u3001-\u303f\uff01-\uff0f\uff1a-\uff20"
    "\uff3b-\uff40\uff5b-\uff65])"
)
# A line feed stands for white space of the text, and so differs from the spaces around punctuation.
_STEPS = (
    (_BLANKS, "\n"),
    ("^\n|\n$", ""),
    (_SIGNS, rf" {JOINER}\1{JOINER} "),
    (f"(\n ){JOINER}", r"\1"),
    # Between two punctuation marks one joiner is enough, the second's.
    (f"{JOINER}( \n)|{JOINER}(  {JOINER})|^ {JOINER}|{JOINER} $", r"\1\2"),
    ("[ \n]+", " "),
    ("^ | $", ""),
)
_JOINING = ((f" *{JOINER} *", JOINER), (JOINER, ""))


def split(text):
    """Cuts a text into words and punctuation marks.

    Args:
        text: `str`.

    Returns:
        List of `str`. `join` gives the text again, but for its white space, which becomes single
        spaces.

    Example:
    ```python
    from keras_s2s.preprocessing import word_splitting

    words = word_splitting.split("Self-attention (twice), 3.5 %.")
    assert " ".join(words) == "Self ￭-￭ attention (￭ twice ￭) ￭, 3 ￭.￭ 5 % ￭."
    assert word_splitting.join(words) == "Self-attention (twice), 3.5 %."
    ```
    """
    for pattern, by in _STEPS:
        text = re.sub(pattern, by, text)
    return text.split(" ") if text else []


def join(words):
    """Joins words and signs to a text, see `split`."""
    text = " ".join(words)
    for pattern, by in _JOINING:
        text = re.sub(pattern, by, text)
    return text


def split_in_graph(texts):
    """`split` of a `tf.string` tensor `(batch,)`: a ragged tensor `(batch, None)`."""
    tf = import_tensorflow()
    for pattern, by in _STEPS:
        texts = tf.strings.regex_replace(texts, pattern, by)
    return tf.strings.split(texts)


def join_in_graph(words):
    """`join` of a `tf.string` tensor `(batch, words)`, where "" is no word: `(batch,)`."""
    tf = import_tensorflow()
    texts = tf.strings.reduce_join(words, axis=-1, separator=" ")
    for pattern, by in (("  +", " "), ("^ | $", ""), *_JOINING):
        texts = tf.strings.regex_replace(texts, pattern, by)
    return texts
