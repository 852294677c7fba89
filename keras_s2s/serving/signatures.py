"""The signatures of an exported model: named tensors to named tensors, the batch always first."""

import functools
import warnings

import tensorflow as tf

from keras_s2s.models._compiled_functions import decode
from keras_s2s.models.times import seconds_per_position, token_times
from keras_s2s.preprocessing.text_ids import tokens_in_graph
from keras_s2s.serving import allowed_ops


def make(model, sampler, max_length):
    """Traces the signatures that a model can have; see `Seq2Seq.export`.

    Args:
        model: A built `Seq2Seq` whose encoder reads token ids, images or sound.
        sampler: An object of `keras_s2s.decoding`.
        max_length: Integer or None, as in `Seq2Seq.generate`.

    Returns:
        Dict from the names of the signatures to concrete functions.
    """

    # Traced once for all searches.
    @tf.function(autograph=False, jit_compile=False)
    def encode(features):
        return model.encode(features)

    # A plain graph takes every shape; XLA would compile again for each.
    @tf.function(autograph=False, jit_compile=False)
    def run(features, sampler, with_attention):
        return decode(model, sampler, features, max_length, with_attention, encode=encode)

    def best(features, with_attention=False):
        # Not from the search for the whole beam, which ends some steps later.
        result = run(features, sampler, with_attention)
        result = {name: value[:, 0] for name, value in result.items()}
        # Cut to the longest row, to send less; at least 1, so that an empty batch works.
        longest = tf.reduce_max(tf.concat([result["lengths"], [1]], axis=0))
        for name in {"token_ids", "attention", "spans"} & set(result):
            result[name] = result[name][:, :longest]
        return result

    specs = _features(model)

    def tokens(**tensors):
        result = best({name: tensors[spec.name] for name, spec in specs.items()})
        return {
            "token_ids": result["token_ids"],
            "length": result["lengths"],
            "score": result["scores"],
            "confidence": _confidence(result),
        }

    traced = {"tokens": _trace(tokens, specs.values())}
    preprocessor = model.preprocessor
    if preprocessor is None:
        warnings.warn(
            "The model has no preprocessor, so the export takes no raw data: its only signature "
            "is `tokens`.",
            stacklevel=4,
        )
        return traced
    whole_beam = _returning_whole_beam(sampler)

    def text_of(raw, result):
        origin = preprocessor.origin(raw)
        return {
            "text": preprocessor.generate_postprocess(result["token_ids"], origin),
            "score": result["scores"],
            "confidence": _confidence(result),
        }

    inputs = preprocessor.serving_inputs(allowed_ops.ALLOWED_OPS)
    first, (given, read) = next(iter(inputs.items()))
    columns = {column.name: column for column in preprocessor.columns}

    def align(**tensors):
        raw = read(**tensors)
        features = preprocessor.encode(raw)
        result = best(features, with_attention=True)
        selected = model.encoder.select(features)
        words = preprocessor.own_words(raw)
        parts = model.encoder.split_attention(result["attention"], selected)
        named = {}
        for name, weights in parts.items():
            # If the model has only one input, its names have no prefix.
            prefix = f"{columns[name].raw_name}_" if len(parts) > 1 else ""
            pieces = columns[name].tokens_in_graph(features[name], words)
            if pieces is not None:
                named[f"{prefix or 'source_'}tokens"] = pieces
            named[f"{prefix}attention"] = weights
        seconds = seconds_per_position(model.encoder, columns)
        if seconds is not None:
            named["times"] = token_times(result, *parts.values(), seconds)
        target = tokens_in_graph(result["token_ids"], preprocessor.target_tokenizer, words)
        return {**text_of(raw, result), **named, "target_tokens": target}

    def text(read, **tensors):
        raw = read(**tensors)
        return text_of(raw, best(preprocessor.encode(raw)))

    def nbest(**tensors):
        raw = read(**tensors)
        return text_of(raw, run(preprocessor.encode(raw), whole_beam, False))

    for name, (specs_of_inputs, read_inputs) in inputs.items():
        traced["serving_default" if name == first else name] = _trace(
            functools.partial(text, read_inputs), specs_of_inputs.values()
        )
    traced["nbest"] = _trace(nbest, given.values())
    if not model.decoder.attends:
        warnings.warn(
            f"The {type(model.decoder).__name__} has no attention, so the export has no signature "
            "`align`.",
            stacklevel=4,
        )
    else:
        traced["align"] = _trace(align, given.values())
    return traced


def _features(model):
    """Dict from the names of the features to the `tf.TensorSpec` of a batch."""
    return {
        # `encoder_token_ids`, the text of a model with one, becomes `token_ids`.
        name: tf.TensorSpec(shape, dtype, name=name.removeprefix("encoder_"))
        for name, (shape, dtype) in model.encoder.input_spec_for_serving().items()
    }


def _confidence(result):
    """The mean log-probability of the tokens, as `generate` returns it."""
    lengths = tf.cast(tf.maximum(result["lengths"], 1), "float32")
    return tf.cast(result["log_probs"], "float32") / lengths


def _trace(function, specs):
    # The argument names become the names of the inputs for clients.
    traced = tf.function(function, autograph=False)
    return traced.get_concrete_function(**{spec.name: spec for spec in specs})


def _returning_whole_beam(sampler):
    """The sampler; in place of a beam search, one that returns all of its beams."""
    config = sampler.get_config()
    if config.get("num_beams") in (None, config.get("num_return_sequences")):
        return sampler
    return sampler.from_config({**config, "num_return_sequences": config["num_beams"]})
