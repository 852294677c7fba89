"""The signatures of an exported model: named tensors to named tensors, the batch always first."""

import warnings

import tensorflow as tf

from keras_s2s.models._functions import decode


def make(model, sampler, max_length):
    """Traces the signatures that a model can have; see `Seq2Seq.export`.

    Args:
        model: A built `Seq2Seq` whose encoder reads token ids.
        sampler: An object of `keras_s2s.decoding`.
        max_length: Integer or None, as in `Seq2Seq.generate`.

    Returns:
        Dict from the names of the signatures to concrete functions.
    """

    # A plain graph, which takes every shape; XLA would compile each anew.
    @tf.function(autograph=False, jit_compile=False)
    def run(token_ids, sampler, with_attention):
        inputs = {model.encoder_input: token_ids}
        return decode(model, sampler, inputs, max_length, return_attention=with_attention)

    def best(token_ids, with_attention=False):
        result = run(token_ids, sampler, with_attention)
        result = {name: value[:, 0] for name, value in result.items()}
        # What no row needs is not worth sending. At least one, so that a batch of none works.
        longest = tf.reduce_max(tf.concat([result["lengths"], [1]], axis=0))
        for name in ("token_ids", "attention") if with_attention else ("token_ids",):
            result[name] = result[name][:, :longest]
        return result

    def tokens(token_ids):
        result = best(token_ids)
        return {
            "token_ids": result["token_ids"],
            "length": result["lengths"],
            "score": result["scores"],
        }

    traced = {"tokens": _trace(tokens, tf.TensorSpec([None, None], tf.int32, name="token_ids"))}
    preprocessor = model.preprocessor
    if preprocessor is None:
        warnings.warn(
            "The model has no preprocessor, so the export takes no strings: its only signature "
            "is `tokens`.",
            stacklevel=4,
        )
        return traced

    def read(text):
        return preprocessor.generate_preprocess(text)[model.encoder_input]

    def serving_default(text):
        result = best(read(text))
        return {
            "text": preprocessor.generate_postprocess(result["token_ids"]),
            "score": result["scores"],
        }

    whole_beam = _returning_whole_beam(sampler)

    def nbest(text):
        result = run(read(text), whole_beam, False)
        return {
            "text": preprocessor.generate_postprocess(result["token_ids"]),
            "score": result["scores"],
        }

    def align(text):
        source_ids = read(text)
        result = best(source_ids, with_attention=True)
        return {
            "text": preprocessor.generate_postprocess(result["token_ids"]),
            "score": result["scores"],
            "source_tokens": _pieces(preprocessor.source_tokenizer, source_ids),
            "target_tokens": _pieces(preprocessor.target_tokenizer, result["token_ids"]),
            "attention": result["attention"],
        }

    strings = tf.TensorSpec([None], tf.string, name="text")
    traced["serving_default"] = _trace(serving_default, strings)
    traced["nbest"] = _trace(nbest, strings)
    if getattr(model.decoder, "attention", None) is None:
        warnings.warn(
            f"The {type(model.decoder).__name__} has no attention, so the export has no signature "
            "`align`.",
            stacklevel=4,
        )
    else:
        traced["align"] = _trace(align, strings)
    return traced


def _trace(function, spec):
    return tf.function(function, autograph=False).get_concrete_function(spec)


def _returning_whole_beam(sampler):
    """The sampler, or for a beam search one that returns as many as there are beams."""
    config = sampler.get_config()
    if config.get("num_beams") in (None, config.get("num_return_sequences")):
        return sampler
    return sampler.from_config({**config, "num_return_sequences": config["num_beams"]})


def _pieces(tokenizer, ids):
    return tf.where(ids == tokenizer.pad_token_id, "", tokenizer.ids_to_tokens(ids))
