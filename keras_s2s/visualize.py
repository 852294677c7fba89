"""Pictures of what models do. Needs matplotlib: `pip install "keras-s2s[visualize]"`."""

import io

import numpy as np

from keras_s2s._optional import import_matplotlib, import_tensorflow
from keras_s2s.preprocessing import image_pixels
from keras_s2s.preprocessing.image_items import as_items

_INCHES = 2.2
_TICK = 0.32
# How dark a picture gets where the attention is 0. Even attention leaves it unchanged.
_MOST_OPAQUE = 0.75


def attention(alignment, image=None, columns=5, title=None):
    """Draws where a model looked for each piece of its output.

    For a text, a matrix with a row for each piece of the output and a column for each piece of the
    source. For an image, one picture for each piece of the output, darkened where the model did not
    look. If a model has several inputs, they stand side by side.

    Args:
        alignment: `keras_s2s.models.Alignment`, from `model.generate(..., return_attention=True)`.
        image: The image, in any form that `generate` takes. Needed if the source is an image.
        columns: Integer, pictures side by side.
        title: String above it all; by default the output.

    Returns:
        `matplotlib.figure.Figure`; `figure.savefig("attention.png")` writes it.

    Raises:
        ValueError: If there is an image for a text, or none for an image.
        ImportError: If matplotlib is missing.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    looked = keras_s2s.models.Alignment(["ein", "Hund"], ["a", "dog"], np.eye(2))
    figure = keras_s2s.visualize.attention(looked)
    figure.savefig("attention.png")
    ```
    """
    is_one = not isinstance(alignment.source_tokens, dict)
    sources = {None: alignment.source_tokens} if is_one else alignment.source_tokens
    weights = {None: alignment.weights} if is_one else alignment.weights
    with_image = any(tokens is None for tokens in sources.values())
    if with_image != (image is not None):
        raise ValueError(
            "`image` must be given where the source is an image, and only there. Received: image="
            f"{'None' if image is None else type(image).__name__}, of a source of "
            + ("image positions (or sound: use `speech`)." if with_image else "text.")
        )
    if title is None:
        title = "".join(alignment.target_tokens[:-1]).replace("▁", " ").strip()
    target = [_shown(piece) for piece in alignment.target_tokens]
    panels = []
    for name, tokens in sources.items():
        if tokens is None:
            panels.append(_ImagePanel(target, _pixels(image), weights[name], columns))
        else:
            tokens = [_shown(piece) for piece in tokens]
            panels.append(_TextPanel(target, tokens, weights[name]))
    size = sum(panel.size[0] for panel in panels), max(panel.size[1] for panel in panels)
    figure = import_matplotlib().figure.Figure(figsize=size, layout="constrained")
    if is_one:
        panels[0].draw(figure)
    else:
        ratios = [panel.size[0] for panel in panels]
        parts = figure.subfigures(1, len(panels), width_ratios=ratios, squeeze=False)[0]
        for part, name, panel in zip(parts, sources, panels):
            panel.draw(part)
            part.supxlabel(name)
    figure.suptitle(title)
    return figure


