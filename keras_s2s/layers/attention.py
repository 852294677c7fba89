"""The common part of all attentions over a memory: mask, softmax, weighted sum."""

import keras
from keras import ops

from keras_s2s._backend.log_zero import IMPOSSIBLE
from keras_s2s._backend.scan import multiply, scan, with_matrices
from keras_s2s._backend.shapes import product, size
from keras_s2s.layers._parts import KeepsParts
from keras_s2s.layers._quantized import matrix


class Attention(KeepsParts, keras.layers.Layer):
    """Base of the attentions: from queries and a memory to contexts and weights.

    By itself an attention is a layer to call. A decoder uses three methods instead:

    - `prepare(memory)` once for a batch: what depends on the memory alone, and the weights,
    - `start(prepared)` before the first step: the attention's own state, `{}` where it has none,
    - `step(query, state, prepared)` at each step: context, weights and the new state.

    The rows of one example (its beams, or several outputs to learn) lie side by side and are
    queries to one memory, which is never repeated. `attend` takes all steps at once, with the
    same result: as one product where there is no state, else as a loop of `step`.

    A subclass implements `project_keys(values)` and `score(query, state, prepared)`, and sets
    `query_projection` if it has one. One with a state implements `start` and `update`, too. In
    these, queries are `(batch, queries, units)`, and the tensors of the state `(batch, queries,
    ...)`. `score` and `update` read no variables, only tensors that `prepare` put into its dict, so
    that a loop over steps finds their gradients.

    Args:
        **kwargs: Keras's own layer arguments, such as `name` and `dtype`.

    Call arguments:
        query: `(batch, queries, query_dim)`.
        values: `(batch, source, dim)`, the memory.
        values_mask: `(batch, source)` bool, False at padding. Taken from the mask that
            Keras attaches to `values` when not given.

    Returns:
        Tuple of contexts `(batch, queries, dim)` and attention weights
        `(batch, queries, source)`. The weights of a row whose memory is all padding
        are zero.
    """

    #: The default `order` of a decoder with this attention: `"bahdanau"` (attend, then run the
    #: cell) or `"luong"` (the reverse).
    order = "bahdanau"
    #: The names of the matrices from `prepare` that a step multiplies by once, with `multiply`.
    #: Their gradient is one product after the loop; other gradients are summed step by step.
    matrices = ("query", "values", "output")

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        #: A `Dense` without bias that the query goes through before `score`, or None.
        self.query_projection = None

    def project_keys(self, values):
        """Returns the keys `(batch, source, units)` of `values` `(batch, source, dim)`."""
        raise NotImplementedError

    def prepare(self, memory, dtype=None, onto=None):
        """Computes once what all steps need.

        Args:
            memory: Dict of `"values"` `(batch, source, dim)` and `"mask"` `(batch, source)`, such
                as an encoder returns.
            dtype: The dtype of queries and contexts; by default the dtype of the values.
            onto: A matrix `(context_dim, size)` that contexts are to be multiplied by, or None.
                The memory is multiplied in their place, which gives the same contexts.

        Returns:
            Dict of tensors, for `start`, `step` and `attend`.
        """
        values = memory["values"]
        prepared = {"mask": memory["mask"], "keys": self.project_keys(values)}
        values = ops.cast(values, dtype or values.dtype)
        prepared["values"] = values if onto is None else product(values, onto)
        if self.query_projection is not None:
            prepared["query"] = matrix(self.query_projection, values.dtype)
        return prepared

    def start(self, prepared, rows_per_example=1):
        """The state before the first step: a dict of tensors with an entry for each row."""
        return {}

    def step(self, query, state, prepared):
        """One step.

        Args:
            query: `(rows, query_dim)`, the rows of one example side by side.
            state: What `start` or the last step returned.
            prepared: What `prepare` returned.

        Returns:
            Tuple of contexts `(rows, context_dim)`, multiplied by `onto` if `prepare` got one;
            weights `(rows, source)`; and the new state.
        """
        rows, batch = size(query, 0), size(prepared["mask"], 0)
        per_example = count_rows_per_example(rows, batch)

        def fold(x):
            return ops.reshape(x, (batch, per_example, *_sizes(x)[1:]))

        def unfold(x):
            return ops.reshape(x, (rows, *_sizes(x)[2:]))

        projected = multiply(query, prepared["query"]) if "query" in prepared else query
        # An attention that was given to a decoder may have a dtype policy of its own.
        projected = fold(ops.cast(projected, prepared["keys"].dtype))
        folded = keras.tree.map_structure(fold, state)
        context, weights, folded = self.glimpse(projected, folded, prepared, query.dtype)
        context = unfold(context)
        if "output" in prepared:
            context = multiply(context, prepared["output"])
        return context, unfold(weights), keras.tree.map_structure(unfold, folded)

    def attend(self, query, prepared):
        """All steps at once.

        Args:
            query: `(rows, steps, query_dim)`.
            prepared: What `prepare` returned.

        Returns:
            Tuple of contexts `(rows, steps, context_dim)` and weights `(rows, steps, source)`.
        """
        rows, steps = size(query, 0), size(query, 1)
        batch = size(prepared["mask"], 0)
        state = self.start(prepared, count_rows_per_example(rows, batch))
        if not state:
            # No step depends on another, so all steps of all rows are queries at once.
            flat = ops.reshape(query, (rows * steps, query.shape[-1]))
            outputs = self.step(flat, state, prepared)[:2]
            return tuple(ops.reshape(x, (rows, steps, size(x, -1))) for x in outputs)

        def step(state, query, prepared):
            context, weights, state = self.step(query, state, prepared)
            return state, (context, weights)

        query = ops.transpose(query, (1, 0, 2))
        source = size(prepared["mask"], 1)
        like = tuple(
            ops.zeros((rows, width), dtype=query.dtype)
            for width in (self._context_dim(prepared), source)
        )
        constants = with_matrices(prepared, self.matrices)
        _, outputs = scan(step, state, query, like, constants)
        return tuple(ops.transpose(x, (1, 0, 2)) for x in outputs)

    def _context_dim(self, prepared):
        last = "output" if "output" in prepared else "values"
        return prepared[last].shape[-1]

    def score(self, query, state, prepared):
        """Scores every position for every query.

        Args:
            query: `(batch, queries, units)`, projected if there is a `query_projection`.
            state: The state, whose tensors are `(batch, queries, ...)`.
            prepared: What `prepare` returned, with `"keys"` `(batch, source, units)`.

        Returns:
            `(batch, queries, source)`, before the softmax.
        """
        raise NotImplementedError

    def update(self, state, weights, prepared):
        """The state after a step with float32 weights `(batch, queries, source)`."""
        return state

    def weigh(self, scores, mask):
        """The softmax of scores `(batch, queries, source)` over the positions of the mask.

        Args:
            scores: As `score` returned them.
            mask: Bool, `(batch, source)`, or `(batch, queries, source)` where queries differ.

        Returns:
            Float32 weights `(batch, queries, source)`, zero outside of the mask.
        """
        # A float16 sum over the source would lose digits, so the softmax is float32.
        scores = ops.cast(scores, "float32")
        valid = ops.cast(mask, "bool")
        if len(valid.shape) == 2:
            valid = ops.expand_dims(valid, 1)
        scores = ops.where(valid, scores, IMPOSSIBLE)
        # Not `ops.softmax`, which warns if the source has only one position.
        weights = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
        return ops.where(valid, weights, 0.0)

    def glimpse(self, query, state, prepared, dtype):
        """One look at the memory: scores, weights and the weighted sum.

        Args:
            query: `(batch, queries, units)`, projected.
            state: The state, whose tensors are `(batch, queries, ...)`.
            prepared: What `prepare` returned.
            dtype: The dtype of the contexts and weights.

        Returns:
            Tuple of contexts `(batch, queries, dim)`, weights `(batch, queries, source)` and the
            new state.
        """
        weights = self.weigh(self.score(query, state, prepared), prepared["mask"])
        state = self.update(state, weights, prepared)
        return *self.look(weights, prepared, dtype), state

    def look(self, weights, prepared, dtype):
        """The contexts of float32 weights `(batch, queries, source)`; both in `dtype`."""
        weights = ops.cast(weights, dtype)
        return multiply(weights, prepared["values"]), weights

    def call(self, query, values, values_mask=None):
        if values_mask is None:
            values_mask = ops.ones(ops.shape(values)[:2], dtype="bool")
        return self.attend(query, self.prepare({"values": values, "mask": values_mask}))

    def compute_mask(self, *args, **kwargs):
        return None

    def compute_output_shape(self, query_shape, values_shape, **kwargs):
        weights = (*query_shape[:2], values_shape[1])
        return (*query_shape[:2], values_shape[2]), weights

    def compute_output_spec(self, query, values, values_mask=None):
        shapes = self.compute_output_shape(query.shape, values.shape)
        return tuple(keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes)


