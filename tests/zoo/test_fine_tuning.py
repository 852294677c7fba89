"""A shipped preset trains further on new pairs, as it comes."""

import itertools

import numpy as np
import pytest

import draw_examples
from keras_s2s import zoo
from keras_s2s.models import preset_folders

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


@pytest.mark.thorough
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


def drawings(folder):
    """Paths of twenty drawings with colours of all kinds, and captions in words of their own."""
    paths, captions = [], []
    colours = {"red": (200, 30, 30), "blue": (40, 60, 190), "white": (240, 240, 240)}
    grounds = {"grass": (80, 140, 50), "sand": (220, 200, 150), "snow": (235, 240, 245)}
    combinations = itertools.product(range(6), colours.items(), grounds.items())
    for i, (name, colour), (where, ground) in itertools.islice(combinations, 20):
        scene = draw_examples.Scene(((150, 190, 225), (205, 222, 230)), (ground, ground), 0.4, i)
        scene.person(60 + 40 * i, 200, 100, colour, (30, 30, 40))
        paths.append(folder / f"{name} {where} {i}.jpg")
        scene.finished().save(paths[-1])
        captions.append(f"Somebody in {name} waits on {where} for the postman.")
    return paths, captions


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.slow
def test_captioner_fits_twenty_files(tmp_path):
    paths, captions = drawings(tmp_path)
    history = zoo.load("captioning").fit(paths, captions, batch_size=5, epochs=2, verbose=0).history
    assert set(history) == {"loss", "perplexity", "token_accuracy"}
    assert history["loss"][1] < 0.7 * history["loss"][0]


@pytest.mark.slow
def test_nothing_of_the_backbone_is_what_keras_downloads():
    """Every array was trained further, the normalisation's statistics were measured anew."""
    backbone = zoo.load("captioning").encoder.backbone
    for layer in backbone.layers:
        if hasattr(layer, "moving_mean"):
            assert abs(layer.moving_mean.numpy()).max() > 0, layer.name
            assert abs(layer.moving_variance.numpy() - 1).max() > 0, layer.name


@pytest.mark.slow
def test_the_drawings_of_the_card_are_what_the_tool_draws(tmp_path):
    from PIL import Image

    folder = preset_folders.find("captioning") / "assets" / "examples"
    names = [draw.__name__ for draw in draw_examples.SCENES]
    assert sorted(path.stem for path in folder.iterdir()) == sorted(names)
    for draw in draw_examples.SCENES:
        shipped = Image.open(folder / f"{draw.__name__}.jpg").convert("L").resize((32, 24))
        drawn = draw().convert("L").resize((32, 24))
        assert abs(np.asarray(shipped, "int32") - np.asarray(drawn, "int32")).mean() < 3
