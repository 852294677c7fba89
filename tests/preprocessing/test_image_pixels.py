"""The rule for pixels, which is the same for arrays, in graphs and in `tf.data`."""

import numpy as np
import pytest

from keras_s2s.preprocessing import ImageConverter
from tests.fewer import chosen
from tests.other_backend import skip_unless_installed

tf = pytest.importorskip("tensorflow")
SIZE = (4, 6)
GOOD = np.full((*SIZE, 3), 7.0, "float32")


def changed(value, channel=0):
    image = GOOD.copy()
    image[1, 2, channel] = value
    return image


def rgba(colours, alpha):
    return np.stack([np.full(SIZE, colours, "float32")] * 3 + [np.full(SIZE, alpha, "float32")], -1)


@pytest.fixture(scope="module")
def converter():
    return ImageConverter(SIZE)


BAD = {
    "nan": (changed(np.nan), "0..255. Received: nan"),
    "infinite": (changed(np.inf), "0..255. Received: values from 7 to inf"),
    "negative": (changed(-1), "0..255. Received: values from -1 to 7"),
    "above": (changed(255.5), "0..255. Received: values from 7 to 255.5"),
    "int64": (changed(256).astype("int64"), "from 7 to 256. Pixels of 16 bits must be uint16"),
    "int8": (changed(-3).astype("int8"), "0..255. Received: values from -3 to 7"),
    "scaled": (GOOD / 255, "scaled to 0..1. Multiply by 255"),
    "scaled binary": (np.eye(6, dtype="float16")[:4, :, None], "scaled to 0..1"),
    "scaled bfloat16": (tf.cast(GOOD / 255, "bfloat16"), "scaled to 0..1"),
    "scaled colours": (rgba(0.5, 255), "scaled to 0..1"),
    "scaled alpha": (rgba(0, 0.5), "scaled to 0..1"),
    "8 of 16 bits": (GOOD.astype("uint16"), "hold pixels of 8 bits. Cast it to uint8"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", chosen(BAD, "nan", "above", "scaled", "8 of 16 bits"))
def test_bad_pixels_are_refused_everywhere(name, converter):
    image, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        converter(image)
    image = tf.convert_to_tensor(image)
    black = tf.zeros_like(image)
    batch = tf.stack([black, image, image])
    with pytest.raises(ValueError, match=rf"`images\[1\]`.*{message}"):
        converter(batch)
    batches = tf.data.Dataset.from_tensors(batch).map(converter.convert)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"image number 1 of the batch.*{message}"
    ):
        next(iter(batches))
    single = tf.data.Dataset.from_tensors(image).map(lambda x: converter.convert(x, "x[7]"))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"image x\[7\].*{message}"):
        next(iter(single))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint16", "float16", "float64"])
def test_black_is_black_in_every_range(dtype, converter):
    black = np.zeros((2, 9, 8, 3), dtype)
    assert not np.asarray(converter(black)).any()
    assert not np.asarray(tf.function(converter.convert)(tf.constant(black))).any()


def test_dark_integers_are_what_they_say(converter):
    dark = np.ones((*SIZE, 3), "uint8") * 2
    np.testing.assert_array_equal(converter(dark), dark)
    np.testing.assert_array_equal(converter(dark.astype("int64")), dark)


def test_what_comes_out_can_go_in(converter):
    """Also a picture that is nearly black once it is smaller."""
    dark = np.zeros((80, 60, 3), "uint8")
    dark[40, 30] = 30
    once = converter(dark)
    np.testing.assert_array_equal(converter(once), once)


WRONG = {
    "channels first": ((3, 40, 50), ValueError, "moveaxis"),
    "grey batch": ((8, 40, 50), ValueError, r"images\[\.\.\., None\]"),
    "five channels": ((4, 4, 5), ValueError, "channels last"),
}


@pytest.mark.parametrize("name", WRONG)
def test_shapes_are_refused_with_the_fix(name, converter):
    shape, error, message = WRONG[name]
    for convert in (converter, tf.function(converter.convert)):
        with pytest.raises(error, match=message):
            convert(tf.zeros(shape, "uint8"))


def test_truth_values_are_refused_with_the_fix(converter):
    for convert in (converter, tf.function(converter.convert)):
        with pytest.raises(TypeError, match="bool. Multiply by 255"):
            convert(tf.zeros((4, 4, 3), "bool"))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_channels_that_are_known_late(channels, converter):
    spec = [tf.TensorSpec([None, None, None], tf.uint8)]
    graph = tf.function(converter.convert, input_signature=spec)
    image = np.random.default_rng(0).integers(0, 256, (9, 8, channels)).astype("uint8")
    if channels == 5:
        with pytest.raises(tf.errors.InvalidArgumentError, match="Received: 5 channels"):
            graph(image)
    else:
        np.testing.assert_allclose(graph(image), converter(image), atol=1e-3)


def test_unknown_ranks_are_refused_with_the_fix(converter):
    with pytest.raises(ValueError, match="expand_animations=False"):
        tf.function(converter.convert, input_signature=[tf.TensorSpec(None)])(1.0)


@pytest.mark.slow
def test_ragged_batches(converter):
    images = [np.full((h, w, 3), h, "uint8") for h, w in ((5, 9), (8, 3))]
    ragged = tf.ragged.stack([tf.constant(image) for image in images])
    expected = np.asarray(converter(images))
    np.testing.assert_array_equal(converter(ragged), expected)
    np.testing.assert_array_equal(tf.function(converter.convert)(ragged), expected)
    uneven = tf.ragged.stack(
        [tf.ragged.constant([[[1], [2]], [[3]]], ragged_rank=1, dtype="uint8")]
    )
    with pytest.raises(ValueError, match=r"images\[0\].*equally wide"):
        converter(uneven)


@pytest.mark.slow
def test_tensors_of_pytorch(converter):
    skip_unless_installed("torch")
    import torch

    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype("uint8")
    tensor = torch.tensor(image)
    for form in (tensor, tensor.float().requires_grad_(), tensor.to(torch.bfloat16)):
        np.testing.assert_allclose(converter(form), converter(image), atol=1e-3)
