"""The functions that models run on tensors, compiled once per sampler and backend."""

import collections
import json
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_s2s import decoding
from keras_s2s._backend.scan import no_gradient
from keras_s2s.decoding import _compaction


class Alignment(NamedTuple):
    """Where the model looked.

    Attributes:
        source_tokens: List of strings, the pieces of the source; None for an image. A model of
            several inputs has a dict of them, by the `raw_name` of each.
        target_tokens: List of strings, the pieces of the output.
        weights: `(target, source)` float32, one row per piece of the output; for an image
            `(target, rows, columns)`, one grid per piece. A model of several inputs has a dict.
    """

    source_tokens: list | dict | None
    target_tokens: list
    weights: np.ndarray | dict


@no_gradient()
def decode(model, sampler, inputs, max_length=None, return_attention=False, draws=None):
    """From the tensors of the encoder to what the sampler returns: the core of it all.

    Args:
        model: A built `Seq2Seq`.
        sampler: An object of `keras_s2s.decoding`.
        inputs: Dict of the encoder's tensors; where outputs are prompted also
            `"prompt_token_ids"`, what they begin with.
        max_length: Integer, tensor or None for the default of `Seq2Seq.generate`.
        return_attention: Whether the sampler is to return it.
        draws: Dict of what `Random` is told of the request, or None.
    """
    options = dict(draws or {})
    tokenizer = _spelling_tokenizer(model, sampler)
    if tokenizer is not None:
        spellings = tokenizer.get_spellings()[: model.decoder.vocabulary_size]
        options["spellings"] = decoding.Spellings(spellings, model.decoder.vocabulary_size)
    memory = model.encode(inputs)
    lengths = ops.sum(ops.cast(memory["mask"], "int32"), axis=1)
    prompt, prompted, width = None, 0, 0
    if "prompt_token_ids" in inputs:
        prompt = ops.cast(inputs["prompt_token_ids"], "int32")
        prompted = ops.sum(ops.cast(prompt != 0, "int32"), axis=1)
        width = ops.shape(prompt)[1]
    if max_length is None:
        most = getattr(model.preprocessor, "target_length", None) or 256
        steps = width + 2 * ops.shape(memory["mask"])[1] + 10
        max_length = min(steps, most) if isinstance(steps, int) else ops.minimum(steps, most)
        # An example's own length decides, or its output would depend on the others.
        limits = ops.minimum(prompted + 2 * lengths + 10, most)
    else:
        limits = max_length * ops.ones_like(lengths)
    # What is empty gives an empty output: just an end.
    is_empty = model.encoder.is_empty(model.encoder.select(inputs), memory)
    limits = ops.where(is_empty, 1, limits)
    return sampler(
        model.decoder,
        memory,
        max_length,
        prefix=prompt,
        limits=limits,
        return_attention=return_attention,
        **options,
    )


def _spelling_tokenizer(model, sampler):
    """The tokenizer whose texts an n-best list must not repeat; None where there is no list."""
    if not isinstance(sampler, decoding.Beam) or sampler.num_return_sequences == 1:
        return None
    tokenizer = getattr(model.preprocessor, "target_tokenizer", None)
    return tokenizer if hasattr(tokenizer, "get_spellings") else None


@no_gradient()
def score(model, inputs, labels, sample_weight):
    """The log-probability of each row of labels: `(batch,)`."""
    logits = ops.cast(model(inputs, training=False), "float32")
    loss = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return -ops.sum(loss * sample_weight, axis=tuple(range(1, len(loss.shape))))


class Functions:
    """The last compiled functions of a model. Not a dict, which Keras would track and save."""

    #: How many to keep.
    SIZE = 16

    def __init__(self):
        self._cache = collections.OrderedDict()

    def decode(self, model, sampler, return_attention):
        """Function of `(inputs, max_length, indices)`, for the batches of one request.

        `indices` are those of the examples within the request; None for the rows of a batch.
        """

        def function(inputs, max_length, draws):
            return decode(model, sampler, inputs, max_length, return_attention, draws)

        def of_few(inputs, max_length, draws):
            with _compaction.never():
                return function(inputs, max_length, draws)

        most = getattr(model.preprocessor, "target_length", None)
        tokenizer = _spelling_tokenizer(model, sampler)
        key = "decode", _key(sampler), return_attention, most, tokenizer
        draws = isinstance(sampler, decoding.Random)
        changed = () if draws else sampler.variables
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

        run = self._get(model, ("score",), function)

        def on_backend(*pairs):
            """The preprocessor makes TensorFlow's tensors, and the model wants its backend's."""
            return run(*(_to_backend(value) for value in pairs))

        return on_backend

    def generate(self, model, sampler, return_attention):
        """Function of `(raw items, raw prompts or None, max_length, indices)`, as `decode`.

        It returns for each item a list of hypotheses: tuples of text, score, `Alignment`.
        """
        run = self.decode(model, sampler, return_attention)
        preprocessor = model.preprocessor

        def function(items, prompts, max_length, indices):
            features = preprocessor.generate_preprocess(items, prompts)
            inputs = _to_backend(features)
            result = run(inputs, max_length, indices)
            result = {name: ops.convert_to_numpy(value) for name, value in result.items()}
            texts = preprocessor.generate_postprocess(
                result["token_ids"], preprocessor.origin(items)
            )
            alignments = [[None] * len(row) for row in texts]
            if return_attention:
                alignments = _alignments(model, inputs, result)
            scores = result["scores"].tolist()
            return [list(zip(*row)) for row in zip(texts.tolist(), scores, alignments)]

        return function

    def _get(self, model, key, function, changed=(), static=None, of_few=None):
        found = self._cache.pop(key, None) or _compile(model, function, changed, static, of_few)
        self._cache[key] = found
        if len(self._cache) > self.SIZE:
            self._cache.popitem(last=False)
        return found


