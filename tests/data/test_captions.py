"""Readers of captioned images, batches of them, and the cache of features."""

import io
import json
import os
import tarfile

import keras
import numpy as np
import pytest

from keras_s2s.data import (
    Batches,
    Features,
    SimilarLengths,
    TarImages,
    cached_features,
    read_caption_tar,
    read_coco_captions,
    read_flickr8k,
)
from keras_s2s.layers import ImageEncoder
from keras_s2s.preprocessing import CutWarning
from tests.pictures import encoded, picture

START, END = 2, 3


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, contents in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return path


# Readers


def coco(tmp_path, annotations, images=((1, "a.jpg"), (2, "b.jpg"))):
    path = tmp_path / "captions.json"
    rows = [{"image_id": image, "id": i, "caption": c} for i, (image, c) in enumerate(annotations)]
    files = [{"id": i, "file_name": name, "width": 1} for i, name in images]
    path.write_text(json.dumps({"info": {}, "images": files, "annotations": rows}))
    return path


def test_coco(tmp_path):
    path = coco(tmp_path, [(2, "A dog .\n"), (1, " A  man's hat "), (2, "Dogs , two .")])
    assert read_coco_captions(path, tmp_path / "val") == (
        [str(tmp_path / "val" / "b.jpg"), str(tmp_path / "val" / "a.jpg")],
        [["A dog.", "Dogs, two."], ["A man's hat"]],
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}', '{"images": 3, "annotations": []}'])
def test_bad_coco(text, tmp_path):
    (tmp_path / "captions.json").write_text(text)
    with pytest.raises(ValueError, match="captions.json' has not the layout of COCO"):
        read_coco_captions(tmp_path / "captions.json", tmp_path)
    with pytest.raises(ValueError, match="has not the layout.*7"):
        read_coco_captions(coco(tmp_path, [(7, "A dog.")]), tmp_path)


def test_flickr8k(tmp_path):
    tokens, split = tmp_path / "tokens.txt", tmp_path / "train.txt"
    tokens.write_text("1.jpg#0\tA dog .\n1.jpg#1\tIt 's a dog .\n\n2#x.jpg#0\tA cat\n")
    split.write_text("2#x.jpg\n1.jpg\n")
    dog, cat = ["A dog.", "It's a dog."], ["A cat"]
    assert read_flickr8k(tokens, split, "i") == (["i/2#x.jpg", "i/1.jpg"], [cat, dog])
    assert read_flickr8k(tokens, None, "i")[1] == [dog, cat]
    split.write_text("1.jpg\n3.jpg\n")
    with pytest.raises(ValueError, match="no captions of 1 of 2 images, first '3.jpg'"):
        read_flickr8k(tokens, split, "i")
    tokens.write_text("1.jpg#0\tA dog\n1.jpg A dog\n")
    with pytest.raises(ValueError, match="line 2: not of the form"):
        read_flickr8k(tokens, None, "i")


def test_tar_and_json_lines(tmp_path):
    files = {"x/b.jpg": b"of b", "x/a.jpg": b"of a", "x/c.jpg": b"c"}
    tar = write_tar(tmp_path / "images.tar", files)
    captions = tmp_path / "captions.jsonl"
    rows = [{"image": "a", "captions": ["A dog ."]}, {"image": "b", "captions": ["A", "B"]}]
    captions.write_text("\n".join(map(json.dumps, rows)) + "\n")
    images, found = read_caption_tar(tar, captions)
    assert found == [["A dog."], ["A", "B"]]
    assert list(images) == [b"of a", b"of b"] and images.names == ["x/a.jpg", "x/b.jpg"]
    assert (
        images[-1] == b"of b" and list(images[1:]) == [b"of b"] and images[:1].names == ["x/a.jpg"]
    )
    assert list(TarImages(tar)) == list(files.values())
    # A row for each caption names its picture again.
    assert list(TarImages(tar, ["b", "a", "b"])) == [b"of b", b"of a", b"of b"]
    with pytest.raises(ValueError, match="lacks 1 of 2 images, first 'd'.*holds 3 files"):
        TarImages(tar, ["a", "d"])
    captions.write_text('{"image": "a", "captions": ["A"]}\n{"image": "b"}\n')
    with pytest.raises(ValueError, match="line 2: not of the form.*captions"):
        read_caption_tar(tar, captions)


