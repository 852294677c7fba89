"""One call for the metrics of all libraries."""

import dataclasses
import difflib

from keras_s2s.evaluation import captions, error_rates, rouge, sacrebleu_metrics
from keras_s2s.evaluation.words import Words, check
from keras_s2s.preprocessing.text import as_references, as_texts

_LIBRARIES = (sacrebleu_metrics, rouge, captions, error_rates)
METRICS = tuple(name for library in _LIBRARIES for name in library.NAMES)
"""What `score` computes."""


@dataclasses.dataclass(frozen=True)
class Score:
    """One figure.

    Attributes:
        name: As people write it, e.g. `"BLEU-4"`.
        value: In per cent, except CIDEr, which is not multiplied by 100.
        signature: Library, version and settings.
        spread: Half of the 95 % interval, or None where it was not asked for.
    """

    name: str
    value: float
    signature: str
    spread: float | None = None


def score(hypotheses, references, metrics=("bleu",), bootstrap=0, tokenize="auto"):
    """Scores generated texts.

    | metrics | library | figures |
    |---|---|---|
    | `bleu`, `chrf` | sacrebleu | BLEU, chrF |
    | `rouge` | rouge-score | ROUGE-1, ROUGE-2, ROUGE-L |
    | `coco_bleu`, `meteor`, `coco_rouge`, `cider` | pycocoevalcap (needs Java) | BLEU-1 to BLEU-4, METEOR, ROUGE-L, CIDEr |
    | `wer`, `cer` | jiwer | WER, CER: the lower, the better |

    What a word is depends on the script of the references, where most metrics count words:

    | references | `bleu`, `rouge` | `wer`, `coco_bleu`, `meteor`, `coco_rouge`, `cider` |
    |---|---|---|
    | Chinese | `"zh"` | `"zh"` |
    | Japanese | `"ja-mecab"`, or `"char"` without `pip install "sacrebleu[ja]"` | as `bleu` |
    | Korean | `"ko-mecab"`, or `"char"` without `pip install "sacrebleu[ko]"` | between blanks |
    | Thai, Lao, Khmer, Burmese, Tibetan | `"char"` | `"char"` |
    | others | `bleu`: `"13a"`; `rouge`: words, in Latin script stemmed as English | between blanks |

    These are sacreBLEU's tokenizers; each signature names the one that was used. With `"char"` a
    word error rate is a character error rate, which `cer` is in all languages.

    Args:
        hypotheses: Texts: a list, an array, a column of a table ...
        references: For each text a reference, or a list of references.
        metrics: Names from the first column of the first table.
        bootstrap: Integer: the spread comes from as many resamplings of the examples (fixed seed);
            0 for none. METEOR, both ROUGE and CIDEr are means over examples, so their spread
            comes from the standard error.
        tokenize: `"auto"` for the table, or the name of a tokenizer of sacreBLEU for all metrics
            that count words.

    Returns:
        Dict from keys such as `"bleu"`, `"rouge_l"` and `"coco_bleu_4"` to `Score`.

    Raises:
        ValueError: If a metric or tokenizer is unknown, the lists differ in length or are empty, or
            a metric of one reference gets several.
        TypeError: If texts are not strings.
        ImportError: If the library of a metric or tokenizer is missing. `pip install
            "keras-s2s[metrics]"`.

    Example:
    ```python
    import keras_s2s

    scores = keras_s2s.evaluation.score(["A dog runs ."], ["A dog runs ."], ["bleu", "wer"])
    assert round(scores["bleu"].value) == 100 and scores["wer"].value == 0
    ```
    """  # noqa: E501
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    require(metrics, tokenize)
    hypotheses, references = _texts(hypotheses, references)
    words = Words.of(references, tokenize)
    scores = {}
    for library in _LIBRARIES:
        wanted = [name for name in library.NAMES if name in metrics]
        if wanted:
            for key, values in library.compute(wanted, hypotheses, references, bootstrap, words):
                scores[key] = Score(**values)
    return scores


def tokenizer(references, tokenize="auto"):
    """The name of the tokenizer by which `score` computes BLEU.

    Args:
        references: As in `score`.
        tokenize: As in `score`.

    Example:
    ```python
    import keras_s2s

    assert keras_s2s.evaluation.tokenizer(["一只狗在跑。"]) == "zh"
    assert keras_s2s.evaluation.tokenizer(["A dog runs."]) == "13a"
    ```
    """
    return Words.of(as_references(references), tokenize).tokenizer


def require(metrics, tokenize="auto"):
    """Raises now what `score` would raise for a metric, before hours of training instead of after.

    Args:
        metrics: Names, see `score`.
        tokenize: As in `score`.

    Raises:
        ValueError: If one is unknown.
        ImportError: If the library of one is missing.
    """
    check(tokenize)
    for name in metrics:
        if name not in METRICS:
            near = difflib.get_close_matches(str(name), METRICS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(METRICS)}."
            raise ValueError(f"There is no metric {name!r}. {hint}")
    for library in _LIBRARIES:
        if set(metrics) & set(library.NAMES):
            library.require()


def _texts(hypotheses, references):
    hypotheses, references = as_texts(hypotheses, "hypotheses"), as_references(references)
    if len(hypotheses) != len(references):
        raise ValueError(
            f"Every hypothesis needs its references. Received {len(hypotheses)} hypotheses and "
            f"{len(references)} references."
        )
    if not hypotheses:
        raise ValueError("There is nothing to score: the list of hypotheses is empty.")
    for i, (text, texts) in enumerate(zip(hypotheses, references)):
        if not isinstance(text, str):
            raise TypeError(
                f"`hypotheses` must hold one text for each example. Element {i} is {text!r}."
            )
        if not texts:
            raise ValueError(f"`references[{i}]` is empty.")
    return hypotheses, references
