"""One call for the metrics of all libraries."""

import dataclasses
import difflib

from keras_s2s.evaluation import captions, error_rates, rouge, sacrebleu_metrics

_ROOMS = (sacrebleu_metrics, rouge, captions, error_rates)
METRICS = tuple(name for room in _ROOMS for name in room.NAMES)
"""What `score` computes."""


@dataclasses.dataclass(frozen=True)
class Score:
    """One figure.

    Attributes:
        name: As people write it, e.g. `"BLEU-4"`.
        value: In per cent; CIDEr as it is.
        signature: Library, version and settings.
        spread: Half of the 95 % interval, or None where it was not asked for.
    """

    name: str
    value: float
    signature: str
    spread: float | None = None


def score(hypotheses, references, metrics=("bleu",), bootstrap=0):
    """Scores generated texts.

    | metrics | library | figures |
    |---|---|---|
    | `bleu`, `chrf` | sacrebleu | BLEU, chrF |
    | `rouge` | rouge-score | ROUGE-1, ROUGE-2, ROUGE-L |
    | `coco_bleu`, `meteor`, `coco_rouge`, `cider` | pycocoevalcap (needs Java) | BLEU-1 to BLEU-4, METEOR, ROUGE-L, CIDEr |
    | `wer`, `cer` | jiwer | WER, CER: the lower, the better |

    Args:
        hypotheses: List of texts.
        references: For each text a text, or a list of several.
        metrics: Names of the table.
        bootstrap: Integer: the spread comes from as many resamplings of the examples (fixed seed);
            0 for none. METEOR, both ROUGE and CIDEr are means over examples, so that theirs
            comes from the standard error.

    Returns:
        Dict from keys such as `"bleu"`, `"rouge_l"` and `"coco_bleu_4"` to `Score`.

    Raises:
        ValueError: If a metric is unknown, the lists differ in length or are empty, or a metric of
            one reference gets several.
        TypeError: If texts are not strings.
        ImportError: If the library of a metric is missing. `pip install "keras-s2s[metrics]"`.

    Example:
    ```python
    import keras_s2s

    found = keras_s2s.evaluation.score(["A dog runs ."], ["A dog runs ."], ["bleu", "wer"])
    assert round(found["bleu"].value) == 100 and found["wer"].value == 0
    ```
    """  # noqa: E501
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    require(metrics)
    hypotheses, references = _texts(hypotheses, references)
    found = {}
    for room in _ROOMS:
        wanted = [name for name in room.NAMES if name in metrics]
        if wanted:
            for key, values in room.compute(wanted, hypotheses, references, bootstrap):
                found[key] = Score(**values)
    return found


def require(metrics):
    """Raises what `score` would raise because of a metric: before hours of training, not after.

    Args:
        metrics: Names, see `score`.

    Raises:
        ValueError: If one is unknown.
        ImportError: If the library of one is missing.
    """
    for name in metrics:
        if name not in METRICS:
            near = difflib.get_close_matches(str(name), METRICS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(METRICS)}."
            raise ValueError(f"There is no metric {name!r}. {hint}")
    for room in _ROOMS:
        if set(metrics) & set(room.NAMES):
            room.require()


def _texts(hypotheses, references):
    hypotheses, references = list(hypotheses), list(references)
    if len(hypotheses) != len(references):
        raise ValueError(
            f"Every hypothesis needs its references. Received {len(hypotheses)} hypotheses and "
            f"{len(references)} references."
        )
    if not hypotheses:
        raise ValueError("There is nothing to score: the list of hypotheses is empty.")
    references = [[r] if isinstance(r, str) else list(r) for r in references]
    for i, (text, several) in enumerate(zip(hypotheses, references)):
        if not isinstance(text, str) or not all(isinstance(r, str) for r in several):
            raise TypeError(
                f"Texts must be strings. Number {i} is {text!r} with the references {several!r}."
            )
        if not several:
            raise ValueError(f"`references[{i}]` is empty.")
    return hypotheses, references