def _sizes(x):
    """The sizes of all axes; see `size`."""
    return tuple(size(x, axis) for axis in range(len(x.shape)))


def count_rows_per_example(rows, batch):
    """How many rows each example of a batch has."""
    # Computed, since a reshape cannot infer -1 if the batch is empty.
    if ops.is_tensor(batch) or ops.is_tensor(rows):
        return ops.where(batch > 0, rows // ops.maximum(batch, 1), 1)
    return rows // batch if batch else 1


class AdditiveScore(keras.layers.Layer):
    """`v . tanh(query + key)`, for projected queries and keys of the same size.

    Args:
        normalize: Whether to use `g v / |v|`, with a trained scalar g, in place of v and
            to add a trained bias inside the tanh (Salimans and Kingma, 2016,
            https://arxiv.org/abs/1602.07868).
    """

    def __init__(self, units, normalize=False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.normalize = normalize

    def build(self, query_shape, keys_shape):
        self.vector = self.add_weight((self.units,), initializer="glorot_uniform", name="vector")
        if self.normalize:
            self.gain = self.add_weight(
                (), initializer=keras.initializers.Constant(self.units**-0.5), name="gain"
            )
            self.bias = self.add_weight((self.units,), initializer="zeros", name="bias")

    def prepare(self, dtype):
        """The weights as `additive_scores` takes them, a dict."""
        vector = ops.cast(self.vector, dtype)
        if not self.normalize:
            return {"vector": vector}
        vector = ops.cast(self.gain, dtype) * vector * ops.rsqrt(ops.sum(ops.square(vector)))
        return {"vector": vector, "bias": ops.cast(self.bias, dtype)}


def additive_scores(query, keys, weights, more=None):
    """`v . tanh(query + key + bias + more)`.

    Args:
        query: `(batch, queries, units)`.
        keys: `(batch, source, units)`.
        weights: What `AdditiveScore.prepare` returned.
        more: `(batch, queries, source, units)`, or None.

    Returns:
        Scores `(batch, queries, source)`.
    """
    if "bias" in weights:
        query = query + weights["bias"]
    hidden = ops.expand_dims(query, 2) + ops.expand_dims(keys, 1)
    hidden = ops.tanh(hidden if more is None else hidden + more)
    return ops.squeeze(product(hidden, ops.expand_dims(weights["vector"], -1)), -1)
