"""ROUGE by rouge-score: F1, the best reference of several."""

from importlib.metadata import version

from keras_s2s._optional import import_metric
from keras_s2s.evaluation._spread import of_mean

NAMES = ("rouge",)
_FIGURES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


def require():
    """The library, or an `ImportError` that says what to install."""
    return import_metric("rouge_score")


def compute(names, hypotheses, references, bootstrap):
    """Yields `(key, fields of a Score)`."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(_FIGURES), use_stemmer=True)
    each = [scorer.score_multi(several, text) for text, several in zip(hypotheses, references)]
    for kind, name in _FIGURES.items():
        values = [100 * found[kind].fmeasure for found in each]
        yield (
            {"ROUGE-1": "rouge_1", "ROUGE-2": "rouge_2", "ROUGE-L": "rouge_l"}[name],
            {
                "name": name,
                "value": sum(values) / len(values),
                "signature": f"rouge-score:{version('rouge-score')}|{kind}|F1|stemmer",
                "spread": of_mean(values) if bootstrap else None,
            },
        )
