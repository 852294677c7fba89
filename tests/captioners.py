"""A small captioner, and pictures with two colours which it can learn to name."""

import keras
import numpy as np
from PIL import Image

import keras_s2s
from tests.word_layers import WordDecoder

SIZE = (16, 24)
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 60, 220)}
CAPTIONS = [f"{left} and {right}" for left in COLOURS for right in COLOURS]


def small_captioner(
    attention="bahdanau",
    units=16,
    dropout=0.0,
    target_length=20,
    cell="rnn",
    simple=False,
    **kwargs,
):
    """Not trained yet, with a backbone from 16 x 24 pixels to a grid of 2 x 3.

    With `simple`, the decoder is for what does not depend on it.
    """
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(CAPTIONS, vocabulary_size=17)
    backbone = keras.Sequential(
        [
            keras.Input((*SIZE, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(6, 8, strides=8, activation="relu"),
        ]
    )
    if simple:
        decoder = WordDecoder(17, units)
    else:
        decoder = keras_s2s.layers.RNNDecoder(
            17, units, cell=cell, attention=attention, dropout=dropout
        )
    return keras_s2s.models.ImageCaptioner(
        keras_s2s.layers.ImageEncoder(units, backbone, image_size=SIZE, dropout=dropout),
        decoder,
        keras_s2s.preprocessing.ImageTextPreprocessor(tokenizer, SIZE, target_length=target_length),
        **kwargs,
    )


def tiny_backbone(include_top, weights, input_shape, name):
    """As those of `keras.applications` are, but small."""
    layers = [keras.Input(input_shape)]
    for filters in (8, 16):
        options = {"strides": 4, "use_bias": False, "name": f"convolution_{filters}"}
        layers.append(keras.layers.Conv2D(filters, 4, **options))
        layers.append(keras.layers.BatchNormalization(name=f"normalization_{filters}"))
        layers.append(keras.layers.ReLU(6.0))
    return keras.Sequential(layers, name=name)


# Where `keras_s2s` looks for what scales the pixels of a backbone.
tiny_backbone.__module__ = keras.applications.MobileNet.__module__


def coloured(count, seed=0, size=(60, 40)):
    """PIL images, the left half of one colour and the right of one, and their captions."""
    rng = np.random.default_rng(seed)
    images, captions = [], []
    for _ in range(count):
        names = rng.choice(list(COLOURS), 2)
        pixels = np.zeros((size[1], size[0], 3))
        pixels[:, : size[0] // 2], pixels[:, size[0] // 2 :] = (COLOURS[name] for name in names)
        pixels += rng.normal(0, 10, pixels.shape)
        images.append(Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")))
        captions.append(" and ".join(names))
    return images, captions


def trained_captioner():
    model = small_captioner()
    model.compile(keras.optimizers.Adam(0.02))
    # As arrays: a dataset of images takes a second for each pass.
    x, labels, weights = model.preprocessor(*coloured(96))
    model.fit(x, labels, sample_weight=weights, batch_size=16, epochs=12, verbose=0)
    return model
