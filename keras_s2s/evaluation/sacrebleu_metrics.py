"""BLEU and chrF by sacrebleu."""

from keras_s2s._optional import import_metric

NAMES = ("bleu", "chrf")


def require():
    """The library, or an `ImportError` that says what to install."""
    return import_metric("sacrebleu")


def compute(names, hypotheses, references, bootstrap, words):
    """Yields `(key, fields of a Score)`."""
    sacrebleu = require()
    most = max(map(len, references))
    streams = [[r[i] if i < len(r) else None for r in references] for i in range(most)]
    for name in names:
        if name == "bleu":
            metric = sacrebleu.BLEU(tokenize=words.tokenizer, references=streams)
        else:
            metric = sacrebleu.CHRF(references=streams)
        _give_floats(metric)
        corpus_score = metric.corpus_score(hypotheses, None, n_bootstrap=bootstrap or 1)
        yield (
            name,
            {
                "name": {"bleu": "BLEU", "chrf": "chrF"}[name],
                "value": corpus_score.score,
                "signature": str(metric.get_signature()),
                "spread": float(corpus_score._ci) if bootstrap else None,
            },
        )


def _give_floats(metric):
    """Makes all scores of resamplings Python floats.

    Where only some resamplings have a match, sacreBLEU's chrF gives NumPy's floats for these and
    Python's 0.0 for the others, of which its mean then fails.
    """
    compute_score = metric._compute_score_from_stats

    def of_stats(stats):
        score = compute_score(stats)
        score.score = float(score.score)
        return score

    metric._compute_score_from_stats = of_stats
