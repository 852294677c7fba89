"""What is frozen stays frozen in every copy of a model, and nothing else is."""

import copy
import json

import keras
import numpy as np
import pytest

from keras_s2s.layers import (
    Attention,
    Encoder,
    ImageEncoder,
    LuongAttention,
    RNNDecoder,
    RNNEncoder,
)
from keras_s2s.models import ImageCaptioner, Seq2Seq, Translator
from tests.models.helpers import SOURCE_SIZE, TARGET_SIZE, eager, make_batch, make_model


def set_trainable(model, *paths):
    """Freezes parts, such as `"encoder.rnn_layers.0"`, in turn; `"+"` before one thaws it."""
    for path in paths:
        part = model
        for name in path.lstrip("+").split("."):
            part = part[int(name)] if name.isdigit() else getattr(part, name)
        part.trainable = path.startswith("+")
    return model


def trained(layer):
    return {v.path for v in layer.trainable_variables}


def from_json(layer):
    return type(layer).from_config(json.loads(json.dumps(layer.get_config())))


@pytest.mark.slow
@pytest.mark.parametrize(
    ["share", "paths"],
    [
        (False, "encoder"),
        (False, "decoder.attention.key_projection decoder.readout decoder.bridge"),
        (False, "encoder.rnn_layers.1.cell decoder.embedding"),
        (False, "decoder.embedding.embeddings decoder.attention.gain"),
        (False, "encoder +encoder.embedding"),
        (True, "decoder"),
        (True, "encoder.embedding"),
        (True, "decoder +decoder.embedding +decoder.attention.gain"),
    ],
)
def test_config_tells_what_is_frozen(paths, share):
    attention = LuongAttention(scale=True, name="attention")
    model = set_trainable(make_model(attention, share, random_weights=False), *paths.split())
    expected = trained(model)
    assert expected < {v.path for v in model.weights}
    shapes = {"encoder_token_ids": (None, None), "decoder_token_ids": (None, None)}
    again = from_json(from_json(model))
    again.build(shapes)
    assert trained(again) == expected
    for name in ("encoder", "decoder"):
        layer = getattr(model, name)
        part = from_json(layer)
        part.build(*layer._build_shapes_dict.values())
        flags = [v.trainable for v in layer.weights]
        if not share:
            assert [v.trainable for v in part.weights] == flags


def test_frozen_parts_can_be_thawed_before_the_build():
    encoder = RNNEncoder(3, vocabulary_size=5)
    encoder.build((None, None))
    encoder.embedding.trainable = False
    again = from_json(encoder)
    assert not again.embedding.trainable
    again.embedding.trainable = True
    again.build((None, None))
    assert trained(again) == {v.path for v in again.weights}


@pytest.mark.parametrize("attention", ["bahdanau", "luong"])
def test_layers_made_frozen_are_frozen_throughout(attention):
    """As by Keras after they are made."""
    model = Translator(
        RNNEncoder(3, vocabulary_size=5, trainable=False),
        RNNDecoder(5, 3, attention=attention, trainable=False),
    )
    assert not trained(model)


