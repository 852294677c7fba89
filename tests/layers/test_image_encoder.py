import keras
import numpy as np
import pytest
from keras import ops

from keras_s2s.layers import Bridge, ImageEncoder
from tests.fewer import chosen
from tests.layers.helpers import gradients, numpy, random, randomize

SIZE, UNITS, CHANNELS = (8, 12), 5, 3


def small_backbone(normalize=True):
    """From 8 x 12 pixels to a grid of 2 x 3."""
    layers = [keras.Input((*SIZE, 3)), keras.layers.Rescaling(1 / 255)]
    layers.append(keras.layers.Conv2D(CHANNELS, 4, strides=4))
    if normalize:
        layers.append(keras.layers.BatchNormalization())
    return keras.Sequential(layers)


def small_encoder(**kwargs):
    normalize = kwargs.pop("normalize", True)
    encoder = ImageEncoder(UNITS, small_backbone(normalize), image_size=SIZE, **kwargs)
    encoder.build()
    return randomize(encoder)


def images(batch=2, seed=0):
    shape = (batch, *SIZE, 3)
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def test_memory_is_the_projected_grid_with_positions():
    """The equations in NumPy, from the features on."""
    encoder = small_encoder()
    memory = numpy(encoder(images()))
    features = numpy(encoder.backbone(images().astype("float32"), training=False))
    kernel, bias = (numpy(w) for w in (encoder.projection.kernel, encoder.projection.bias))
    rows, columns = numpy(encoder.row_position), numpy(encoder.column_position)
    assert encoder.grid == (2, 3) and memory["values"].shape == (2, 6, UNITS)
    for row in range(2):
        for column in range(3):
            expected = np.maximum(features[:, row, column] @ kernel + bias, 0)
            expected = expected + rows[row, 0] + columns[column]
            found = memory["values"][:, 3 * row + column]
            np.testing.assert_allclose(found, expected, atol=1e-5)
    assert memory["mask"].dtype == bool and memory["mask"].all()
    np.testing.assert_allclose(memory["state"][0][0], memory["values"].mean(1), atol=1e-6)


def test_features_stand_in_for_images():
    encoder = small_encoder()
    features = encoder.features(images())
    assert tuple(features.shape[1:]) == encoder.feature_shape == (2, 3, CHANNELS)
    got, expected = numpy(encoder(features)), numpy(encoder(images()))
    np.testing.assert_allclose(got["values"], expected["values"], atol=1e-6)


def test_an_image_is_the_same_alone_and_in_a_batch_of_floats():
    encoder = small_encoder()
    together = numpy(encoder(images(3).astype("float32")))
    alone = numpy(encoder(images(3)[1:2]))
    np.testing.assert_allclose(together["values"][1:2], alone["values"], atol=1e-5)


@pytest.mark.every_backend
def test_pixels_are_scaled_before_they_become_16_bits_wide():
    encoder = small_encoder(normalize=False, dtype="mixed_bfloat16")
    full = small_encoder(normalize=False)
    full.set_weights(encoder.get_weights())
    got, expected = numpy(encoder(images())), numpy(full(images()))
    assert encoder(images())["values"].dtype == ops.cast(0, "bfloat16").dtype
    np.testing.assert_allclose(got["values"], expected["values"], atol=0.05)


@pytest.mark.parametrize("trainable", [False, True])
def test_frozen_backbone_gets_no_gradient(trainable):
    encoder = small_encoder()
    encoder.backbone.trainable = trainable
    of_backbone = {v.path for v in encoder.backbone.trainable_variables}
    assert bool(of_backbone) == trainable
    variables = encoder.trainable_variables
    _, found = gradients(
        lambda: ops.sum(ops.square(encoder(images(), training=True)["values"])), variables
    )
    assert len(variables) == (8 if trainable else 4)
    for variable, gradient in zip(variables, found):
        # What is normalised does not depend on what is added before.
        assert gradient is not None and np.any(gradient), variable.path


@pytest.mark.every_backend
@pytest.mark.parametrize("batch_statistics", [False, True])
def test_batch_normalization_in_training(batch_statistics):
    encoder = small_encoder(batch_statistics=batch_statistics)
    [layer] = [x for x in encoder.backbone.layers if hasattr(x, "moving_mean")]
    before = numpy(layer.moving_mean)
    in_training = numpy(encoder(images(), training=True)["values"])
    changed = not np.array_equal(numpy(layer.moving_mean), before)
    assert changed == batch_statistics
    layer.moving_mean.assign(before)
    same = np.allclose(in_training, numpy(encoder(images())["values"]), atol=1e-5)
    assert same != batch_statistics
    # Frozen, Keras's layer keeps still in any case.
    layer.trainable = False
    encoder(images(), training=True)
    np.testing.assert_array_equal(numpy(layer.moving_mean), before)


@pytest.mark.every_backend
def test_augmentation_is_for_training_alone():
    encoder = small_encoder(augmentation=keras.layers.RandomFlip("horizontal", seed=1))
    plain = numpy(encoder(images())["values"])
    mirrored = numpy(encoder(images()[:, :, ::-1])["values"])
    found = [numpy(encoder(images(), training=True)["values"]) for _ in range(8)]
    kinds = set()
    for values in found:
        for row, value in enumerate(values):
            is_plain = np.allclose(value, plain[row], atol=1e-5)
            assert is_plain or np.allclose(value, mirrored[row], atol=1e-5)
            kinds.add(is_plain)
    assert kinds == {False, True}


