"""ROUGE by rouge-score: F1; of several references, the best match counts."""

import unicodedata
from importlib.metadata import version

from keras_s2s._optional import import_metric
from keras_s2s.evaluation._confidence_interval import of_mean

NAMES = ("rouge",)
_FIGURES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


def require():
    """The library, or an `ImportError` that says what to install."""
    return import_metric("rouge_score")


def compute(names, hypotheses, references, bootstrap, words):
    """Yields `(key, fields of a Score)`."""
    _, note = _tokenizer(words)
    scores = scorer(words, list(_FIGURES)).score_multi
    each = [scores(texts, text) for text, texts in zip(hypotheses, references)]
    for kind, name in _FIGURES.items():
        values = [100 * found[kind].fmeasure for found in each]
        yield (
            name.lower().replace("-", "_"),
            {
                "name": name,
                "value": sum(values) / len(values),
                "signature": f"rouge-score:{version('rouge-score')}|{kind}|F1|{note}",
                "spread": of_mean(values) if bootstrap else None,
            },
        )


def scorer(words, kinds):
    """rouge-score's scorer of these kinds, such as `["rougeL"]`, with the words of a language."""
    require()
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(kinds, use_stemmer=True, tokenizer=_tokenizer(words)[0])


def _tokenizer(words):
    """The tokenizer to give to rouge-score, None for its own, and its name in signatures."""
    if words.tokenizer != "13a":
        return _Tokenizer(words.without_punctuation), f"tok:{words.tokenizer}"
    if words.script == "latin":
        return None, "stemmer"
    # rouge-score's own tokenizer takes every letter outside a to z for a blank.
    return _Tokenizer(_unicode_words), "tok:unicode"


class _Tokenizer:
    def __init__(self, tokenize):
        self.tokenize = tokenize


def _unicode_words(text):
    """Splits as rouge-score does, but keeps the letters, marks and digits of all scripts."""
    kinds = ((c, unicodedata.category(c)) for c in text.lower())
    # Format characters, such as joiners, can stand within a word: they do not split it.
    return "".join(c if k[0] in "LMN" else " " for c, k in kinds if k != "Cf").split()