def test_bad_tars(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="no tar archive"):
        TarImages(path)
    with pytest.raises(ValueError, match="compressed"):
        TarImages(write_tar(path, {"a.jpg": b"a"}, "w:gz"))
    with pytest.raises(FileNotFoundError):
        TarImages(tmp_path / "none.tar")
    images = TarImages(write_tar(path, {"a.jpg": b"a" * 5000}))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="cut short within 'a.jpg'"):
        images[0]


def test_names_of_images_that_are_not_utf_8(tmp_path):
    """The captions are, and say so otherwise."""
    name, caption = os.fsdecode(b"caf\xe9.jpg"), "Ein schöner Hund"
    path, files = tmp_path / "captions", tmp_path / "names"
    for text in (path, files):
        text.write_bytes(os.fsencode(f"{name}#0\t{caption} .\n" if text == path else f"{name}\n"))
    assert read_flickr8k(path, files, "i") == ([f"i/{name}"], [[f"{caption}."]])
    tar = write_tar(tmp_path / "images.tar", {f"x/{name}": b"pixels"})
    assert list(TarImages(tar, [b"caf\xe9.jpg"])) == list(TarImages(tar, [name])) == [b"pixels"]
    for escaped in (True, False):
        row = json.dumps({"image": name, "captions": [caption]}, ensure_ascii=escaped)
        path.write_bytes(os.fsencode(row))
        images, captions = read_caption_tar(tar, path)
        assert (images.names, captions) == ([f"x/{name}"], [[caption]])
        rows = {
            "images": [{"id": 1, "file_name": name}],
            "annotations": [{"image_id": 1, "caption": caption}],
        }
        path.write_bytes(os.fsencode(json.dumps(rows, ensure_ascii=escaped)))
        assert read_coco_captions(path, "i") == ([f"i/{name}"], [[caption]])
    path.write_bytes(b"1.jpg#0\tA dog .\n1.jpg#1\tsch\xf6n\n")
    with pytest.raises(ValueError, match="line 2: the caption is not UTF-8"):
        read_flickr8k(path, None, "i")


# Batches


def make_ids(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        [rng.integers(4, 20, rng.integers(0, 9)).tolist() for _ in range(rng.integers(1, 4))]
        for _ in range(count)
    ]


def image_batches(images, ids, **options):
    columns = {"images": Features(images), "decoder_token_ids": ids}
    return Batches(columns, SimilarLengths(4), **options)


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_hold_everything_once(shuffle):
    ids = make_ids(21)
    batches = image_batches(np.arange(21)[:, None], ids, shuffle=shuffle)
    assert len(batches) == 6
    orders = []
    for _ in range(2):
        seen = []
        for i in range(len(batches)):
            x, labels, weights = batches[i]
            assert x["decoder_token_ids"].shape == labels.shape == weights.shape
            for image, decoder, row, w in zip(
                x["images"][:, 0], x["decoder_token_ids"], labels, weights
            ):
                seen.append(int(image))
                captions = [caption[caption != 0].tolist() for caption in row]
                expected = [[*caption, END] for caption in ids[image]]
                assert captions == expected + [[]] * (3 - len(expected))
                np.testing.assert_array_equal(w, row != 0)
                inputs = [caption[caption != 0].tolist() for caption in decoder]
                assert inputs[: len(expected)] == [[START, *caption[:-1]] for caption in expected]
        assert sorted(seen) == list(range(21))
        orders.append(seen)
        batches.on_epoch_end()
    assert (orders[0] == orders[1]) != shuffle


def test_order_is_that_of_seed_and_epoch():
    def order(seed, epoch):
        batches = image_batches(np.arange(21)[:, None], make_ids(21), seed=seed)
        batches.set_epoch(epoch)
        return np.concatenate([batches[i][0]["images"][:, 0] for i in range(6)]).tolist()

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4) != order(2, 4)


