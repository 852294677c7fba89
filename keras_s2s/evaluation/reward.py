"""The base of rewards: the score of single texts."""

import numpy as np

from keras_s2s.evaluation.words import Words
from keras_s2s.preprocessing.text import as_references


class Reward:
    """Base of the rewards. A subclass implements `_one(text, references)`, or the call.

    Args:
        references: For each example a text, or a list of them.
        tokenize: As in `score`.
    """

    def __init__(self, references, tokenize="auto"):
        self._references = as_references(references)
        self._words = Words.of(self._references, tokenize)

    def __call__(self, rows, hypotheses):
        """The rewards `(n,)` of `n` texts of the examples with these numbers."""
        pairs = zip(hypotheses, rows, strict=True)
        return np.array([self._one(text, self._references[row]) for text, row in pairs])
