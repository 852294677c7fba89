"""Images in all the forms in which people have them."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

from keras_s2s.preprocessing import ImageConverter
from keras_s2s.preprocessing.image_items import as_items
from tests.pictures import encoded, expected, picture, turned

tf = pytest.importorskip("tensorflow")
SIZE = (32, 40)


@pytest.fixture(scope="module")
def converter():
    return ImageConverter(SIZE)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    picture().save(path)
    return path


def close(found, reference):
    return np.abs(np.asarray(found) - reference).mean() < 1


@pytest.mark.slow
def test_every_form_of_an_image_gives_the_same(converter, path):
    pixels = np.asarray(picture())
    forms = [
        str(path),
        path,
        path.read_bytes(),
        pixels,
        pixels.astype("float32"),
        pixels.astype("int64"),
        tf.constant(pixels),
        tf.constant(path.read_bytes()),
        tf.constant(str(path)),
        picture(),
        keras.ops.convert_to_tensor(pixels),
    ]
    reference = expected(picture(), SIZE)
    for form in forms:
        found = converter(form)
        assert found.shape == (*SIZE, 3) and found.dtype == tf.float32
        assert close(found, reference), type(form)
    # As bytes or as pixels, nothing is rounded on the way.
    found = np.asarray(converter(forms))
    assert found.shape == (len(forms), *SIZE, 3)
    np.testing.assert_allclose(found, np.broadcast_to(found[:1], found.shape), atol=1e-3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_modes_of_pillow(mode, converter):
    image = picture().convert(mode)
    assert close(converter(image), expected(image, SIZE))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_channels_of_arrays(mode, converter):
    image = picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image = image.convert(mode)
    assert close(converter(np.asarray(image)), expected(image, SIZE))


def test_pillow_images_are_turned_too(converter):
    image = Image.open(io.BytesIO(turned(6)))
    assert close(converter(image), expected(turned(6), SIZE))


@pytest.mark.slow
def test_batches(converter, path):
    pixels = np.stack([np.asarray(picture(seed=seed)) for seed in range(3)])
    batch = np.asarray(converter(pixels))
    for row, image in zip(batch, pixels):
        np.testing.assert_allclose(row, np.asarray(converter(image)), atol=1e-4)
    paths = np.array([str(path)] * 2)
    assert converter(paths).shape == (2, *SIZE, 3)
    assert converter(tf.constant(paths)).shape == (2, *SIZE, 3)
    assert converter([]).shape == (0, *SIZE, 3)


@pytest.mark.slow
def test_same_in_a_graph_on_strings_and_pixels(converter, path):
    graph = tf.function(converter, autograph=False)
    contents = path.read_bytes()
    reference = np.asarray(converter(contents))
    np.testing.assert_allclose(graph(tf.constant(contents)), reference, atol=1e-4)
    np.testing.assert_allclose(graph(tf.constant([contents, str(path)]))[1], reference, atol=1e-4)
    np.testing.assert_allclose(graph(tf.constant(np.asarray(picture()))), reference, atol=1e-4)


def test_pixels_of_the_right_size_stay_as_they_are(converter):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype("float32")
    np.testing.assert_array_equal(converter(pixels), pixels)


@pytest.mark.slow
def test_paths_are_no_business_of_a_server(converter, path):
    with pytest.raises(tf.errors.InvalidArgumentError, match="no JPEG"):
        converter.convert(tf.constant([str(path)]), paths=False)


def test_config_round_trip():
    config = keras.saving.serialize_keras_object(ImageConverter((5, 7)))
    assert keras.saving.deserialize_keras_object(config).image_size == (5, 7)


@pytest.mark.parametrize(
    "images, error, message",
    [
        (None, TypeError, "`images` must be an image or a list.*None"),
        (3, TypeError, "`images` must be an image or a list.*3"),
        ({"a": 1}, TypeError, "`images` must be"),
        ([3], TypeError, r"`images\[0\]` must be the path.*3 \(int\)"),
        ([np.zeros((4, 4)), None], TypeError, r"`images\[1\]`.*None"),
        (np.zeros((4, 4, 5)), ValueError, r"1 \(grey\).*channels last.*\(4, 4, 5\)"),
        (np.zeros((3, 40, 50)), ValueError, r"channels last.*\(3, 40, 50\)"),
        (np.zeros((0, 4, 3)), ValueError, r"\(0, 4, 3\)"),
        (np.zeros((2, 2, 4, 4, 3)), ValueError, r"\(2, 2, 4, 4, 3\)"),
        (np.full((4, 4, 3), np.nan), ValueError, "`images` must hold pixels in 0..255.*nan"),
        ([np.full((4, 4, 3), -1)], ValueError, r"`images\[0\]`.*0\.\.255.*-1"),
        (np.full((4, 4, 3), 256), ValueError, r"0\.\.255.*256"),
        (np.full((4, 4, 3), 0.5), ValueError, "scaled to 0..1. Multiply by 255"),
        (np.zeros((4, 4, 3), bool), TypeError, "numbers.*bool"),
        (np.zeros((4, 4, 3), complex), TypeError, "numbers.*complex"),
        ("nowhere.jpg", FileNotFoundError, "`images`: there is no file 'nowhere.jpg'"),
        (
            [b"A text"],
            ValueError,
            r"`images\[0\]` is neither the contents nor the path of a JPEG.*b'A text'",
        ),
    ],
)
def test_bad_images(images, error, message, converter):
    with pytest.raises(error, match=f"(?s){message}"):
        converter(images)


def test_files_that_are_no_images_are_told_before_any_is_read(tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("A text.")
    with pytest.raises(ValueError, match=r"`images\[1\]`: the file .*text.jpg.* is no JPEG"):
        as_items([picture(), text])


@pytest.mark.parametrize("size", [224, (0, 3), (2.5, 3), (1, 2, 3)])
def test_bad_sizes(size):
    with pytest.raises(ValueError, match="`image_size` must be two positive integers"):
        ImageConverter(size)


@pytest.mark.slow
def test_truncated_file_is_named(tmp_path, converter):
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(encoded(picture(), "JPEG"))
    bad.write_bytes(good.read_bytes()[:900])
    with pytest.raises(ValueError, match="bad.jpg' cannot be read .900 bytes.*cut short.*Replace"):
        converter([good, bad])
