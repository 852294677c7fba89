"""Images in every form through fit, generate, score, saving and presets."""

import collections.abc
import os

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.data import Batches, Features, SimilarLengths, cached_features
from tests.captioners import SIZE, coloured, small_captioner
from tests.columns import Lazy, Series
from tests.fewer import chosen
from tests.models.helpers import eager, same_weights
from tests.pictures import encoded, picture

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")
pytestmark = [pytest.mark.slow, pytest.mark.prepared]


@pytest.fixture(scope="module")
def model(captioner):
    return captioner


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    images, captions = coloured(50, seed=7)
    paths = [folder / f"{i}.png" for i in range(50)]
    for path, image in zip(paths, images):
        image.save(path)
    return paths, captions


def test_learns_to_say_what_is_where(model):
    images, captions = coloured(30, seed=5)
    assert model.generate(images) == captions
    assert model.generate(images[:8], sampler="beam") == captions[:8]


def test_looks_where_it_is(model):
    """The half that a word is about gets most of the attention of its first piece."""
    [image], _ = coloured(1, seed=3)
    text, alignment = model.generate(image, return_attention=True)
    assert alignment.source_tokens is None
    assert alignment.weights.shape == (len(alignment.target_tokens), 2, 3)
    np.testing.assert_allclose(alignment.weights.sum((1, 2)), 1, atol=1e-5)
    assert "".join(alignment.target_tokens[:-1]).replace("▁", " ").strip() == text


def test_every_form_gives_the_same(model, paths):
    (files, captions) = paths
    reference = model.generate(files[:4])
    assert reference == captions[:4]
    arrays = [np.asarray(image) for image in coloured(50, seed=7)[0][:4]]
    forms = [
        [str(path) for path in files[:4]],
        [path.read_bytes() for path in files[:4]],
        arrays,
        np.stack(arrays),
        coloured(50, seed=7)[0][:4],
        tf.data.Dataset.from_tensor_slices(np.stack(arrays)),
        tf.data.Dataset.from_tensor_slices([str(path) for path in files[:4]]).batch(3),
        {"images": files[:4], "decoder_text": [""] * 4},
    ]
    for form in forms:
        assert model.generate(form) == reference
    assert model.generate(files[0]) == model.caption(str(files[0])) == reference[0]
    assert model.generate(arrays[0]) == reference[0]
    assert model.generate([]) == []


def test_batches_and_order_do_not_matter(model, paths):
    files = paths[0][:7]
    reference, scores = model.generate(files, return_scores=True)
    backwards, other = model.generate(files[::-1], batch_size=2, return_scores=True)
    assert backwards[::-1] == reference
    np.testing.assert_allclose(other[::-1], scores, atol=1e-4)


def test_pixels_and_features_as_tensors(model, paths):
    files = paths[0][:3]
    pixels = model.preprocessor.image_converter(files)
    of_pixels = model.generate({"images": pixels})
    of_features = model.generate({"images": model.encoder.features(pixels)})
    np.testing.assert_array_equal(of_pixels["token_ids"], of_features["token_ids"])
    texts = model.preprocessor.generate_postprocess(of_pixels["token_ids"][:, 0])
    assert texts.tolist() == model.generate(files)


def test_prompt(model, paths):
    texts = model.generate({"images": paths[0][:2], "decoder_text": ["blue and", "green and"]})
    assert texts[0].startswith("blue and ") and texts[1].startswith("green and ")


@pytest.mark.thorough
def test_score_is_that_of_the_caption(model, paths):
    files, captions = paths[0][:3], paths[1][:3]
    scores = model.score(files, captions)
    assert scores.shape == (3,)
    assert np.all(scores > model.score(files, ["red red red"] * 3))
    x, labels, weights = model.preprocessor(files, captions)
    logits = keras.ops.convert_to_numpy(model(x))
    assert logits.shape == (*labels.shape, 17)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    taken = np.take_along_axis(log_probs, labels[..., None], -1)[..., 0]
    np.testing.assert_allclose(scores, (taken * weights).sum((1, 2)), atol=1e-4)
    assert model.score(files[0], captions[0]) == pytest.approx(scores[0], abs=1e-4)