def speech(alignment, log_mels, seconds_per_frame=0.01, title=None):
    """Draws sound, where a model listened for each piece of its output, and its words.

    Above the spectrogram, with the words where they are said; below a matrix with a row for each
    piece of the output, over the same time.

    Args:
        alignment: `keras_s2s.models.Alignment`, from `model.generate(..., return_attention=True)`.
        log_mels: `(frames, bands)`, the spectrogram, `model.preprocessor.raw.encode(...)`.
        seconds_per_frame: Float, `model.preprocessor.raw.seconds_per_step`.
        title: String above it all; by default the output.

    Returns:
        `matplotlib.figure.Figure`; `figure.savefig("speech.png")` writes it.

    Raises:
        ValueError: If the alignment is not of sound.
        ImportError: If matplotlib is missing.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    times = np.array([[0.1, 0.3], [0.3, 0.4]])
    looked = keras_s2s.models.Alignment(None, ["▁yes", "</s>"], np.eye(2, 5), times)
    figure = keras_s2s.visualize.speech(looked, np.random.normal(size=(40, 80)))
    figure.savefig("speech.png")
    ```
    """
    if alignment.times is None:
        raise ValueError("`alignment` is not of sound: it has no times. Use `attention` for it.")
    log_mels = np.asarray(log_mels)
    seconds = len(log_mels) * seconds_per_frame
    target = [_shown(piece) for piece in alignment.target_tokens]
    if title is None:
        title = "".join(alignment.target_tokens[:-1]).replace("▁", " ").strip()
    heights = 1.8, 0.4 + 0.16 * len(target)
    figure = import_matplotlib().figure.Figure(
        figsize=(max(5, 1.2 + 2 * seconds), sum(heights) + 0.6), layout="constrained"
    )
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    above.imshow(log_mels.T, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, 1))
    above.set_yticks([])
    above.set_ylabel("mel bands")
    for word, begin, end in alignment.words:
        above.axvspan(begin, end, color="white", alpha=0.2, linewidth=0)
        above.text((begin + end) / 2, 1.02, word, ha="center", va="bottom", fontsize="small")
    below.imshow(
        alignment.weights,
        cmap="Greys",
        vmin=0,
        vmax=1,
        aspect="auto",
        extent=(0, seconds, len(target) - 0.5, -0.5),
    )
    below.set_yticks(range(len(target)), target, fontsize="small")
    below.set_xlabel("seconds")
    figure.suptitle(title)
    return figure


class _TextPanel:
    """A matrix with a row for each piece of the output and a column for each piece of a text."""

    def __init__(self, target, source, weights):
        self.target, self.source, self.weights = target, source, weights
        self.size = 1.6 + _TICK * len(source), 1.6 + _TICK * len(target)

    def draw(self, figure):
        axes = figure.add_subplot()
        axes.imshow(self.weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(self.source)), self.source, rotation=90)
        axes.set_yticks(range(len(self.target)), self.target)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)


class _ImagePanel:
    """The image once for each piece of the output, dark where the model did not look."""

    def __init__(self, target, pixels, weights, columns):
        self.target, self.pixels, self.weights = target, pixels, weights
        self.columns = min(columns, len(target) + 1)
        self.rows = -(-(len(target) + 1) // self.columns)
        height, width = pixels.shape[:2]
        row = _INCHES * height / width + 0.3
        self.size = self.columns * _INCHES, self.rows * row + 0.4

    def draw(self, figure):
        height, width = self.pixels.shape[:2]
        all_axes = np.ravel(figure.subplots(self.rows, self.columns, squeeze=False))
        for axes in all_axes:
            axes.set_axis_off()
        all_axes[0].imshow(self.pixels)
        for axes, piece, weights in zip(all_axes[1:], self.target, self.weights):
            axes.imshow(self.pixels)
            dark = np.zeros((*weights.shape, 4))
            dark[..., 3] = _MOST_OPAQUE * (1 - weights / max(weights.max(), 1e-9))
            # Stretch the grid of weights over the whole image, whatever its aspect ratio.
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            axes.imshow(dark, extent=extent, interpolation="bicubic")
            axes.set_title(piece, fontsize="medium")


def _shown(piece):
    return piece.replace("▁", " ").strip() or "␣"


def _pixels(image):
    """The image upright, `(height, width, 3)` uint8."""
    from PIL import Image

    [item], _ = as_items(image, "image")
    value = item.value
    if not isinstance(value, np.ndarray):
        with Image.open(io.BytesIO(value) if isinstance(value, bytes) else value) as file:
            [item], _ = as_items(file, "image")
    pixels = image_pixels.to_rgb(import_tensorflow().convert_to_tensor(item.value))
    return np.asarray(pixels, "uint8")
