"""One picture gives the same pixels in every form in which people have it."""

import functools
import io
import os

import numpy as np
import pytest
from PIL import Image

from keras_s2s.preprocessing import ImageTextPreprocessor
from keras_s2s.serving.allowed_ops import ALLOWED_OPS
from tests.fewer import chosen
from tests.pictures import encoded, picture, turned

tf = pytest.importorskip("tensorflow")
SIZE = (12, 16)
RGB = picture(SIZE[1], SIZE[0])
GREY_16 = np.arange(12 * 16, dtype="uint16").reshape(SIZE) * 341


def exif(orientation=6):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def with_alpha(mode="RGBA"):
    image = RGB.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(RGB.size))
    return image.convert(mode)


def palette():
    return RGB.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)


def deep(channels):
    """A PNG file of 16 bits a channel, and its pixels."""
    pixels = np.stack([GREY_16, GREY_16[::-1], GREY_16[:, ::-1], GREY_16.T.reshape(SIZE)], axis=-1)
    return tf.io.encode_png(pixels[..., :channels]).numpy()


def late_exif():
    """A PNG file whose Exif data follow the pixels."""
    contents = encoded(RGB.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif())
    start = contents.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(contents[start : start + 4], "big")
    return contents[:start] + contents[end:-12] + contents[start:end] + contents[-12:]


def on_side(kind, **options):
    return encoded(RGB.transpose(Image.Transpose.ROTATE_90), kind, exif=exif(), **options)


FILES = {
    "png": encoded(RGB, "PNG"),
    "grey": encoded(RGB.convert("L"), "PNG"),
    "black and white": encoded(RGB.convert("1"), "PNG"),
    "palette": encoded(palette(), "PNG", bits=2),
    "transparent palette": encoded(palette(), "PNG", bits=2, transparency=1),
    "grey alpha": encoded(with_alpha("LA"), "PNG"),
    "alpha": encoded(with_alpha(), "PNG"),
    "transparent colour": encoded(RGB, "PNG", transparency=RGB.getpixel((3, 3))),
    "16 bits grey": deep(1),
    "16 bits grey alpha": deep(2),
    "16 bits": deep(3),
    "16 bits alpha": deep(4),
    "16 bits transparent": encoded(Image.fromarray(GREY_16), "PNG", transparency=341 * 9),
    "png on its side": on_side("PNG"),
    "png with late exif": late_exif(),
    "webp": encoded(RGB, "WEBP", lossless=True),
    "webp alpha": encoded(with_alpha(), "WEBP", lossless=True, exact=True),
    "webp on its side": on_side("WEBP", lossless=True),
    "webp lossy": encoded(RGB, "WEBP"),
    "gif": encoded(RGB, "GIF"),
    "gif transparent": encoded(palette(), "GIF", transparency=1),
    "jpeg": encoded(RGB, "JPEG", quality=95),
    "jpeg grey": encoded(RGB.convert("L"), "JPEG", quality=95),
    "jpeg cmyk": encoded(RGB.convert("CMYK"), "JPEG", quality=95),
    "jpeg on its side": turned(6, RGB.transpose(Image.Transpose.ROTATE_90)),
}
# Decoders of lossy files round in ways of their own.
TOLERANCE = {"webp lossy": 4, "jpeg": 3, "jpeg grey": 3, "jpeg cmyk": 4, "jpeg on its side": 3}


@pytest.fixture(scope="module")
def preprocessor(tokenizer):
    return ImageTextPreprocessor(tokenizer, SIZE)


def _by_name(read, name, tensor):
    return read(**{name: tensor})


@pytest.fixture(scope="module")
def graphs(preprocessor):
    """What exports run, and `tf.data`."""
    served = preprocessor.serving_inputs(ALLOWED_OPS)
    graphs = {}
    for name, (specs, read) in served.items():
        # A lone argument of the function that an export calls by name.
        [(key, spec)] = specs.items()
        function = functools.partial(_by_name, read, key)
        graphs[name] = tf.function(function, input_signature=[spec], autograph=False)
    one = tf.TensorSpec([], tf.string)
    graphs["string"] = tf.function(preprocessor.raw.load, input_signature=[one], autograph=False)
    return graphs


@pytest.mark.thorough
# One test of all: what a test begins with lets TensorFlow prepare each graph anew.
@pytest.mark.slow
def test_every_form_gives_the_same(graphs, preprocessor, tmp_path):
    for name, contents in FILES.items():
        path = tmp_path / name
        path.write_bytes(contents)
        image = Image.open(io.BytesIO(contents))
        check_forms(name, path, image, graphs, preprocessor.image_converter)


def check_forms(name, path, image, graphs, convert):
    contents = path.read_bytes()
    reference = np.asarray(convert(contents))
    forms = {
        "str": convert(str(path)),
        "path": convert(path),
        "bytes of a path": convert(os.fsencode(path)),
        "tensor": convert(tf.constant(contents)),
        "graph": graphs["string"](contents),
        "graph of a path": graphs["string"](str(path)),
        "export": graphs["image_bytes"]([contents])[0],
    }
    for form, found in forms.items():
        np.testing.assert_allclose(found, reference, atol=1e-3, err_msg=f"{name}: {form}")
    tolerance = TOLERANCE.get(name, 1e-3)
    np.testing.assert_allclose(convert(image), reference, atol=tolerance, err_msg=name)
    assert np.ptp(reference) > 50
    if image.getexif() and name not in TOLERANCE:
        np.testing.assert_allclose(reference, np.asarray(RGB), atol=1e-3, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    chosen(["png", "grey", "grey alpha", "alpha", "16 bits grey"], "alpha", "16 bits grey"),
)
def test_pixels_give_what_their_file_gives(name, graphs, preprocessor):
    convert = preprocessor.image_converter
    reference = np.asarray(convert(FILES[name]))
    pixels = np.asarray(Image.open(io.BytesIO(FILES[name])))
    forms = [pixels, tf.constant(pixels), Image.fromarray(pixels)]
    if pixels.dtype == "uint8":
        dtypes = ("int32", "int64", "float16", "float32", "float64")
        forms += [pixels.astype(dtype) for dtype in dtypes]
        forms += [tf.cast(pixels, dtype) for dtype in (*dtypes, "bfloat16")]
    if name == "grey":
        forms += [Image.fromarray(pixels).convert("F"), pixels[..., None]]
    if name == "16 bits grey":
        forms.append(Image.fromarray(pixels.astype("int32")))
    for form in forms:
        np.testing.assert_allclose(convert(form), reference, atol=1e-3, err_msg=repr(form)[:80])
    dataset = tf.data.Dataset.from_tensors(pixels).map(preprocessor.raw.load)
    np.testing.assert_allclose(next(iter(dataset)), reference, atol=1e-3)
    if name == "png":
        for served in (graphs["images"](pixels[None]), graphs["images_uint8"](pixels[None])):
            np.testing.assert_allclose(served[0], reference, atol=1e-3)