@pytest.mark.thorough
def test_fit_on_new_pairs_of_paths_lowers_their_loss(paths):
    """The fifty pairs of somebody who tries it, from files."""
    files, captions = paths
    history = small_captioner(simple=True).fit(
        files, captions, epochs=3, verbose=0, validation_split=0.2
    )
    for losses in (history.history["loss"], history.history["val_loss"]):
        assert len(losses) == 3 and losses[2] < losses[0]


def test_fit_takes_every_form(paths):
    files, captions = paths[0][:8], paths[1][:8]
    arrays = np.stack([np.asarray(image) for image in coloured(50, seed=7)[0][:8]])
    dataset = tf.data.Dataset.from_tensor_slices(([str(file) for file in files], captions))
    forms = {
        "lists": [files, captions],
        "pairs": [list(zip(files, captions))],
        "arrays": [arrays, captions],
        "dict": [{"images": files, "decoder_text": captions}],
        "several": [files, [[caption, caption] for caption in captions]],
        "dataset": [dataset],
        "batched": [dataset.batch(8)],
    }
    model = eager(small_captioner(simple=True), optimizer=keras.optimizers.SGD(0.5))
    start, ends = model.get_weights(), {}
    for form in chosen(forms, "lists", "arrays", "several"):
        model.set_weights(start)
        model.fit(*forms[form], batch_size=8, verbose=0)
        ends[form] = model.get_weights()
        for a, b in zip(ends[form], ends["lists"], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=form)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(start, ends["lists"]))


def test_images_of_unlike_sizes_and_forms():
    images, captions = coloured(8)
    mixed = [*images[:2], np.asarray(images[2]), encoded(images[3], "JPEG"), picture(9, 200)]
    model = eager(small_captioner(simple=True))
    model.fit(mixed, captions[:5], verbose=0)
    grey = [np.asarray(image.convert("L")) for image in images[:2]]
    pairs = tf.data.Dataset.from_generator(
        lambda: zip([np.asarray(images[0]), np.asarray(picture(30, 20))], captions),
        output_signature=(tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((), tf.string)),
    )
    model.fit(pairs.apply(tf.data.experimental.assert_cardinality(2)), verbose=0)
    assert len(model.generate([*mixed, *grey])) == 7


@pytest.mark.thorough
def test_several_captions_are_as_many_examples(paths):
    """The loss of two captions of an image is that of two pairs."""
    files = paths[0][:2]
    model = eager(small_captioner(simple=True))
    together = model.evaluate(files, [["red", "blue and green"], ["green", ""]], verbose=0)
    apart = model.evaluate(
        [files[0], files[0], files[1]], ["red", "blue and green", "green"], verbose=0
    )
    np.testing.assert_allclose(together, apart, rtol=1e-4)


@pytest.mark.thorough
def test_cached_features_train_as_images_do(paths, tmp_path):
    """With a frozen backbone, the same steps from features as from images."""
    files, captions = paths[0][:12], paths[1][:12]
    losses, models = [], []
    for cached in (False, True):
        keras.utils.set_random_seed(3)
        model = small_captioner(simple=True)
        model.encoder.backbone.trainable = False
        eager(model, optimizer=keras.optimizers.SGD(0.1))
        ids = [[row] for row in model.preprocessor.target_tokenizer.encode(captions)]
        images = files
        if cached:
            images = cached_features(model.encoder, files, tmp_path, verbose=0)
        converter = None if cached else model.preprocessor.image_converter
        columns = {"images": Features(images, converter), "decoder_token_ids": ids}
        batches = Batches(columns, SimilarLengths(4))
        losses.append(model.fit(batches, epochs=2, shuffle=False, verbose=0).history["loss"])
        models.append(model)
    # Features are kept in 16 bits.
    np.testing.assert_allclose(*losses, rtol=2e-3)


@pytest.mark.thorough
def test_freezing_and_unfreezing(paths):
    files, captions = paths[0][:8], paths[1][:8]
    model = small_captioner(simple=True)
    for trainable in (False, True):
        model.encoder.backbone.trainable = trainable
        eager(model, optimizer=keras.optimizers.SGD(0.1))
        before = model.encoder.backbone.get_weights()
        model.fit(files, captions, verbose=0)
        after = model.encoder.backbone.get_weights()
        assert any(not np.array_equal(a, b) for a, b in zip(before, after)) == trainable


