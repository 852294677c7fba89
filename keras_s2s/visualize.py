"""Pictures of what models do. Needs matplotlib: `pip install "keras-s2s[visualize]"`."""

import io

import numpy as np

from keras_s2s._optional import import_matplotlib, import_tensorflow
from keras_s2s.preprocessing import image_pixels
from keras_s2s.preprocessing.image_items import as_items

_INCHES = 2.2
_TICK = 0.32
# Where the attention is even, the picture stays as it is.
_MOST_OPAQUE = 0.75


def attention(alignment, image=None, columns=5, title=None):
    """Draws where a model looked for each piece of its output.

    Of a text a matrix, with a row for each piece of the output and a column for each of the source.
    Of an image one picture for each piece, darkened where the model did not look.

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
    if (alignment.source_tokens is None) != (image is not None):
        raise ValueError(
            "`image` must be given where the source is an image, and only there. Received: image="
            f"{'None' if image is None else type(image).__name__}, of a source of "
            + ("image positions." if alignment.source_tokens is None else "text.")
        )
    if title is None:
        title = "".join(alignment.target_tokens[:-1]).replace("▁", " ").strip()
    if image is None:
        return _of_text(alignment, title)
    return _of_image(alignment, _pixels(image), columns, title)


def _of_text(alignment, title):
    target, source = (
        [_shown(piece) for piece in pieces]
        for pieces in (alignment.target_tokens, alignment.source_tokens)
    )
    size = (1.6 + _TICK * len(source), 1.6 + _TICK * len(target))
    figure = import_matplotlib().figure.Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(alignment.weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90)
    axes.set_yticks(range(len(target)), target)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    figure.suptitle(title)
    return figure


def _of_image(alignment, pixels, columns, title):
    pieces = [_shown(piece) for piece in alignment.target_tokens]
    columns = min(columns, len(pieces) + 1)
    rows = -(-(len(pieces) + 1) // columns)
    height, width = pixels.shape[:2]
    size = (columns * _INCHES, rows * (_INCHES * height / width + 0.3) + 0.4)
    figure = import_matplotlib().figure.Figure(figsize=size, layout="constrained")
    all_axes = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes in all_axes:
        axes.set_axis_off()
    all_axes[0].imshow(pixels)
    for axes, piece, weights in zip(all_axes[1:], pieces, alignment.weights):
        axes.imshow(pixels)
        dark = np.zeros((*weights.shape, 4))
        dark[..., 3] = _MOST_OPAQUE * (1 - weights / max(weights.max(), 1e-9))
        # The grid covers the whole image, whatever its aspect ratio.
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        axes.imshow(dark, extent=extent, interpolation="bicubic")
        axes.set_title(piece, fontsize="medium")
    figure.suptitle(title)
    return figure


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
