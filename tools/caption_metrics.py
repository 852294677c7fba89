"""Metrics of captions, by pycocoevalcap: with its PTB tokenizer, which needs Java."""

import contextlib
import io
import re
from importlib.metadata import version

import numpy as np

NAMES = ("BLEU", "METEOR", "ROUGE-L", "CIDEr")


def signature():
    return f"pycocoevalcap:{version('pycocoevalcap')}|tok:PTB|refs:all"


def tokenized(hypotheses, references):
    """What the metrics take: dicts from a number to tokenized references and hypotheses."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    texts = (
        {i: [{"caption": _one_line(text)} for text in several] for i, several in enumerate(rows)}
        for rows in (references, [[text] for text in hypotheses])
    )
    with _quiet():
        return tuple(PTBTokenizer().tokenize(rows) for rows in texts)


def score(hypotheses, references, names=NAMES):
    """The metrics in per cent, CIDEr as it is.

    Args:
        hypotheses: List of captions.
        references: For each a list of captions.
        names: Which of `NAMES`.

    Returns:
        Dict from names to numbers, with `"BLEU-1"` to `"BLEU-4"` for `"BLEU"`.
    """
    references, hypotheses = tokenized(hypotheses, references)
    found = {}
    with _quiet():
        for name in names:
            value, _ = _compute(name, references, hypotheses)
            if name == "BLEU":
                found |= {f"BLEU-{n + 1}": 100 * v for n, v in enumerate(value)}
            else:
                found[name] = float(value) * (1 if name == "CIDEr" else 100)
    return found


def with_spread(hypotheses, references, samples=200):
    """The metrics, and half of the 95 % interval of each.

    BLEU by resampling of the images; the others, means over images, by their standard error.

    Returns:
        List of `(name, value, spread)`.
    """
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    references, hypotheses = tokenized(hypotheses, references)
    count, found = len(hypotheses), []
    bleu = BleuScorer()
    for i in range(count):
        bleu += (hypotheses[i][0], references[i])
    rng, drawn = np.random.default_rng(12345), []
    for _ in range(samples):
        chosen = rng.integers(0, count, count)
        other = BleuScorer()
        other.ctest, other.crefs = ([x[i] for i in chosen] for x in (bleu.ctest, bleu.crefs))
        drawn.append(other.compute_score(option="closest")[0])
    widths = np.diff(np.percentile(drawn, [2.5, 97.5], axis=0), axis=0)[0] / 2
    values, _ = bleu.compute_score(option="closest")
    found += [(f"BLEU-{n + 1}", 100 * v, 100 * w) for n, (v, w) in enumerate(zip(values, widths))]
    for name in NAMES[1:]:
        with _quiet():
            value, each = _compute(name, references, hypotheses)
        factor = 1 if name == "CIDEr" else 100
        error = np.std(each, ddof=1) / np.sqrt(count) if count > 1 else 0.0
        found.append((name, factor * float(value), factor * 1.96 * float(error)))
    return found


def _compute(name, references, hypotheses):
    scorer = _scorer(name)
    found = scorer.compute_score(references, hypotheses)
    process = getattr(scorer, "meteor_p", None)
    if process is not None:
        # METEOR leaves its pipes open.
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return found


def _scorer(name):
    if name == "BLEU":
        from pycocoevalcap.bleu.bleu import Bleu

        return Bleu(4)
    if name == "METEOR":
        from pycocoevalcap.meteor.meteor import Meteor

        return Meteor()
    if name == "ROUGE-L":
        from pycocoevalcap.rouge.rouge import Rouge

        return Rouge()
    from pycocoevalcap.cider.cider import Cider

    return Cider()


class CiderReward:
    """CIDEr of single captions, with the document frequencies of all references given.

    Args:
        references: For each image a list of captions.
        with_end: Whether a full stop at the end is a word, which all references have. CIDEr itself
            does not care whether a sentence is finished, and what is trained on it would not.
    """

    def __init__(self, references, with_end=False):
        self._end = " ." if with_end else ""
        from pycocoevalcap.cider.cider_scorer import CiderScorer

        self._scorer = CiderScorer
        self._number = len(references)
        self.references = [
            [_words(caption) + self._end for caption in several] for several in references
        ]
        all_of_them = CiderScorer()
        for several in self.references:
            all_of_them += (several[0], several)
        all_of_them.compute_doc_freq()
        self.frequency = all_of_them.document_frequency

    def __call__(self, rows, hypotheses):
        """The rewards `(n,)` of `n` captions of the images with these numbers."""
        scorer = self._scorer()
        for row, hypothesis in zip(rows, hypotheses):
            end = self._end if hypothesis.rstrip().endswith(".") else ""
            scorer += (_words(hypothesis) + end, self.references[row])
        scorer.document_frequency = self.frequency
        # The scorer takes its length for the number of images that the frequencies are of.
        scorer.crefs = _AsMany(scorer.crefs, self._number)
        return np.array(scorer.compute_cider())


class _AsMany(list):
    def __init__(self, values, length):
        super().__init__(values)
        self._length = length

    def __len__(self):
        return self._length


def _words(caption):
    """As the PTB tokenizer does it, nearly: lower case, without punctuation."""
    return " ".join(re.findall(r"'s\b|\w+(?:-\w+)*", caption.lower()))


def _one_line(text):
    return " ".join(text.split())


@contextlib.contextmanager
def _quiet():
    """Keeps away what the metrics print."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