def test_saved_and_preset_give_the_same(model, paths, tmp_path):
    files = paths[0][:5]
    reference = model.generate(files, return_scores=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    same_weights(model, again)
    assert again.generate(files) == reference[0]
    model.save_to_preset(tmp_path / "preset", weights_dtype="float32")
    again = keras_s2s.models.ImageCaptioner.from_preset(tmp_path / "preset")
    assert type(again) is keras_s2s.models.ImageCaptioner
    texts, scores = again.generate(files, return_scores=True)
    assert texts == reference[0]
    np.testing.assert_allclose(scores, reference[1], atol=1e-5)
    with pytest.raises(ValueError, match="holds a ImageCaptioner.*no Translator"):
        keras_s2s.models.Translator.from_preset(tmp_path / "preset")


def test_scaled_pixels_are_refused_everywhere():
    model = eager(small_captioner(simple=True))
    images, captions = coloured(4)
    arrays = np.stack([np.asarray(image, "float32") for image in images])
    arrays[2] /= 255
    dataset = tf.data.Dataset.from_tensor_slices((arrays, captions))
    numbered = r"number 2 of the \w+ \(from 0\) .*scaled to 0..1. Multiply by 255"
    for use in (model.fit, model.evaluate, model.predict):
        for data in (dataset, dataset.batch(4)):
            with pytest.raises(tf.errors.InvalidArgumentError, match=numbered):
                use(data, verbose=0)
    small = np.stack([np.asarray(image.resize(SIZE[::-1]), "float32") for image in images])
    small[2] /= 255
    ids = np.array([[2, 5]] * 4)
    x = {"images": small, "decoder_token_ids": ids}

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return x, ids

    message = "scaled to 0..1.*Multiply by 255.* 2"
    for use in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=message):
            use(x, **({} if use == model.predict else {"y": ids}), verbose=0)
    datasets = [Batches(), tf.data.Dataset.from_tensors((x, ids))]
    if keras.backend.backend() == "jax":
        datasets = []  # What it compiled cannot raise.
    for data in datasets:
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=message):
            model.evaluate(data, verbose=0)
    for use in (model.generate, model):
        with pytest.raises(ValueError, match=message):
            use(x)


@pytest.mark.thorough
def test_names_that_are_not_utf_8(paths, tmp_path):
    model = eager(small_captioner(simple=True))
    names = [os.fsencode(tmp_path) + b"/caf\xe9 '" + str(i).encode() for i in range(3)]
    for name, path in zip(names, paths[0]):
        with open(name, "wb") as file:
            file.write(path.read_bytes())
    expected = model.generate(paths[0][:3])
    strings = [os.fsdecode(name) for name in names]
    for forms in (names, strings, np.array(strings), tf.constant(names)):
        assert model.generate(forms) == expected
    losses = [
        model.evaluate(data, verbose=0)[0]
        for data in (
            list(zip(paths[0][:3], expected)),
            list(zip(strings, expected)),
            tf.data.Dataset.from_tensor_slices((names, expected)),
        )
    ]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    with open(names[1], "wb") as file:
        file.write(paths[0][1].read_bytes()[:100])
    with pytest.raises(ValueError, match=r"caf\\udce9 '1.*cut short"):
        model.generate(strings)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"cut short.*number 1 of .*caf.* \\?'1"
    ):
        model.evaluate(tf.data.Dataset.from_tensor_slices((names, expected)), verbose=0)


@pytest.mark.thorough
def test_sequences_of_pictures(model):
    """Such as a column of the library `datasets`, which opens each when it is asked for."""
    images, captions = coloured(5)

    class Column(collections.abc.Sequence):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return images[index]

    found = model.evaluate(Column(), captions, verbose=0)
    assert found[0] == pytest.approx(model.evaluate(images, captions, verbose=0)[0], rel=1e-4)


