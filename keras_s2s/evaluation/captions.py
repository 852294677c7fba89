"""Metrics of captions by pycocoevalcap, with its PTB tokenizer, which needs Java.

For languages without blanks between words, BLEU's tokenizer is used: the PTB tokenizer takes a
Chinese sentence for one word and drops the vowels of Khmer. METEOR, whose synonyms are English,
then matches only equal words.
"""

import contextlib
import io
import shutil
from importlib.metadata import version

import numpy as np

from keras_s2s._optional import import_metric
from keras_s2s.evaluation._confidence_interval import of_mean

NAMES = ("coco_bleu", "meteor", "coco_rouge", "cider")


def require():
    """Raises an `ImportError` that says what to install."""
    import_metric("pycocoevalcap")
    if not shutil.which("java"):
        raise ImportError(
            "pycocoevalcap tokenizes captions with Java, and there is no `java` on the path. "
            "Install a Java runtime (e.g. `apt install default-jre-headless`)."
        )


def compute(names, hypotheses, references, bootstrap, words):
    """Yields `(key, fields of a Score)`."""
    tokenizer = "PTB" if words.between_blanks else words.tokenizer
    references, hypotheses = _tokenized(hypotheses, references, words)
    signature = f"pycocoevalcap:{version('pycocoevalcap')}|tok:{tokenizer}|refs:all"
    for name in names:
        if name == "coco_bleu":
            for n, (value, spread) in enumerate(_bleu(references, hypotheses, bootstrap), 1):
                yield (
                    f"coco_bleu_{n}",
                    {
                        "name": f"BLEU-{n}",
                        "value": 100 * value,
                        "signature": signature,
                        "spread": 100 * spread if bootstrap else None,
                    },
                )
            continue
        value, per_caption = _mean(name, references, hypotheses)
        factor = 1 if name == "cider" else 100
        yield (
            name,
            {
                "name": {"meteor": "METEOR", "coco_rouge": "ROUGE-L", "cider": "CIDEr"}[name],
                "value": factor * float(value),
                "signature": signature,
                "spread": factor * of_mean(per_caption) if bootstrap else None,
            },
        )


def _tokenized(hypotheses, references, words):
    """Tokenized references and hypotheses, each a dict from an example's number to its texts."""
    sides = references, [[text] for text in hypotheses]
    if not words.between_blanks:
        return tuple(
            {i: [" ".join(words.without_punctuation(text)) for text in texts] for i, texts in rows}
            for rows in map(enumerate, sides)
        )
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    captions = (
        # The PTB tokenizer reads one caption per line, so line ends become blanks.
        {i: [{"caption": " ".join(text.split())} for text in texts] for i, texts in rows}
        for rows in map(enumerate, sides)
    )
    with _quiet():
        return tuple(PTBTokenizer().tokenize(rows) for rows in captions)


def _bleu(references, hypotheses, bootstrap):
    """Value and spread of BLEU-1 to BLEU-4."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    all_of_them, count = BleuScorer(), len(hypotheses)
    for i in range(count):
        all_of_them += (hypotheses[i][0], references[i])
    rng, drawn = np.random.default_rng(12345), []
    for _ in range(bootstrap):
        chosen = rng.integers(0, count, count)
        some = BleuScorer()
        some.ctest, some.crefs = (
            [counts[i] for i in chosen] for counts in (all_of_them.ctest, all_of_them.crefs)
        )
        drawn.append(some.compute_score(option="closest")[0])
    spreads = np.zeros(4)
    if drawn:
        spreads = np.diff(np.percentile(drawn, [2.5, 97.5], axis=0), axis=0)[0] / 2
    return list(zip(all_of_them.compute_score(option="closest")[0], spreads))


def _mean(name, references, hypotheses):
    """The metric over all examples, and its value for each example."""
    if name == "meteor":
        from pycocoevalcap.meteor.meteor import Meteor as Scorer
    elif name == "coco_rouge":
        from pycocoevalcap.rouge.rouge import Rouge as Scorer
    else:
        from pycocoevalcap.cider.cider import Cider as Scorer
    with _quiet():
        scorer = Scorer()
        score_and_scores = scorer.compute_score(references, hypotheses)
    if name == "meteor":
        stop(scorer)
    return score_and_scores


def stop(meteor):
    """Ends the Java process of pycocoevalcap's METEOR, which it leaves with its pipes open."""
    process = getattr(meteor, "meteor_p", None)
    if process is None:
        return
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextlib.contextmanager
def _quiet():
    """Suppresses what the metrics print."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