def test_long_captions_are_cut_and_images_converted():
    ids = [[[5] * 9], [[6]]]
    with pytest.warns(CutWarning, match="^1 of 2 examples are cut, the first at index 0"):
        batches = Batches(
            {"images": Features(["one", "two"], lambda x: x), "decoder_token_ids": ids},
            lengths={"decoder_token_ids": 4},
            shuffle=False,
        )
    x, labels, _ = batches[0]
    assert labels.tolist() == [[[5, 5, 5, END]], [[6, END, 0, 0]]]
    assert x["images"].tolist() == ["one", "two"]


def test_as_tf_dataset():
    pytest.importorskip("tensorflow")
    batches = image_batches(np.zeros((9, 2, 2, 1)), make_ids(9))
    dataset = batches.as_tf_dataset()
    assert dataset.cardinality() == 3
    first = [labels.numpy().tolist() for _, labels, _ in dataset]
    batches.set_epoch(0)
    assert first == [batches[i][1].tolist() for i in range(3)]


@pytest.mark.parametrize("count", [0, 2])
def test_images_and_captions_of_unequal_number(count):
    with pytest.raises(ValueError, match=f"same length.*'images': {count}, 'decoder_token_ids': 3"):
        image_batches(np.zeros((count, 1)), [[[4]]] * 3)


# Features


@pytest.fixture(scope="module")
def encoder():
    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 4, strides=4)]
    return ImageEncoder(4, keras.Sequential(layers), image_size=(8, 8))


@pytest.fixture
def images(tmp_path):
    paths = []
    for seed in range(5):
        paths.append(tmp_path / f"{seed}.png")
        picture(16, 12, seed).save(paths[-1])
    return paths


@pytest.mark.thorough
@pytest.mark.slow
def test_features_are_those_of_the_encoder(encoder, images, tmp_path):
    from keras_s2s.preprocessing import ImageConverter

    features = cached_features(encoder, images, tmp_path / "cache", batch_size=2, verbose=0)
    expected = encoder.features(ImageConverter((8, 8))(images))
    assert features.dtype == np.float16 and features.shape == (5, 2, 2, 2)
    np.testing.assert_allclose(features, keras.ops.convert_to_numpy(expected), rtol=2e-3)


@pytest.mark.slow
def test_features_are_computed_once(encoder, images, tmp_path, monkeypatch):
    first = cached_features(encoder, images, tmp_path / "cache", verbose=0)
    monkeypatch.setattr("keras_s2s.data.feature_cache._compute", None)
    np.testing.assert_array_equal(
        cached_features(encoder, images, tmp_path / "cache", verbose=0), first
    )


@pytest.mark.slow
def test_whatever_they_depend_on_computes_them_anew(encoder, images, tmp_path):
    def number_of_files(encoder=encoder, images=images, **kwargs):
        cached_features(encoder, images, tmp_path / "cache", verbose=0, **kwargs)
        return len(list((tmp_path / "cache").iterdir()))

    from keras_s2s.preprocessing import ImageConverter

    assert number_of_files() == number_of_files() == 1
    assert number_of_files(images=images[:4]) == 2
    assert number_of_files(images=images[::-1]) == 3
    picture(16, 12, seed=99).save(images[0])
    assert number_of_files() == 4
    contents = [path.read_bytes() for path in images]
    assert number_of_files(images=contents) == 5
    contents[0] = encoded(picture(16, 12, seed=98), "PNG")
    assert number_of_files(images=contents) == 6
    assert number_of_files(images=np.zeros((5, 8, 8, 3))) == 7
    assert number_of_files(images=np.full((5, 8, 8, 3), 9)) == 8

    class Other(ImageConverter):
        def get_config(self):
            return {**super().get_config(), "flip": True}

    assert number_of_files(image_converter=Other((8, 8))) == 9
    kernel = encoder.backbone.layers[-1].kernel
    kernel.assign(kernel + 1)
    assert number_of_files() == 10


@pytest.mark.slow
def test_a_bad_image_leaves_no_cache(encoder, images, tmp_path):
    images[3].write_bytes(images[3].read_bytes()[:100])
    with pytest.raises(ValueError, match="3.png' cannot be read"):
        cached_features(encoder, images, tmp_path / "cache", batch_size=2, verbose=0)
    assert list((tmp_path / "cache").iterdir()) == []