@pytest.mark.thorough
@pytest.mark.slow
def test_columns_of_pictures_and_captions(paths):
    model = eager(small_captioner(simple=True))
    files, captions = ([str(path) for path in paths[0][:3]], ["red and blue", "green and red", "a"])
    several = [[caption, f"{caption} too"] for caption in captions]
    expected = model.evaluate(files, several, verbose=0)[0]
    texts = model.generate(files)
    for form in (Series, Lazy, iter):
        assert model.evaluate(form(files), form(several), verbose=0)[0] == pytest.approx(expected)
        assert model.generate(form(files)) == texts
    ragged = tf.ragged.constant([several[0], several[1][:1]])
    lists = several[0], several[1][:1]
    losses = [model.evaluate(files[:2], some, verbose=0)[0] for some in (ragged, lists)]
    assert losses[0] == pytest.approx(losses[1])
    data = ((files[i : i + 2], several[i : i + 2]) for i in (0, 2))
    accuracy = model.evaluate(data, verbose=0, return_dict=True)["token_accuracy"]
    whole = model.evaluate(files, several, verbose=0, return_dict=True)["token_accuracy"]
    assert accuracy == pytest.approx(whole)


def test_unreadable_images_give_none(model, paths, tmp_path):
    good, cut = paths[0][0], tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[:200])
    mixed = [good, cut, tmp_path / "none.png", None, np.zeros((3, 3, 7)), good]
    with pytest.warns(UserWarning, match=r"4 of 6 inputs.*The first: .*\[1\].*cut.png.*cut short"):
        texts, scores = model.generate(mixed, return_scores=True, on_error="none")
    text = model.generate(good)
    assert texts == [text, *[None] * 4, text]
    assert [score is None for score in scores] == [text is None for text in texts]
    with pytest.raises(ValueError, match=r"\[1\].*cut.png.*cut short"):
        model.generate(mixed[:2])
    with pytest.warns(UserWarning, match="1 of 1"):
        assert model.generate(str(cut), on_error="none") is None


def test_bad_images_are_named(model, paths, tmp_path, monkeypatch):
    # There is no batch to train on, for which a graph would be made.
    monkeypatch.setattr(model, "run_eagerly", True)
    monkeypatch.setattr(model, "train_function", None)
    good = paths[0][0]
    text, cut = tmp_path / "text.jpg", tmp_path / "cut.png"
    text.write_text("A text.")
    cut.write_bytes(good.read_bytes()[:200])
    for use in (model.generate, lambda images: model.fit(images, ["red"] * len(images))):
        with pytest.raises(ValueError, match=r"\[1\]`: the file .*text.jpg.* is no JPEG"):
            use([good, text])
        with pytest.raises(FileNotFoundError, match=r"\[1\]`: there is no file .*none.jpg"):
            use([good, tmp_path / "none.jpg"])
        with pytest.raises(ValueError, match=r"\[1\]` must hold pixels.*nan"):
            use([good, np.full((4, 4, 3), np.nan)])
    with pytest.raises(ValueError, match="cut.png' cannot be read.*cut short"):
        model.generate([good, cut])
    with pytest.raises(tf.errors.InvalidArgumentError, match="cut short.*cut.png"):
        model.fit([good, cut], ["red", "blue"], verbose=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((["a.png"],), "two lists|pairs"),
        (([], []), "no data"),
    ],
)
def test_bad_training_data(arguments, message, model):
    with pytest.raises(ValueError, match=message):
        model.fit(*arguments, verbose=0)


def test_sizes_must_agree():
    encoder = small_captioner().encoder
    preprocessor = keras_s2s.preprocessing.ImageTextPreprocessor(
        small_captioner().preprocessor.target_tokenizer, (32, 32)
    )
    with pytest.raises(ValueError, match=r"\(32, 32, 3\).*\(16, 24, 3\)"):
        keras_s2s.models.ImageCaptioner(encoder, keras_s2s.layers.RNNDecoder(17, 8), preprocessor)


def test_without_preprocessor(model, paths):
    bare = keras_s2s.models.ImageCaptioner(model.encoder, model.decoder)
    with pytest.raises(ValueError, match="no preprocessor"):
        bare.generate(paths[0][:1])
    for count in (1, 20):
        result = bare.generate({"images": np.zeros((count, *SIZE, 3), "uint8")})
        assert result["token_ids"].shape[:2] == (count, 1)
