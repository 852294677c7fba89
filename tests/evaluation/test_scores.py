"""Every metric against its library, called as its own documentation says."""

import shutil
import sys

import numpy as np
import pytest

from keras_s2s import evaluation
from keras_s2s.evaluation import score
from tests.fewer import chosen
from tests.java import JAVA

HYPOTHESES = ["a dog runs on grass", "two men play", "a man's red hat"]
REFERENCES = [
    ["A dog runs on the grass .", "The dog is running ."],
    ["Two men are playing football .", "Men play ."],
    ["A man with a red hat .", "The man's hat is red ."],
]
FIRST = [several[0] for several in REFERENCES]
METEOR = 43.87788400780375


def values(found):
    return {key: figure.value for key, figure in found.items()}


def test_sacrebleu():
    import sacrebleu

    found = score(HYPOTHESES, REFERENCES, ["chrf", "bleu"])
    streams = list(zip(*REFERENCES))
    assert values(found) == {
        "bleu": sacrebleu.corpus_bleu(HYPOTHESES, streams).score,
        "chrf": sacrebleu.corpus_chrf(HYPOTHESES, streams).score,
    }
    assert found["bleu"].name == "BLEU" and found["bleu"].spread is None
    assert found["bleu"].signature.startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp")


def test_sacrebleu_with_unlike_numbers_of_references():
    uneven = [REFERENCES[0], REFERENCES[1][:1], REFERENCES[2]]
    assert score(HYPOTHESES, uneven)["bleu"].value <= score(HYPOTHESES, REFERENCES)["bleu"].value
    alone = score(HYPOTHESES[1:2], uneven[1:2], "chrf")["chrf"].value
    assert alone == score(HYPOTHESES[1:2], [uneven[1][0]], "chrf")["chrf"].value


def test_rouge():
    from rouge_score import rouge_scorer

    found = score(HYPOTHESES, FIRST, ["rouge"])
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    each = [scorer.score(truth, text) for truth, text in zip(FIRST, HYPOTHESES)]
    expected = {
        key: 100 * np.mean([e[kind].fmeasure for e in each])
        for key, kind in {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}.items()
    }
    assert values(found) == pytest.approx(expected)
    # "a dog runs on grass" against "a dog runs on the grass": 5 words of 5 and of 6.
    assert score(HYPOTHESES[:1], FIRST[:1], "rouge")["rouge_1"].value == pytest.approx(1000 / 11)


def test_best_reference_of_several_counts_for_rouge():
    assert score(["b"], [["a", "b"]], "rouge")["rouge_1"].value == 100


def test_error_rates():
    """Counted by hand: one word of four wrong, and one of two missing."""
    texts, truths = ["a cat sat down", "hello"], ["a dog sat down", "hello there"]
    found = score(texts, truths, ["wer", "cer"])
    assert values(found) == {
        "wer": pytest.approx(100 * 2 / 6),
        "cer": pytest.approx(100 * (3 + 6) / (14 + 11)),
    }
    # What is said where nothing was.
    assert score(["a", "so what"], ["a", ""], "wer")["wer"].value == 200


@JAVA
@pytest.mark.slow
def test_captions():
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    metrics = chosen(
        ["coco_bleu", "coco_rouge", "cider", "meteor"], "coco_bleu", "coco_rouge", "cider"
    )
    found = score(HYPOTHESES, REFERENCES, metrics, 20)
    texts = [
        PTBTokenizer().tokenize({i: [{"caption": t} for t in texts] for i, texts in enumerate(all)})
        for all in (REFERENCES, [[text] for text in HYPOTHESES])
    ]
    expected = {f"coco_bleu_{n + 1}": 100 * v for n, v in enumerate(_first(Bleu(4), texts))}
    expected["coco_rouge"] = 100 * _first(Rouge(), texts)
    expected["cider"] = _first(Cider(), texts)
    if "meteor" in metrics:
        # It takes seconds to start. This is what it said when it was called by itself.
        expected["meteor"] = METEOR
    assert values(found) == pytest.approx(expected)
    # Nobody has four words right in a row in more than one of three.
    assert all(found[key].spread > 0 for key in ("coco_bleu_1", *metrics[1:]))


def _first(scorer, texts):
    try:
        return scorer.compute_score(*texts)[0]
    except TypeError:
        return scorer.compute_score(*texts, verbose=0)[0]


@pytest.mark.slow
@JAVA
def test_reward_of_single_captions_is_the_cider_of_all():
    reward = evaluation.CiderReward(REFERENCES)
    found = reward([0, 1, 2], HYPOTHESES)
    expected = score(HYPOTHESES, REFERENCES, "cider")["cider"].value
    assert found.mean() == pytest.approx(expected, rel=1e-6)
    # One by one and in another order, too.
    np.testing.assert_allclose(reward([2, 0], [HYPOTHESES[2], HYPOTHESES[0]]), found[[2, 0]])