def test_dropout_is_for_training_alone():
    encoder = small_encoder(dropout=0.5)
    once, twice = (numpy(encoder(images(), training=True)["values"]) for _ in range(2))
    assert not np.allclose(once, twice)
    np.testing.assert_array_equal(*(numpy(encoder(images())["values"]) for _ in range(2)))


def test_starts_every_bridge():
    memory = small_encoder()(images())
    [[h]] = Bridge("copy", [[UNITS]])(memory)
    np.testing.assert_array_equal(numpy(h), numpy(memory["state"][0][0]))
    [[h, c]] = Bridge("dense", [[4, 4]])(memory)
    assert h.shape == c.shape == (2, 4)


def test_config_round_trip():
    encoder = small_encoder(
        dropout=0.25, batch_statistics=True, augmentation=keras.layers.RandomFlip()
    )
    again = ImageEncoder.from_config(encoder.get_config())
    again.build()
    again.set_weights(encoder.get_weights())
    assert (again.dropout, again.batch_statistics, again.image_size) == (0.25, True, SIZE)
    assert isinstance(again.augmentation, keras.layers.RandomFlip)
    np.testing.assert_array_equal(
        numpy(again(images())["values"]), numpy(encoder(images())["values"])
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_backbone_by_name():
    """Pixels are scaled as `keras.applications` documents it for each model."""
    encoder = ImageEncoder(UNITS, "MobileNetV2", weights=None, image_size=(32, 64))
    assert encoder.grid == (1, 2) and encoder.batch_statistics
    pixels = random(1, 32, 64, 3) * 50 + 100
    expected = encoder.backbone(pixels / 127.5 - 1, training=False)
    np.testing.assert_allclose(
        numpy(encoder.features(pixels)), numpy(expected), atol=1e-4, rtol=1e-4
    )
    config = encoder.get_config()
    # Weights come from the file that the config came from, never from the net.
    assert (config["backbone"], config["weights"]) == ("MobileNetV2", None)
    assert not ImageEncoder.from_config({**config, "batch_statistics": False}).batch_statistics


# Millions of parameters.
PUBLISHED = {"EfficientNetLite0": 4.7, "EfficientNetLite2": 6.1, "EfficientNetLite4": 13.0}


def test_every_model_has_its_scaling():
    from keras_s2s.layers import _image_models

    pixels = np.full((1, 1, 1, 3), 255.0, "float32")
    highest = {
        name: float(numpy(ops.max(_image_models.scaling(name)(ops.convert_to_tensor(pixels)))))
        for name in _image_models.names()
    }
    assert len(highest) > 30
    assert highest["MobileNetV2"] == highest["InceptionV3"] == 1
    assert highest["EfficientNetB0"] == highest["MobileNetV3Small"] == 255
    assert highest["ResNet50"] == pytest.approx(255 - 103.939)
    assert highest["EfficientNetLite2"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", chosen(PUBLISHED, "EfficientNetLite2"))
def test_efficientnet_lite(name):
    """With as many parameters as Google publishes, their classifier of 1,000 classes left out."""
    encoder = ImageEncoder(UNITS, name, weights=None, image_size=(32, 64))
    assert encoder.grid == (1, 2)
    backbone = encoder.backbone
    parameters = sum(v.numpy().size for v in backbone.trainable_variables) + 1_281_000
    assert round(parameters / 1e6, 1) == PUBLISHED[name]
    again = ImageEncoder.from_config(encoder.get_config())
    assert [v.shape for v in again.weights] == [v.shape for v in encoder.weights]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "`units` must be an int, at least 1.*: 0"),
        ({"dropout": 1}, "dropout"),
        ({"backbone": "MobilNetV2"}, "MobilNetV2.*Did you mean.*MobileNetV2"),
        ({"backbone": None}, "`backbone` must be a `keras.Model` or the name"),
        ({"image_size": 224}, "image_size.*224"),
        ({"image_size": (0, 8)}, "image_size"),
        ({"image_size": (2, 2)}, "cannot be applied to images of shape"),
        (
            {"backbone": "EfficientNetLite2"},
            "no weights of EfficientNetLite2 to download.*weights=",
        ),
        ({"weights": "x.h5"}, "`weights` is for a backbone given by name.*x.h5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ImageEncoder(**{"units": 4, "backbone": small_backbone(), "image_size": SIZE, **arguments})


def test_backbone_that_gives_no_grid():
    flat = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match="must give a grid.*include_top=False"):
        ImageEncoder(4, flat, image_size=SIZE)


@pytest.mark.every_backend
@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (1, 8, 12, 1), (1, 2, 3, 4), (8, 12, 3)])
def test_images_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"\(batch, 8, 12, 3\).*features of \(batch, 2, 3, 3\)"):
        small_encoder()(np.zeros(shape, "float32"))


@pytest.mark.every_backend
@pytest.mark.parametrize("value", [np.nan, -1.0, 256.0, 0.5])
def test_pixels_out_of_their_range(value):
    bad = images(3).astype("float32")
    bad[1] = value
    with pytest.raises(ValueError, match=r"0\.\.255.*scaled.*Multiply by 255.* 1\b"):
        small_encoder()(bad)


def test_weights_that_cannot_be_downloaded(monkeypatch):
    def refuse(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org: offline")

    monkeypatch.setattr(keras.applications, "MobileNetV2", refuse)
    with pytest.raises(OSError, match="could not download.*MobileNetV2.*weights=<path"):
        ImageEncoder(4)
