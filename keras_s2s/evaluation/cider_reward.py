"""CIDEr of single captions, as a reward."""

import numpy as np

from keras_s2s._optional import import_metric
from keras_s2s.evaluation.reward import Reward

#: The full stop of most scripts, the two of Chinese and Japanese, and the danda of Indian scripts.
FULL_STOPS = (".", "。", "．", "।")


class CiderReward(Reward):
    """CIDEr of single captions, with the document frequencies of all references given.

    CIDEr is by Vedantam et al., 2015, https://arxiv.org/abs/1411.5726; as a reward of self-critical
    training it is by Rennie et al., 2017, https://arxiv.org/abs/1612.00563. A pattern cuts captions
    into words, nearly as the PTB tokenizer does, which is too slow for each step. For a language
    without spaces between words, words are those of `score`.

    Args:
        references: For each image a caption, or a list of them.
        with_end: Whether a full stop at the end is a word, which all references have. CIDEr itself
            ignores whether a sentence is finished, and so would a model that is trained on it.
        tokenize: As in `score`.

    Raises:
        ImportError: If pycocoevalcap is missing.

    Example:
    ```python
    import keras_s2s

    reward = keras_s2s.evaluation.CiderReward([["a dog runs"], ["two cats sleep"]])
    scores = reward([0, 0], ["a dog runs", "a man"])
    assert scores[0] > scores[1]
    ```
    """

    def __init__(self, references, with_end=False, tokenize="auto"):
        import_metric("pycocoevalcap")
        from pycocoevalcap.cider.cider_scorer import CiderScorer

        super().__init__(references, tokenize)
        self._end = " ." if with_end else ""
        self._scorer = CiderScorer
        self._references = [
            [self._words.of_caption(caption) + self._end for caption in captions]
            for captions in self._references
        ]
        all_of_them = CiderScorer()
        for captions in self._references:
            all_of_them += (captions[0], captions)
        all_of_them.compute_doc_freq()
        self._frequency = all_of_them.document_frequency

    def __call__(self, rows, hypotheses):
        """The rewards `(n,)` of `n` captions of the images with these numbers."""
        scorer = self._scorer()
        for row, hypothesis in zip(rows, hypotheses):
            end = self._end if hypothesis.rstrip().endswith(FULL_STOPS) else ""
            scorer += (self._words.of_caption(hypothesis) + end, self._references[row])
        scorer.document_frequency = self._frequency
        # The scorer takes `len(crefs)` for the number of images whose words were counted.
        scorer.crefs = _AsMany(scorer.crefs, len(self._references))
        return np.array(scorer.compute_cider())


class _AsMany(list):
    def __init__(self, values, length):
        super().__init__(values)
        self._length = length

    def __len__(self):
        return self._length
