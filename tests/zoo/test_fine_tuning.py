"""A shipped preset trains further on new pairs, as it comes."""

import itertools

import pytest

from keras_s2s import zoo

WHO = {"Ein Koch": "A cook", "Eine Ärztin": "A doctor", "Ein Bauer": "A farmer"}
WHAT = {
    "repariert": "repairs",
    "bemalt": "paints",
    "verkauft": "sells",
    "zerlegt": "takes apart",
}
WHICH = {
    "einen Traktor": "a tractor",
    "ein Klavier": "a piano",
    "eine Uhr": "a clock",
    "einen Ofen": "a stove",
}
WHERE = {
    "in der Scheune": "in the barn",
    "auf dem Dachboden": "in the attic",
    "vor dem Rathaus": "in front of the town hall",
    "hinter der Mühle": "behind the mill",
    "neben dem Brunnen": "next to the fountain",
}


def pairs():
    """200 sentences of things that captions of photographs rarely tell."""
    found = []
    for parts in itertools.product(*(d.items() for d in (WHO, WHAT, WHICH, WHERE))):
        found.append(tuple(f"{' '.join(words)}." for words in zip(*parts)))
    return zip(*found[:200])


@pytest.mark.long
@pytest.mark.slow
def test_fit_without_compile():
    sources, targets = map(list, pairs())
    model = zoo.load("translation_multi30k_de_en")
    before = model.evaluate(sources, targets, return_dict=True, verbose=0)
    history = model.fit(sources, targets, verbose=0).history
    after = model.evaluate(sources, targets, return_dict=True, verbose=0)
    assert set(history) == set(before) == {"loss", "perplexity", "token_accuracy"}
    assert after["loss"] < 0.7 * before["loss"]
    assert after["token_accuracy"] > before["token_accuracy"]
