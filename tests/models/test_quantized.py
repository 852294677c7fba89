"""Models that were quantized to int8."""

import keras
import numpy as np
import pytest

from keras_s2s.layers import ImageEncoder, LuongAttention, RNNDecoder, RNNEncoder
from keras_s2s.models import ImageCaptioner, Seq2Seq, Translator
from tests.fewer import chosen
from tests.layers.helpers import numpy, randomize
from tests.models.helpers import SOURCE_SIZE, TARGET_SIZE, eager, make_batch, make_model

# Keras says which layers it cannot quantize.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a `quantize` method",
    r"ignore:`model.quantize\(\)`. .* were skipped",  # Keras 3.16
)


def int8_layers(model):
    return {v.path.split("/")[-2] for v in model.weights if v.dtype == "int8"}


def same_outputs(again, model, x):
    np.testing.assert_array_equal(numpy(again(x)), numpy(model(x)))
    inputs = {name: value for name, value in x.items() if name != "decoder_token_ids"}
    ids = [m.generate(inputs, max_length=5)["token_ids"] for m in (again, model)]
    np.testing.assert_array_equal(*ids)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(["attention", "share"], [("bahdanau", False), ("luong", True)])
def test_translators(attention, share, tmp_path):
    """After a training, whose optimizer has slots for weights that are no more."""
    model = eager(make_model(attention, share))
    x, labels, weight = make_batch(rows=3)
    model.fit(x, labels, sample_weight=weight, verbose=0)
    inputs = {"encoder_token_ids": x["encoder_token_ids"]}
    before, whole = numpy(model(x)), model.count_params()
    scores = model.generate(inputs, max_length=5)["scores"]
    model.quantize("int8")
    dense = {"embedding", "key_projection", "projection", "readout"}
    dense |= {"query_projection"} if attention == "bahdanau" else set()
    assert int8_layers(model) == dense | {"simple_rnn_cell"}
    after = numpy(model(x))
    # Close to what it was, yet not the same: steps of 1/127 of the largest weight.
    assert 0 < np.abs(after - before).max() < 0.1 * np.abs(before).max()
    # Nor does `generate` go on with the weights that were.
    assert np.abs(model.generate(inputs, max_length=5)["scores"] - scores).max() > 0
    assert model.count_params() > whole  # the scales

    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset", weights_dtype="float32")
    for again in (
        keras.models.load_model(tmp_path / "model.keras"),
        Seq2Seq.from_preset(tmp_path / "preset"),
    ):
        assert {v.path for v in again.weights} == {v.path for v in model.weights}
        same_outputs(again, model, x)
    # What stays float trains.
    assert isinstance(again.optimizer, keras.optimizers.Adam)
    eager(again).fit(x, labels, sample_weight=weight, verbose=0)
    assert np.abs(numpy(again(x)) - after).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("cell", chosen(["rnn", "gru", "lstm"], "gru"))
def test_recurrent_layers(cell):
    """They compute with the integers by their scales, and a step does as all steps at once."""

    def make():
        encoder = RNNEncoder(4, vocabulary_size=SOURCE_SIZE, cell=cell)
        return Seq2Seq(encoder, RNNDecoder(TARGET_SIZE, 4, cell=cell, num_layers=2))

    model, rounded = make(), make()
    randomize(model)
    x = make_batch(rows=3)[0]
    rounded(x)
    rounded.set_weights(model.get_weights())
    model.quantize("int8", filters=rf"{_CELL_NAMES[cell]}$")
    assert int8_layers(model) == {_CELL_NAMES[cell]}
    for each, float_cell in zip(cells(model), cells(rounded), strict=True):
        for name in ("kernel", "recurrent_kernel"):
            integers, scale = numpy(getattr(each, name)), numpy(getattr(each, f"{name}_scale"))
            assert (np.abs(integers).max(axis=0) == 127).all()
            getattr(float_cell, name).assign(integers / scale)
    np.testing.assert_allclose(numpy(model(x)), numpy(rounded(x)), atol=1e-5)
    inputs = {"encoder_token_ids": x["encoder_token_ids"]}
    scores = [each.generate(inputs, max_length=5)["scores"] for each in (model, rounded)]
    np.testing.assert_allclose(*scores, atol=1e-4)


_CELL_NAMES = {"rnn": "simple_rnn_cell", "gru": "gru_cell", "lstm": "lstm_cell"}


def cells(model):
    return [layer for layer in model._flatten_layers() if hasattr(layer, "recurrent_kernel")]


@pytest.mark.slow
def test_captioners(tmp_path):
    backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 4, strides=4)])
    model = ImageCaptioner(ImageEncoder(4, backbone, image_size=(8, 8)), RNNDecoder(9, 4))
    randomize(model)
    model.quantize("int8")
    assert "conv2d" not in "".join(int8_layers(model))
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    x = {"images": images, "decoder_token_ids": np.array([[2, 4], [2, 5]])}
    same_outputs(keras.models.load_model(tmp_path / "model.keras"), model, x)


@pytest.mark.slow
def test_scales_of_presets_are_not_rounded(tmp_path):
    """They are 127 by the largest weight, which for small weights is more than float16 holds."""
    model = make_model(random_weights=False)
    model.decoder.readout.kernel.assign(numpy(model.decoder.readout.kernel) * 1e-4)
    model.quantize("int8")
    model.save_to_preset(tmp_path)
    again = Seq2Seq.from_preset(tmp_path)
    scale = numpy(model.decoder.readout.kernel_scale)
    assert scale.max() > np.finfo("float16").max
    np.testing.assert_array_equal(numpy(again.decoder.readout.kernel_scale), scale)
    # The weights that stayed float are.
    biases = [numpy(each.decoder.rnn_layers[0].cell.bias) for each in (again, model)]
    np.testing.assert_array_equal(biases[0], biases[1].astype("float16"))


@pytest.mark.slow
def test_presets_under_another_dtype_stay_quantized(tmp_path):
    model = make_model(random_weights=False)
    model.quantize("int8")
    model.save_to_preset(tmp_path)
    again = Seq2Seq.from_preset(tmp_path, dtype="bfloat16")
    assert again.decoder.readout.dtype_policy.name == "int8_from_bfloat16"
    assert int8_layers(again) == int8_layers(model)
    assert {v.dtype for v in again.weights} == {"int8", "bfloat16"}


def test_what_decoders_cannot_take_steps_with_is_refused():
    model = make_model(random_weights=False)
    before = [w.dtype for w in model.weights]
    for mode in ("int4", "float8"):
        with pytest.raises(ValueError, match=f'"int8".*{mode}'):
            model.quantize(mode)
    assert [w.dtype for w in model.weights] == before


def test_layers_of_another_policy_keep_it():
    """Which a config of Keras does not tell either, where the constructor does not take it."""
    decoder = RNNDecoder(9, 4, attention=LuongAttention(), dtype="float32")
    decoder.readout.dtype_policy = "bfloat16"
    model = Translator(RNNEncoder(4, vocabulary_size=9), decoder)
    again = Translator.from_config(model.get_config())
    assert again.decoder.readout.compute_dtype == "bfloat16"
    assert again.decoder.readout.kernel.dtype == "bfloat16"
    assert again.decoder.bridge.compute_dtype == "float32"
