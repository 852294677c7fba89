"""The functions that models run on tensors, compiled once per sampler and backend."""

import collections
import json

import numpy as np
from keras import ops

from keras_s2s import decoding
from keras_s2s._backend.scan import no_gradient
from keras_s2s._backend.shapes import size
from keras_s2s.layers._ctc_alignment import align
from keras_s2s.layers.ctc import LOG_PROBS
from keras_s2s.models._compile import compile, to_backend
from keras_s2s.models._each_output import each_output
from keras_s2s.models.alignment import alignments
from keras_s2s.tokens import END, PAD


@no_gradient()
def decode(
    model, sampler, inputs, max_length=None, return_attention=False, options=None, encode=None
):
    """Encodes tensors and decodes with the sampler: the common core of `generate` and exports.

    Args:
        model: A built `Seq2Seq`.
        sampler: An object of `keras_s2s.decoding`.
        inputs: Dict of the encoder's tensors, and with prompts also of `"prompt_token_ids"`, which
            outputs begin with.
        max_length: Integer, tensor or None for the default of `Seq2Seq.generate`.
        return_attention: Whether the sampler is to return attention weights.
        options: Dict of further arguments of the sampler's call, or None.
        encode: What to call in place of `model.encode`, or None.

    Returns:
        What the sampler returned; with attention of a model with a `keras_s2s.layers.CTC` also
        `"spans"` `(batch, n, target, 2)`, the positions where it finds each token.
    """
    options = dict(options or {})
    tokenizer = _spelling_tokenizer(model, sampler)
    if tokenizer is not None:
        spellings = tokenizer.get_spellings()[: model.decoder.vocabulary_size]
        # Ids beyond the vocabulary mean words that differ: any texts do that no piece spells.
        own = range(model.decoder.output_size - len(spellings))
        spellings += [f"\0{slot} ".encode() for slot in own]
        options["spellings"] = decoding.Spellings(spellings, model.decoder.output_size)
    memory = (encode or model.encode)(inputs)
    lengths = ops.sum(ops.cast(memory["mask"], "int32"), axis=1)
    prompt, prompted, width = None, 0, 0
    if "prompt_token_ids" in inputs:
        prompt = ops.cast(inputs["prompt_token_ids"], "int32")
        prompted = ops.sum(ops.cast(prompt != 0, "int32"), axis=1)
        width = size(prompt, 1)
    if max_length is None:
        most = getattr(model.preprocessor, "target_length", None) or 256
        steps = width + 2 * size(memory["mask"], 1) + 10
        max_length = min(steps, most) if isinstance(steps, int) else ops.minimum(steps, most)
        # The length of an example limits it, so that its output does not depend on the others.
        limits = ops.minimum(prompted + 2 * lengths + 10, most)
    else:
        limits = max_length * ops.ones_like(lengths)
    # An empty input gives an empty output: only the end token.
    is_empty = model.encoder.is_empty(model.encoder.select(inputs), memory)
    limits = ops.where(is_empty, 1, limits)
    result = sampler(
        model.fused_decoder,
        memory,
        max_length,
        prefix=prompt,
        limits=limits,
        return_attention=return_attention,
        **options,
    )
    if return_attention and LOG_PROBS in memory:
        result["spans"] = _spans(memory, result["token_ids"])
    return result


def _spans(memory, token_ids):
    """The first position of each token and the one after its last, `(batch, n, target, 2)`."""
    batch, outputs_per_example, length = ops.shape(token_ids)
    labels = ops.where(token_ids == END, PAD, token_ids)
    labels = ops.reshape(labels, (batch * outputs_per_example, length))
    spans = align(memory[LOG_PROBS], memory["mask"], labels)
    return ops.reshape(spans, (batch, outputs_per_example, length, 2))


def _spelling_tokenizer(model, sampler):
    """The tokenizer that tells equal texts of an n-best list; None where there is no list."""
    if not isinstance(sampler, decoding.Beam) or sampler.num_return_sequences == 1:
        return None
    tokenizer = getattr(model.preprocessor, "target_tokenizer", None)
    return tokenizer if hasattr(tokenizer, "get_spellings") else None


