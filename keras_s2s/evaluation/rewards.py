"""Scores of single texts, as rewards of self-critical training."""

import unicodedata

from keras_s2s.evaluation import rouge, sacrebleu_metrics
from keras_s2s.evaluation.cider_reward import FULL_STOPS, CiderReward
from keras_s2s.evaluation.meteor_reward import MeteorReward
from keras_s2s.evaluation.reward import Reward
from keras_s2s.preprocessing.text import as_references


class RougeReward(Reward):
    """ROUGE-L of single texts, as `score` has it: F1; of several references, the best counts.

    Source: Lin, 2004, https://aclanthology.org/W04-1013, by rouge-score.

    Args:
        references: For each example a text, or a list of them.
        tokenize: As in `score`.

    Example:
    ```python
    import keras_s2s

    reward = keras_s2s.evaluation.RougeReward(["a dog runs"])
    assert reward([0, 0], ["a dog runs", "a dog"]).round(1).tolist() == [1.0, 0.8]
    ```
    """

    def __init__(self, references, tokenize="auto"):
        super().__init__(references, tokenize)
        self._scorer = rouge.scorer(self._words, ["rougeL"])

    def _one(self, text, references):
        return self._scorer.score_multi(references, text)["rougeL"].fmeasure


class BleuReward(Reward):
    """BLEU of single texts by sacreBLEU, over the n-grams that so short a text has.

    Source: Papineni et al., 2002, https://aclanthology.org/P02-1040.

    Args:
        references: For each example a text, or a list of them.
        tokenize: As in `score`.

    Example:
    ```python
    import keras_s2s

    reward = keras_s2s.evaluation.BleuReward(["a dog runs"])
    assert reward([0, 0], ["a dog runs", "a cat"])[0] > 0.99
    ```
    """

    def __init__(self, references, tokenize="auto"):
        super().__init__(references, tokenize)
        sacrebleu = sacrebleu_metrics.require()
        self._bleu = sacrebleu.BLEU(tokenize=self._words.tokenizer, effective_order=True)

    def _one(self, text, references):
        return self._bleu.sentence_score(text, references).score / 100


class ExactReward(Reward):
    """1 for a text that is a reference in Unicode NFKC, as tokenizers write it, else 0.

    Args:
        references: For each example a text, or a list of them.
        tokenize: As in `score`; it has no effect here.

    Example:
    ```python
    import keras_s2s

    reward = keras_s2s.evaluation.ExactReward(["a dog runs"])
    assert reward([0, 0], ["a dog runs", "A dog runs"]).tolist() == [1.0, 0.0]
    ```
    """

    def _one(self, text, references):
        return float(_normalized(text) in map(_normalized, references))


def _normalized(text):
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _cider(references, tokenize="auto"):
    """CIDEr that counts the full stop at the end, if most references have one."""
    texts = [text for row in as_references(references) for text in row]
    ended = sum(text.rstrip().endswith(FULL_STOPS) for text in texts)
    return CiderReward(references, with_end=2 * ended > len(texts), tokenize=tokenize)


#: From the `reward` of a recipe's stage to what makes it of references.
REWARDS = {
    "cider": _cider,
    "meteor": MeteorReward,
    "rouge": RougeReward,
    "bleu": BleuReward,
    "exact": ExactReward,
}


class WeightedReward:
    """A sum of rewards.

    Args:
        weights: Dict from names in `REWARDS` to numbers.
        references: For each example a text, or a list of them.
        tokenize: As in `score`.

    Example:
    ```python
    import keras_s2s

    reward = keras_s2s.evaluation.WeightedReward({"rouge": 1, "exact": 0.5}, ["a dog runs"])
    assert reward([0, 0], ["a dog runs", "a dog"]).round(1).tolist() == [1.5, 0.8]
    ```
    """

    def __init__(self, weights, references, tokenize="auto"):
        self._terms = [
            (weight, REWARDS[name](references, tokenize=tokenize))
            for name, weight in weights.items()
        ]

    def __call__(self, rows, hypotheses):
        """The rewards `(n,)` of `n` texts of the examples with these numbers."""
        return sum(weight * reward(rows, hypotheses) for weight, reward in self._terms)