@pytest.mark.thorough
@pytest.mark.slow
@JAVA
def test_reward_of_a_caption_is_its_meteor():
    reward = evaluation.MeteorReward(REFERENCES)([2], HYPOTHESES[2:])
    assert 100 * reward[0] == pytest.approx(
        score(HYPOTHESES[2:], REFERENCES[2:], "meteor")["meteor"].value
    )


@JAVA
def test_meteor_gets_the_words_of_captions(monkeypatch):
    from pycocoevalcap.meteor import meteor

    class Meteor:
        def compute_score(self, references, hypotheses):
            assert references == {0: ["the man 's hat is red"], 1: ["men play"]}
            assert hypotheses == {0: ["a red-hot hat"], 1: ["two men"]}
            return 0.3, [0.4, 0.2]

    monkeypatch.setattr(meteor, "Meteor", Meteor)
    reward = evaluation.MeteorReward(["Men play .", ["The man's hat is red ."]])
    assert reward([1, 0], ["A red-hot hat!", "Two men."]).tolist() == [0.4, 0.2]


def test_weighted_reward():
    references = ["a dog runs", "two cats"]
    texts, rows = ["a dog", "two cats", "no"], [0, 1, 1]
    weighted = evaluation.WeightedReward({"rouge": 0.5, "exact": 2}, references)
    rouge, exact = (evaluation.REWARDS[name](references) for name in ("rouge", "exact"))
    np.testing.assert_allclose(
        weighted(rows, texts), 0.5 * rouge(rows, texts) + 2 * exact(rows, texts)
    )


def test_few_matches_have_a_spread():
    """Some resamplings have none."""
    found = score(["abc", *["x"] * 5], ["abc", *["zzz"] * 5], ["bleu", "chrf"], bootstrap=50)
    assert all(value.spread >= 0 for value in found.values()) and found["chrf"].spread > 0


def test_reward_of_an_end():
    plain = evaluation.CiderReward(REFERENCES)
    with_end = evaluation.CiderReward(REFERENCES, with_end=True)
    unfinished, finished = ["a dog runs on grass"], ["a dog runs on grass ."]
    np.testing.assert_allclose(plain([0], finished), plain([0], unfinished))
    assert with_end([0], finished) > with_end([0], unfinished)


@pytest.mark.parametrize("metric", ["bleu", "chrf", "rouge", "wer", "cer"])
def test_spread_shrinks_with_the_number_of_examples(metric):
    rng = np.random.default_rng(0)
    truths = rng.choice(list("abcdefgh"), (40, 12))
    texts = np.where(rng.random(truths.shape) < rng.random((40, 1)) / 2, "x", truths)
    texts, truths = ([" ".join(row) for row in rows] for rows in (texts, truths))
    few, many = (
        score(texts * n, truths * n, metric, bootstrap=200)[
            "rouge_1" if metric == "rouge" else metric
        ].spread
        for n in (1, 9)
    )
    # Nine times as many examples: a third of the spread.
    assert many == pytest.approx(few / 3, rel=0.3)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((["a"], ["a"], ["bleus"]), ValueError, "no metric 'bleus'. Did you mean 'bleu'"),
        ((["a"], ["a"], ["xyzzy"]), ValueError, "Known: bleu, chrf"),
        ((["a"], ["a", "b"]), ValueError, "1 hypotheses and 2 references"),
        (([], []), ValueError, "nothing to score"),
        ((["a"], [[]]), ValueError, r"`references\[0\]` is empty"),
        ((["a", 1], ["a", "b"]), TypeError, "Element 1 is 1"),
        ((["a"], [[None]]), TypeError, r"references.0.` must hold strings. Element 0 is None"),
        ((["a"], [["a", "b"]], ["wer"]), ValueError, r"`references\[0\]` has 2"),
        ((["a"], [" "], ["cer"]), ValueError, "reference that is not empty"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        score(*arguments)


@pytest.mark.parametrize(
    "metric, module",
    [
        ("bleu", "sacrebleu"),
        ("rouge", "rouge_score"),
        ("wer", "jiwer"),
        ("cider", "pycocoevalcap"),
    ],
)
def test_missing_library_is_told(metric, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"`{module}`.*keras-s2s\[metrics\]"):
        evaluation.require([metric])


def test_missing_java_is_told(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ImportError, match="no `java`.*Install a Java runtime"):
        score(["a"], ["a"], "cider")