@no_gradient()
def score(model, inputs, labels, sample_weight):
    """The log-probability of each row of labels, with scorers the score: `(batch,)`."""
    decoder = model.fused_decoder
    scores = each_output(decoder, inputs["decoder_token_ids"], model.encode(inputs))
    scores = ops.cast(scores, "float32")
    if not decoder.gives_scores:
        scores = ops.log_softmax(scores, axis=-1)
    chosen = ops.take_along_axis(scores, ops.expand_dims(ops.cast(labels, "int32"), -1), axis=-1)
    chosen = ops.squeeze(chosen, -1) * sample_weight
    return ops.sum(chosen, axis=tuple(range(1, len(chosen.shape))))


_OURS = (decoding.Beam, decoding.Greedy, decoding.Random)


class Functions:
    """A cache of a model's compiled functions. Not a dict, which Keras would track and save."""

    #: How many to keep.
    SIZE = 16

    def __init__(self):
        self._cache = collections.OrderedDict()

    def decode(self, model, sampler, return_attention):
        """Function of `(inputs, max_length, indices)`, for the batches of one request.

        `indices` are the examples' places within the request; None for their rows in the batch.
        """

        def function(inputs, max_length, draws):
            return decode(model, sampler, inputs, max_length, return_attention, draws)

        def of_few(inputs, max_length, draws):
            options = {**(draws or {}), "drop_finished": False}
            return decode(model, sampler, inputs, max_length, return_attention, options)

        most = getattr(model.preprocessor, "target_length", None)
        tokenizer = _spelling_tokenizer(model, sampler)
        key = "decode", _key(sampler), return_attention, most, tokenizer, model.scorer_weights
        draws = isinstance(sampler, decoding.Random)
        changed = () if draws else sampler.variables
        # Samplers by other authors may not take `drop_finished`.
        of_few = of_few if type(sampler) in _OURS else None
        run = self._get(model, key, function, changed, static=1, of_few=of_few)
        if not draws:
            return lambda inputs, max_length, indices=None: run(inputs, max_length, None)
        seed = sampler.next_seed()

        def with_seed(inputs, max_length, indices=None):
            if indices is not None:
                indices = ops.convert_to_tensor(indices, "int32")
            return run(inputs, max_length, {"seed": seed, "indices": indices})

        return with_seed

    def score(self, model):
        def function(inputs, labels, sample_weight):
            return score(model, inputs, labels, sample_weight)

        run = self._get(model, ("score", model.scorer_weights), function)

        def on_backend(*pairs):
            """Converts the preprocessor's TensorFlow tensors to tensors of the backend."""
            return run(*(to_backend(value) for value in pairs))

        return on_backend

    def generate(self, model, sampler, return_attention):
        """Function of `(raw items, raw prompts or None, max_length, indices)`, see `decode`.

        It returns for each item a list of hypotheses: tuples of text, score, confidence and
        `Alignment`.
        """
        run = self.decode(model, sampler, return_attention)
        preprocessor = model.preprocessor

        def function(items, prompts, max_length, indices):
            features = preprocessor.generate_preprocess(items, prompts)
            inputs = to_backend(features)
            result = run(inputs, max_length, indices)
            result = {name: ops.convert_to_numpy(value) for name, value in result.items()}
            texts = preprocessor.generate_postprocess(
                result["token_ids"], preprocessor.origin(items)
            )
            alignment_rows = [[None] * len(row) for row in texts]
            if return_attention:
                alignment_rows = alignments(model, inputs, result, preprocessor.own_words(items))
            confidences = result["log_probs"] / np.maximum(result["lengths"], 1)
            columns = (
                texts.tolist(),
                result["scores"].tolist(),
                confidences.tolist(),
                alignment_rows,
            )
            return [list(zip(*row)) for row in zip(*columns)]

        return function

    def _get(self, model, key, function, changed=(), static=None, of_few=None):
        compiled = self._cache.pop(key, None) or compile(model, function, changed, static, of_few)
        self._cache[key] = compiled
        if len(self._cache) > self.SIZE:
            self._cache.popitem(last=False)
        return compiled


def _key(sampler):
    # Samplers by other authors may have options that are missing from their config.
    if type(sampler) not in _OURS:
        return sampler
    config = sampler.get_config()
    config.pop("seed", None)  # An argument of the compiled functions.
    return type(sampler), json.dumps(config, sort_keys=True)