def _key(sampler):
    # Samplers of other authors may hold what their config does not tell.
    if type(sampler) not in (decoding.Beam, decoding.Greedy, decoding.Random):
        return sampler
    config = sampler.get_config()
    config.pop("seed", None)  # A tensor that functions are given.
    return type(sampler), json.dumps(config, sort_keys=True)


def _compile(model, function, changed, static, of_few):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _compile_tensorflow(function, of_few)
    if backend == "jax":
        return _compile_jax(model, function, changed, static)
    return _without_gradient(function)


def _compile_tensorflow(function, of_few=None):
    """Plain graphs, which take every shape; XLA would compile each anew.

    `of_few`, if given, is what to run in place of `function` on small batches.
    """
    import tensorflow as tf

    specs, graphs = {}, {}

    def spec(tensor, known, few):
        # Any batch and any number of tokens; and axes that differed once may differ again.
        shape = tensor.shape
        if known is not None and known.is_compatible_with(shape):
            return known
        # But the very first sentence comes sooner from a graph for its shape alone.
        if shape.rank and not (few and known is None):
            shape = [None] * shape.rank if tensor.dtype.is_integer else [None, *shape[1:]]
        shape = tf.TensorShape(shape)
        return shape if known is None else known.most_specific_compatible_shape(shape)

    def call(inputs, *arguments):
        arguments = {name: tf.convert_to_tensor(x) for name, x in inputs.items()}, *arguments
        # Which of them are None decides what is traced.
        absent = tf.nest.map_structure(lambda x: x is None, arguments)
        tensors = [tf.convert_to_tensor(x) for x in tf.nest.flatten(arguments) if x is not None]
        few = of_few is not None and tensors[0].shape[0] < _compaction.SMALLEST
        # Features of another size are another kind: images, or what was made of them.
        kinds = [
            (x.dtype, x.shape.rank, x.shape[-1:] if x.dtype.is_floating else 0) for x in tensors
        ]
        kind = few, str(absent), str(kinds)
        known = specs.get(kind, [None] * len(tensors))
        shapes = [spec(x, k, few) for x, k in zip(tensors, known)]
        if shapes != known:

            def run(*tensors):
                given = iter(tensors)
                given = tf.nest.map_structure(lambda x: None if x else next(given), absent)
                return (of_few if few else function)(*given)

            signature = [tf.TensorSpec(s, x.dtype) for s, x in zip(shapes, tensors)]
            graphs[kind] = tf.function(run, input_signature=signature, autograph=False)
            specs[kind] = shapes
        return graphs[kind](*tensors)

    return call


def _compile_jax(model, function, changed, static):
    """`changed` are the variables, beside the model's, that the function changes."""
    import jax

    def stateless(values, *arguments):
        # Weights must be arguments: those that a function closes over are constants of it.
        variables = [*model.variables, *changed]
        with keras.StatelessScope(state_mapping=list(zip(variables, values))) as scope:
            result = function(*arguments)
        return result, [scope.get_current_value(v) for v in changed]

    compiled = jax.jit(stateless, static_argnums=() if static is None else (static + 1,))

    def call(*arguments):
        # In the middle of `fit` the weights are elsewhere.
        model.jax_state_sync()
        values = [v.value for v in (*model.variables, *changed)]
        result, new = compiled(values, *arguments)
        for variable, value in zip(changed, new):
            variable.assign(value)
        return result

    return call


def _without_gradient(function):
    import torch

    return torch.no_grad()(function)


def without_tensorflow(tensor):
    """An array in place of a tensor of TensorFlow, where that is not the backend."""
    foreign = type(tensor).__module__.startswith("tensorflow.")
    if foreign and keras.backend.backend() != "tensorflow":
        return np.asarray(tensor)
    return tensor


def _to_backend(structure):
    """TensorFlow's tensors as those of the backend; for JAX padded, so that few shapes occur."""
    if keras.backend.backend() == "tensorflow":
        return structure

    def convert(tensor):
        value = np.asarray(tensor)
        if keras.backend.backend() == "jax" and value.ndim == 2:
            width = -(-value.shape[1] // 16) * 16
            value = np.pad(value, ((0, 0), (0, width - value.shape[1])))
        return ops.convert_to_tensor(value)

    return keras.tree.map_structure(convert, structure)


def _alignments(model, inputs, result):
    """For each example a list of the `Alignment` of each hypothesis."""
    preprocessor, encoder = model.preprocessor, model.encoder
    columns = {column.name: column for column in preprocessor.columns}
    inputs = keras.tree.map_structure(ops.convert_to_numpy, encoder.select(inputs))
    by_input = encoder.split_attention(result["attention"], inputs)
    by_input = {name: ops.convert_to_numpy(weights) for name, weights in by_input.items()}
    by_name = inputs if isinstance(inputs, dict) else {encoder.input_names[0]: inputs}
    rows = []
    for i, hypotheses in enumerate(result["token_ids"]):
        sources = {name: columns[name].tokens(x[i]) for name, x in by_name.items()}
        rows.append([])
        for j, ids in enumerate(hypotheses):
            ids = ids[ids != 0]
            target = [preprocessor.target_tokenizer.id_to_token(int(t)) for t in ids]
            parts = {}
            for name, tokens in sources.items():
                weights = by_input[name][i, j, : len(ids)]
                parts[name] = weights if tokens is None else weights[:, : len(tokens)]
            if len(sources) == 1:
                [tokens], [weights] = sources.values(), parts.values()
            else:
                tokens = {columns[name].raw_name: value for name, value in sources.items()}
                weights = {columns[name].raw_name: value for name, value in parts.items()}
            rows[-1].append(Alignment(tokens, target, weights))
    return rows
