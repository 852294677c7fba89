"""What a user is told before a model is written, and of what it is made of."""

import keras
import numpy as np
import pytest

from keras_s2s.layers import RNNDecoder
from keras_s2s.preprocessing import SentencePieceTokenizer, TextPairPreprocessor
from tests.models.helpers import make_model


@pytest.fixture(scope="module")
def model():
    return make_model(random_weights=False)


@pytest.mark.parametrize("name", ["x.h5", "x.hdf5", "x", "x.weights.h5", "x.tf", "folder/"])
def test_save_writes_keras_files(name, model, tmp_path):
    with pytest.raises(ValueError, match=r"\.keras.*\.weights\.h5.*save_to_preset.*export"):
        model.save(f"{tmp_path}/{name}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.h5", "x.keras", "x", "x.weights"])
@pytest.mark.parametrize("options", [{}, {"max_shard_size": 1}])
def test_save_weights_writes_weights(name, options, model, tmp_path):
    suffix = "json" if options else "h5"
    with pytest.raises(ValueError, match=rf"x\.weights\.{suffix}'.*x\.keras'"):
        model.save_weights(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_folders_and_weights_are_still_written(model, tmp_path):
    model.save(tmp_path / "folder", zipped=False)
    model.save_weights(tmp_path / "x.weights.h5")
    assert keras.models.load_model(tmp_path / "folder").count_params() == model.count_params()


@pytest.mark.parametrize("format", ["onnx", "openvino", "litert", "torch", "tf_saved_mode", None])
def test_export_names_the_format_that_it_writes(format, model, tmp_path):
    with pytest.raises(ValueError, match=f"{format!r}") as error:
        model.export(tmp_path / "1", format=format)
    assert "format='tf_saved_model'" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_export_takes_the_format_by_name_only(model, tmp_path):
    """The second argument of Keras's is the format, and that of ours the sampler."""
    with pytest.raises(ValueError, match="format='onnx'"):
        model.export(tmp_path / "1", "onnx")


# Summaries


def summary(model, **kwargs):
    lines = []
    model.summary(print_fn=lines.append, **kwargs)
    return "\n".join(lines)


def test_summary_shows_the_output_of_the_decoder(model):
    text = summary(model)
    assert f"(None, None, {model.decoder.vocabulary_size})" in text and "?" not in text
    assert "Preprocessor" not in text


@pytest.mark.parametrize("width", [60, None])
def test_summary_shows_the_preprocessor(width, make_translator):
    model = make_translator(simple=True)
    text = summary(model, line_length=width)
    assert text.index("Preprocessor: TextPairPreprocessor") < text.index("Model: ")
    for tokenizer in ("source", "target"):
        size = getattr(model.preprocessor, f"{tokenizer}_tokenizer").vocabulary_size
        assert f"{tokenizer}_tokenizer" in text and f"vocabulary size: {size}" in text
    assert max(map(len, text.splitlines())) <= (width or 88)


def test_summary_shows_the_prefix(make_translator):
    model = make_translator(simple=True)
    tokenizer = SentencePieceTokenizer.train(
        ["ein Hund", "a dog"], 15, user_defined_symbols=["[/de]"]
    )
    model.preprocessor = TextPairPreprocessor(tokenizer).with_prefix("[/de]")
    text = summary(model, line_length=88)
    assert text.count("'[/de]' before each text") == 1 and "the source's" in text


def test_output_of_the_decoder_in_a_functional_model():
    """Shapes and dtypes are what a call gives."""
    decoder = RNNDecoder(7, 4, dtype="mixed_bfloat16")
    memory = {"values": np.ones((2, 5, 3), "float32"), "mask": np.ones((2, 5), "bool")}
    symbolic = {name: keras.Input((5, *x.shape[2:]), dtype=x.dtype) for name, x in memory.items()}
    targets = np.ones((2, 6), "int32")
    given = decoder(targets, memory, return_attention=True)
    symbolic = decoder(keras.Input((6,), dtype="int32"), symbolic, return_attention=True)
    for symbol, value in zip(symbolic, given):
        assert symbol.shape == (None, *value.shape[1:])
        assert symbol.dtype == keras.backend.standardize_dtype(value.dtype)
