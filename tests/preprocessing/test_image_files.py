"""Reading image files, against Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_s2s.preprocessing import ImageConverter, image_files
from tests.pictures import encoded, expected, picture, turned

tf = pytest.importorskip("tensorflow")
SIZE = (32, 40)


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda contents: image_files.decode(contents, SIZE, "the name"),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )


def transparent(mode="RGBA"):
    pixels = np.array(picture().convert("RGBA"))
    pixels[:60, :, 3] = np.linspace(0, 255, 160)
    return Image.fromarray(pixels).convert(mode)


def palette():
    return picture().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "contents, tolerance",
    [
        pytest.param(encoded(picture(), "PNG"), 1, id="png"),
        pytest.param(encoded(picture(), "JPEG", quality=95), 1, id="jpeg"),
        pytest.param(encoded(picture(), "JPEG", quality=95, progressive=True), 1, id="progressive"),
        pytest.param(encoded(picture(), "WEBP", lossless=True), 1, id="webp"),
        pytest.param(encoded(picture(), "WEBP"), 2, id="webp-lossy"),
        pytest.param(encoded(picture(), "GIF"), 1, id="gif"),
        pytest.param(encoded(picture().convert("L"), "JPEG", quality=95), 1, id="grey-jpeg"),
        pytest.param(encoded(picture().convert("L"), "PNG"), 1, id="grey-png"),
        pytest.param(encoded(picture().convert("1"), "PNG"), 1, id="black-and-white-png"),
        pytest.param(encoded(picture().convert("P"), "PNG"), 1, id="palette-png"),
        pytest.param(encoded(palette(), "PNG", bits=2), 1, id="palette-png-of-two-bits"),
        pytest.param(
            encoded(palette(), "PNG", bits=2, transparency=1), 1, id="transparent-palette-png"
        ),
        pytest.param(encoded(transparent(), "PNG"), 1, id="transparent-png"),
        pytest.param(encoded(transparent("LA"), "PNG"), 1, id="transparent-grey-png"),
        pytest.param(encoded(transparent(), "WEBP", lossless=True), 1, id="transparent-webp"),
        pytest.param(encoded(picture(1, 1), "PNG"), 1, id="one-pixel"),
        pytest.param(encoded(picture(3, 500), "PNG"), 1, id="narrow"),
    ],
)
def test_equals_pillow(contents, tolerance, decode):
    found = decode(contents).numpy()
    assert found.shape == (*SIZE, 3) and found.dtype == np.float32
    # Pillow rounds after each step of resizing, and decoders differ by one.
    assert np.abs(found - expected(contents, SIZE)).mean() < tolerance


@pytest.mark.slow
@pytest.mark.parametrize("orientation", range(1, 9))
def test_is_turned_as_the_camera_was(orientation, decode):
    contents = turned(orientation)
    assert np.abs(decode(contents).numpy() - expected(contents, SIZE)).mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize("byte_order", [b"II", b"MM"])
def test_both_byte_orders_of_exif(byte_order, decode):
    contents = turned(6)
    exif = Image.Exif()
    exif.endian = "<" if byte_order == b"II" else ">"
    exif[0x010F], exif[0x0112] = "a camera", 6
    contents = encoded(picture(), "JPEG", quality=95, exif=exif)
    assert byte_order in contents[:40]
    assert np.abs(decode(contents).numpy() - expected(contents, SIZE)).mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize("length", [0, 1, 6, 12, 30])
def test_exif_data_that_are_cut_short_say_nothing(length, decode):
    start = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"[: 6 + length]
    segment = b"\xff\xe1" + (len(start) + 2).to_bytes(2, "big") + start
    plain = encoded(picture(), "JPEG", quality=95)
    found = decode(plain[:2] + segment + plain[2:]).numpy()
    if length < 26:
        np.testing.assert_array_equal(found, decode(plain).numpy())


def animation(kind, images):
    contents = encoded(images[0], kind, save_all=True, append_images=images[1:])
    assert Image.open(io.BytesIO(contents)).n_frames == len(images)
    return contents


@pytest.mark.slow
def test_first_frame_of_an_animation(decode):
    contents = animation("GIF", [picture(seed=seed) for seed in range(3)])
    assert np.abs(decode(contents).numpy() - expected(contents, SIZE)).mean() < 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_animated_webp_is_refused(mode, decode):
    """TensorFlow 2.21 writes outside of its memory there, and ends the process."""
    contents = animation("WEBP", [picture(seed=seed).convert(mode) for seed in range(3)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="animated WebP.*the name"):
        decode(contents)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_very_large_picture(kind, decode):
    contents = encoded(picture(12_000, 9_000), kind)
    assert np.abs(decode(contents).numpy() - expected(picture(), SIZE)).mean() < 1


@pytest.mark.parametrize("factor", [1, 3, 7, 15, 40])
def test_large_jpegs_are_read_small(factor, decode):
    """At a half, a quarter or an eighth; the result is the same, nearly."""
    contents = encoded(picture(40 * factor, 32 * factor), "JPEG", quality=95)
    assert np.abs(decode(contents).numpy() - expected(contents, SIZE)).mean() < 1.5


GOOD = {
    "JPEG": encoded(picture(), "JPEG"),
    "PNG": encoded(picture(), "PNG"),
    "GIF": encoded(picture(), "GIF"),
    "WEBP": encoded(picture(), "WEBP"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_truncated(kind, share, decode):
    contents = GOOD[kind][: int(share * len(GOOD[kind]))]
    with pytest.raises(tf.errors.InvalidArgumentError, match="cut short.*the name"):
        decode(contents)


@pytest.mark.parametrize("kind", GOOD)
def test_something_behind_the_end_does_not_matter(kind, decode):
    found = decode(GOOD[kind] + b"\0" * 100).numpy()
    np.testing.assert_array_equal(found, decode(GOOD[kind]).numpy())


@pytest.mark.parametrize("contents", [b"", b"\xff", b"A text called .jpg", b"BM" + b"\0" * 60])
def test_no_image(contents, decode):
    with pytest.raises(tf.errors.InvalidArgumentError, match="no JPEG, PNG, GIF or WebP.*the name"):
        decode(contents)
    assert not image_files.is_image_file(contents)
    assert not bool(image_files.is_image_file(tf.constant(contents)))


def test_kinds_are_known_by_their_beginning():
    files = list(GOOD.values())
    assert all(image_files.is_image_file(contents) for contents in files)
    assert image_files.is_image_file(tf.constant([*files, b"x"])).numpy().tolist() == [True] * 4 + [
        False
    ]


@pytest.mark.slow
def test_without_webp():
    """For servers that have no operation for it."""
    graph = tf.function(
        lambda contents: image_files.decode(contents, SIZE, "x", with_webp=False),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )
    assert graph(GOOD["PNG"]).shape == (*SIZE, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no JPEG"):
        graph(GOOD["WEBP"])
    definition = graph.get_concrete_function().graph.as_graph_def(add_shapes=False)
    assert b"DecodeWebP" not in definition.SerializeToString()


@pytest.mark.slow
def test_damage_within_is_told_by_the_name():
    damaged = bytearray(GOOD["PNG"])
    damaged[len(damaged) // 2] ^= 0xFF
    with pytest.raises(ValueError, match=r"images\[1\].*cannot be read"):
        ImageConverter(SIZE)([GOOD["PNG"], bytes(damaged)])
