"""Pictures of attention: what is drawn where."""

import sys

import numpy as np
import pytest

from keras_s2s import visualize
from keras_s2s.models import Alignment
from tests.pictures import encoded, picture, turned

pytest.importorskip("matplotlib")


def of_text():
    weights = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]])
    return Alignment(["▁ein", "▁Hund", "</s>"], ["▁a", "</s>"], weights)


def of_image(pieces=4):
    weights = np.zeros((pieces, 2, 3))
    weights[np.arange(pieces), 1, np.arange(pieces) % 3] = 1
    return Alignment(None, [f"▁{i}" for i in range(pieces - 1)] + ["</s>"], weights)


def test_text_is_a_matrix():
    figure = visualize.attention(of_text())
    [axes] = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["ein", "Hund", "</s>"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "</s>"]
    np.testing.assert_array_equal(axes.images[0].get_array(), of_text().weights)
    assert figure.get_suptitle() == "a"


@pytest.mark.parametrize(
    "image",
    [
        picture(60, 40),
        np.asarray(picture(60, 40)),
        encoded(picture(60, 40), "PNG"),
        np.zeros((40, 60)),
    ],
    ids=["pillow", "array", "bytes", "grey"],
)
def test_image_is_dark_where_nobody_looked(image):
    figure = visualize.attention(of_image(), image, columns=3)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["", "0", "1", "2", "</s>"]
    assert shown[0].images[0].get_array().shape[:2] == (40, 60)
    for i, axes in enumerate(shown[1:]):
        pixels, dark = axes.images
        # The grid lies over the whole image.
        np.testing.assert_allclose(dark.get_extent(), pixels.get_extent())
        opaque = np.asarray(dark.get_array())[..., 3]
        assert opaque[1, i % 3] == 0 and (opaque > 0.5).sum() == 5


def test_is_drawn_as_it_is_seen(tmp_path):
    """The brightest cell of the drawing is the one that was looked at."""
    from PIL import Image

    white = np.full((40, 60, 3), 255, "uint8")
    figure = visualize.attention(of_image(2), white, title="")
    figure.savefig(tmp_path / "attention.png", dpi=100)
    drawn = np.asarray(Image.open(tmp_path / "attention.png").convert("L"), "float32")
    axes = figure.axes[1]
    box = axes.get_window_extent()
    height = drawn.shape[0]
    cells = drawn[int(height - box.y1) : int(height - box.y0), int(box.x0) : int(box.x1)]
    means = [
        [part.mean() for part in np.array_split(rows, 3, axis=1)]
        for rows in np.array_split(cells, 2)
    ]
    assert np.argmax(means) == 3  # second row, first column
    assert means[1][0] > 1.5 * means[0][2]


def test_files_are_upright(tmp_path):
    path = tmp_path / "turned.jpg"
    path.write_bytes(turned(6))
    figure = visualize.attention(of_image(), path)
    assert figure.axes[0].images[0].get_array().shape == (160, 120, 3)


def test_image_or_no_image():
    with pytest.raises(ValueError, match="`image` must be given where the source is an image"):
        visualize.attention(of_image())
    with pytest.raises(ValueError, match="source of text"):
        visualize.attention(of_text(), picture())


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"keras-s2s\[visualize\]"):
        visualize.attention(of_text())


def of_sound():
    times = np.array([[0.1, 0.2], [0.2, 0.4], [0.6, 0.8], [0.8, 0.8]])
    return Alignment(None, ["▁ye", "s", "▁no", "</s>"], np.eye(4, 10), times)


def test_sound_is_a_spectrogram_above_a_matrix():
    log_mels = np.random.default_rng(0).normal(size=(80, 20))
    figure = visualize.speech(of_sound(), log_mels)
    above, below = figure.axes
    np.testing.assert_array_equal(above.images[0].get_array(), log_mels.T)
    assert above.images[0].get_extent() == pytest.approx([0, 0.8, 0, 1])
    assert [(text.get_text(), text.get_position()[0]) for text in above.texts] == [
        ("yes", pytest.approx(0.25)),
        ("no", pytest.approx(0.7)),
    ]
    np.testing.assert_array_equal(below.images[0].get_array(), of_sound().weights)
    assert [t.get_text() for t in below.get_yticklabels()] == ["ye", "s", "no", "</s>"]
    assert figure.get_suptitle() == "yes no"
    with pytest.raises(ValueError, match="is not of sound: it has no times"):
        visualize.speech(of_text(), log_mels)
