"""The initial weights of a captioner's backbone."""

import keras
import numpy as np

from keras_s2s.models import ImageCaptioner
from keras_s2s.recipes.typed_config import RecipeError

# Number of images on which the inputs of a backbone's layers are measured.
_MEASURED = 500


def initialize(model, weights, images, folder):
    """Gives a captioner's backbone the weights that its recipe names.

    Args:
        model: `keras_s2s.models.ImageCaptioner`.
        weights: An .npz below `folder`, or the name or folder of a preset; empty for none.
        images: The training images.
        folder: `pathlib.Path`.

    Raises:
        RecipeError: If the preset has another backbone.
    """
    encoder = model.encoder
    if weights.endswith(".npz"):
        load(encoder.backbone, folder / weights)
        pixels = model.preprocessor.image_converter(images[:_MEASURED])
        measure_batch_normalization(encoder.backbone, np.asarray(encoder.scale(pixels)))
    elif weights:
        other = ImageCaptioner.from_preset(weights).encoder
        if (other.backbone_name, other.image_size) != (encoder.backbone_name, encoder.image_size):
            raise RecipeError(
                f"[data]: 'backbone_weights' = {weights!r} is {other.backbone_name} for images of "
                f"{other.image_size}. Set model.backbone and model.image_size to these."
            )
        encoder.backbone.set_weights(other.backbone.get_weights())


def load(backbone, path):
    """Loads an .npz with arrays `<layer>/<weight>`."""
    with np.load(path, allow_pickle=False) as arrays:
        for layer in backbone.layers:
            names = [v.path.rsplit("/", 1)[-1] for v in layer.weights]
            if names:
                layer.set_weights([arrays[f"{layer.name}/{name}"] for name in names])


def measure_batch_normalization(backbone, pixels, batch_size=8):
    """Gives BatchNormalization layers the statistics of their inputs; results stay the same.

    Weights whose normalisation was folded into the convolutions come with a mean of 0 and a
    variance of 1. The measured values replace them, and scale and offset are changed to match.

    Args:
        backbone: A functional `keras.Model`.
        pixels: Scaled images `(images, height, width, 3)`.
        batch_size: Integer.
    """
    layers = [x for x in backbone.layers if isinstance(x, keras.layers.BatchNormalization)]
    inputs = keras.Model(backbone.inputs, [layer.input for layer in layers])
    sums = [[0.0, 0.0] for _ in layers]
    for start in range(0, len(pixels), batch_size):
        values = inputs.predict_on_batch(pixels[start : start + batch_size])
        for total, x in zip(sums, values):
            x = np.asarray(x, "float64")
            share = len(x) / len(pixels)
            total[0] += share * x.mean(axis=(0, 1, 2))
            total[1] += share * np.square(x).mean(axis=(0, 1, 2))
    for layer, (mean, square) in zip(layers, sums):
        scale, offset, old_mean, old_variance = (
            np.asarray(w, "float64") for w in layer.get_weights()
        )
        variance = np.maximum(square - np.square(mean), 0)
        factor = scale / np.sqrt(old_variance + layer.epsilon)
        offset = offset + factor * (mean - old_mean)
        scale = factor * np.sqrt(variance + layer.epsilon)
        layer.set_weights([scale, offset, mean, variance])
