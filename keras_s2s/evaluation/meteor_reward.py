"""METEOR of single captions, as a reward."""

import weakref

import numpy as np

from keras_s2s.evaluation import captions
from keras_s2s.evaluation.reward import Reward


class MeteorReward(Reward):
    """METEOR of single captions by pycocoevalcap, which needs Java.

    Source: Denkowski and Lavie, 2014, https://aclanthology.org/W14-3348.

    METEOR also counts stems, synonyms and paraphrases of English, and weighs recall more than
    precision. A Java process that answers stays open as long as the reward is used. Words are found
    as by `CiderReward`.

    Args:
        references: For each image a caption, or a list of them.
        tokenize: As in `score`.

    Raises:
        ImportError: If pycocoevalcap or Java is missing.

    Example:
    ```python
    import keras_s2s

    reward = keras_s2s.evaluation.MeteorReward([["a dog runs", "the dog is running"]])
    scores = reward([0, 0], ["a dog is running", "a man"])
    assert scores[0] > 0.3 > scores[1]
    ```
    """

    def __init__(self, references, tokenize="auto"):
        captions.require()
        from pycocoevalcap.meteor.meteor import Meteor

        super().__init__(references, tokenize)
        self._references = [list(map(self._words.of_caption, row)) for row in self._references]
        self._scorer = Meteor()
        weakref.finalize(self, captions.stop, self._scorer)

    def __call__(self, rows, hypotheses):
        """The rewards `(n,)` of `n` captions of the images with these numbers."""
        references = {i: self._references[row] for i, row in enumerate(rows)}
        captions_of_row = {i: [self._words.of_caption(x)] for i, x in enumerate(hypotheses)}
        return np.array(self._scorer.compute_score(references, captions_of_row)[1])