class Foreign(Encoder):
    """An encoder of others, whose config tells nothing of what is inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._parts = [keras.layers.Embedding(SOURCE_SIZE, 3)]

    def build(self, shape):
        self._parts[0].build(shape)
        self.late = keras.layers.Dense(3)
        self.late.build((None, None, 3))

    def call(self, ids, training=False):
        values = self.late(self._parts[0](ids))
        return {"values": values, "mask": ids != 0}

    def compute_output_shape(self, shape):
        return {"values": (*shape, 3), "mask": shape}


@pytest.mark.slow
@pytest.mark.parametrize(
    "paths", [["encoder"], ["encoder._parts.0"], ["encoder.late"], ["encoder", "+encoder.late"]]
)
def test_layers_of_others(paths):
    with keras.saving.custom_object_scope({"Foreign": Foreign}):
        model = Translator(Foreign(), RNNDecoder(TARGET_SIZE, 3))
        set_trainable(model, *paths)
        flags = [v.trainable for v in model.weights]
        assert False in flags
        assert [v.trainable for v in from_json(model).weights] == flags


def test_attentions_of_others_may_pass_their_config_on():
    @keras.saving.register_keras_serializable("tests")
    class Mine(Attention):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.key_projection = keras.layers.Dense(3, name="key_projection")

        def build(self, query_shape, values_shape, *others):
            self.key_projection.build(values_shape)

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    layer = Mine()
    layer.key_projection.trainable = False
    again = from_json(layer)
    again.build((None, None, 3), (None, None, 3))
    assert not trained(again)


def test_replaced_parts_keep_their_state(tmp_path):
    model = set_trainable(make_model(random_weights=False), "encoder", "decoder.readout")
    model.save_to_preset(tmp_path)
    encoder = RNNEncoder(5, vocabulary_size=SOURCE_SIZE, embedding_dim=4, name="mine")
    encoder.rnn_layers[0].trainable = False
    again = Seq2Seq.from_preset(tmp_path, load_weights=False, encoder=encoder)
    assert again.encoder.trainable and not again.encoder.rnn_layers[0].trainable
    assert again.encoder.rnn_layers[1].trainable and not again.decoder.readout.trainable


def make_captioner(backbone):
    encoder = ImageEncoder(3, backbone, image_size=(8, 8))
    return ImageCaptioner(encoder, RNNDecoder(TARGET_SIZE, 3))


def functional():
    x = images = keras.Input((8, 8, 3))
    for i in range(3):
        x = keras.layers.Conv2D(2, 2, strides=2 - i // 2, padding="same", name=f"c{i}")(x)
        x = keras.layers.BatchNormalization(name=f"b{i}")(x)
    return keras.Model(images, x)


def first_layers(model):
    for layer in model.encoder.backbone.layers[:4]:
        layer.trainable = False


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(
    "freeze",
    [
        first_layers,
        lambda model: set_trainable(model, "encoder.backbone", "+encoder.backbone.layers.5"),
        lambda model: set_trainable(model, "encoder", "+encoder.row_position"),
    ],
    ids=["first layers", "all but one", "encoder"],
)
def test_backbones(freeze):
    model = make_captioner(functional())
    freeze(model)
    expected = trained(model)
    assert trained(from_json(model)) == expected
    assert trained(keras.models.clone_model(model)) == expected


@pytest.mark.thorough
@pytest.mark.slow
def test_backbones_by_name():
    encoder = ImageEncoder(3, "MobileNetV2", weights=None, image_size=(32, 32))
    for layer in encoder.backbone.layers[:100]:
        layer.trainable = False
    assert trained(from_json(encoder)) == trained(encoder)


@pytest.mark.slow
def test_files_and_training(tmp_path):
    """What trains is the same after loading and a `fit`, and the optimizer goes on."""
    model = eager(set_trainable(make_model(), "encoder", "decoder.attention"))
    x, labels, weight = make_batch(rows=2)
    model.fit(x, labels, sample_weight=weight, verbose=0)
    expected = trained(model)
    model.save(tmp_path / "model.keras")
    model.save_to_preset(tmp_path / "preset", weights_dtype="float32")
    again = keras.models.load_model(tmp_path / "model.keras")
    for a, b in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    for each in (again, Seq2Seq.from_preset(tmp_path / "preset"), copy.deepcopy(model)):
        assert trained(each) == expected
        before = each.get_weights()
        eager(each).fit(x, labels, sample_weight=weight, verbose=0)
        pairs = zip(each.weights, each.get_weights(), before)
        moved = {w.path for w, a, b in pairs if np.any(a != b)}
        assert moved <= expected and len(moved) > len(expected) / 2


def test_nothing_is_told_of_what_is_as_it_was_made():
    """So that earlier releases read the presets of models that are not frozen."""
    model = make_model(random_weights=False)
    assert "state_of_parts" not in json.dumps(model.get_config())


def test_parts_that_are_gone_are_told():
    layer = RNNEncoder(3, vocabulary_size=5)
    config = {**layer.get_config(), "state_of_parts": {"gone": {"trainable": False}}}
    again = RNNEncoder.from_config(config)
    with pytest.warns(UserWarning, match="gone"):
        again.build((None, None))
