"""The signatures of an exported model: named tensors to named tensors, the batch always first."""

import warnings

import tensorflow as tf

from keras_s2s.models._functions import decode
from keras_s2s.serving import operations


def make(model, sampler, max_length):
    """Traces the signatures that a model can have; see `Seq2Seq.export`.

    Args:
        model: A built `Seq2Seq` whose encoder reads token ids or images.
        sampler: An object of `keras_s2s.decoding`.
        max_length: Integer or None, as in `Seq2Seq.generate`.

    Returns:
        Dict from the names of the signatures to concrete functions.
    """

    # A plain graph, which takes every shape; XLA would compile each anew.
    @tf.function(autograph=False, jit_compile=False)
    def run(features, sampler, with_attention):
        inputs = {model.encoder_input: features}
        return decode(model, sampler, inputs, max_length, return_attention=with_attention)

    def best(features, with_attention=False):
        # Not the whole beam's first, which is known some steps later.
        result = run(features, sampler, with_attention)
        result = {name: value[:, 0] for name, value in result.items()}
        # What no row needs is not worth sending. At least one, so that a batch of none works.
        longest = tf.reduce_max(tf.concat([result["lengths"], [1]], axis=0))
        for name in ("token_ids", "attention") if with_attention else ("token_ids",):
            result[name] = result[name][:, :longest]
        return result

    def tokens(features):
        result = best(features)
        return {
            "token_ids": result["token_ids"],
            "length": result["lengths"],
            "score": result["scores"],
        }

    traced = {"tokens": _trace(tokens, _features(model))}
    preprocessor = model.preprocessor
    if preprocessor is None:
        warnings.warn(
            "The model has no preprocessor, so the export takes no raw data: its only signature "
            "is `tokens`.",
            stacklevel=4,
        )
        return traced
    whole_beam = _returning_whole_beam(sampler)

    def text_of(result):
        return {
            "text": preprocessor.generate_postprocess(result["token_ids"]),
            "score": result["scores"],
        }

    inputs = preprocessor.serving_inputs(operations.ALLOWED_OPS)
    first, (spec, read) = next(iter(inputs.items()))

    def align(raw):
        features = read(raw)
        result = best(features, with_attention=True)
        attention, named = result["attention"], {}
        if model.encoder.layout == "grid":
            shape = tf.concat([tf.shape(attention)[:2], model.encoder.grid], axis=0)
            attention = tf.reshape(attention, shape)
        else:
            named["source_tokens"] = _pieces(preprocessor.source_tokenizer, features)
        return {
            **text_of(result),
            **named,
            "target_tokens": _pieces(preprocessor.target_tokenizer, result["token_ids"]),
            "attention": attention,
        }

    for name, (other, read_other) in inputs.items():
        traced["serving_default" if name == first else name] = _trace(
            lambda raw, read=read_other: text_of(best(read(raw))), other
        )
    traced["nbest"] = _trace(lambda raw: text_of(run(read(raw), whole_beam, False)), spec)
    if not model.decoder.attends:
        warnings.warn(
            f"The {type(model.decoder).__name__} has no attention, so the export has no signature "
            "`align`.",
            stacklevel=4,
        )
    else:
        traced["align"] = _trace(align, spec)
    return traced


def _features(model):
    """The `tf.TensorSpec` of a batch of the encoder's features."""
    shape, dtype = model.encoder.input_spec_for_serving()
    is_text = model.encoder.vocabulary_size is not None
    return tf.TensorSpec(shape, dtype, name="token_ids" if is_text else model.encoder_input)


def _trace(function, spec):
    # The name of the argument is what a client calls the input.
    def named(**inputs):
        return function(inputs[spec.name])

    traced = tf.function(named, autograph=False)
    return traced.get_concrete_function(**{spec.name: spec})


def _returning_whole_beam(sampler):
    """The sampler, or for a beam search one that returns as many as there are beams."""
    config = sampler.get_config()
    if config.get("num_beams") in (None, config.get("num_return_sequences")):
        return sampler
    return sampler.from_config({**config, "num_return_sequences": config["num_beams"]})


def _pieces(tokenizer, ids):
    return tf.where(ids == tokenizer.pad_token_id, "", tokenizer.ids_to_tokens(ids))
