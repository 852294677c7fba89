"""For authors of attentions: checks what a decoder relies on."""

import keras
import numpy as np
from keras import ops

from keras_s2s.layers._checking import LayerCheck, arrays, described, tensors

LENGTHS, ROWS, STEPS = (5, 2, 0), 2, 4


def check_attention(layer, query_dim=4, dim=6, tolerance=1e-5):
    """Checks that an attention does what a decoder relies on, on random data.

    It checks a copy, made from the layer's config, with random weights:

    - `get_config` is complete, so that the copy has the same options,
    - weights are never negative, sum to at most 1, and are zero at padding and for an empty memory,
    - `step` after `step` gives what `attend` and a call give,
    - padding changes nothing, nor do the other examples of a batch,
    - the rows of one example give the same results as each row by itself,
    - with `onto`, contexts come multiplied,
    - the state keeps its structure, shapes and dtypes, also in 16 bits.

    Args:
        layer: A `keras_s2s.layers.Attention`; it is left as it is.
        query_dim: Integer, the size of queries to try.
        dim: Integer, the size of the memory to try.
        tolerance: Float, the largest difference between what should be equal.

    Raises:
        AssertionError: Says which of these does not hold.

    Example:
    ```python
    import keras_s2s

    keras_s2s.layers.check_attention(keras_s2s.layers.BahdanauAttention(8))
    ```
    """
    check = _Check(layer, query_dim, dim, tolerance)
    check.config()
    check.state()
    check.weights()
    check.steps()
    check.padding()
    check.rows()
    check.onto()
    check.sixteen_bits()


class _Check(LayerCheck):
    def __init__(self, layer, query_dim, dim, tolerance):
        super().__init__(layer, ((None, None, query_dim), (None, None, dim)), tolerance)
        length = max(LENGTHS)
        self.query = self.random(len(LENGTHS) * ROWS, STEPS, query_dim)
        mask = np.arange(length) < np.array(LENGTHS)[:, None]
        self.memory = {"values": self.random(len(LENGTHS), length, dim), "mask": mask}

    def _attend(self, query, memory, **options):
        prepared = self.layer.prepare(tensors(memory), **options)
        return arrays(self.layer.attend(ops.convert_to_tensor(query), prepared))

    def state(self):
        prepared = self.layer.prepare(tensors(self.memory))
        state = self.layer.start(prepared, ROWS)
        query = ops.convert_to_tensor(self.query[:, 0])
        _, _, after = self.layer.step(query, state, prepared)
        before, after = described(state), described(after)
        same = before == after
        self.say(same, f"`start` gives the state {before}, but `step` gives {after}.")
        rows = len(self.query)
        for x in keras.tree.flatten(state):
            self.say(x.shape[0] == rows, f"the state has {x.shape[0]} rows in place of {rows}.")

    def weights(self):
        self.expected_contexts, self.expected_weights = self._attend(self.query, self.memory)
        rows = len(LENGTHS) * ROWS
        shape = (rows, STEPS, max(LENGTHS))
        self.say(
            self.expected_weights.shape == shape,
            f"weights have the shape {self.expected_weights.shape}.",
        )
        self.say((self.expected_weights >= 0).all(), "weights are negative.")
        sums = self.expected_weights.sum(axis=-1)
        self.say((sums < 1 + 1e-4).all(), f"weights sum to {sums.max()}, more than 1.")
        valid = np.repeat(self.memory["mask"], ROWS, axis=0)[:, None]
        outside = np.where(valid, 0, self.expected_weights)
        self.say(not outside.any(), "padding has weights, which the mask forbids.")
        self.say(np.isfinite(self.expected_contexts).all(), "contexts are not finite.")

    def steps(self):
        prepared = self.layer.prepare(tensors(self.memory))
        state = self.layer.start(prepared, ROWS)
        for t in range(STEPS):
            query = ops.convert_to_tensor(self.query[:, t])
            context, weights, state = self.layer.step(query, state, prepared)
            expected = self.expected_contexts[:, t], self.expected_weights[:, t]
            self.equal(arrays((context, weights)), expected, "`step` differs from `attend`.")
        rows = slice(None, None, ROWS)
        values, mask = tensors((self.memory["values"], self.memory["mask"]))
        called = self.layer(ops.convert_to_tensor(self.query[rows]), values, values_mask=mask)
        expected = self.expected_contexts[rows], self.expected_weights[rows]
        self.equal(arrays(called), expected, "a call differs from `attend`.")

    def padding(self):
        for i, length in enumerate(LENGTHS):
            rows = slice(i * ROWS, (i + 1) * ROWS)
            if length:
                alone = {name: x[i : i + 1, :length] for name, x in self.memory.items()}
                expected = self.expected_contexts[rows], self.expected_weights[rows, :, :length]
                got = self._attend(self.query[rows], alone)
                self.equal(got, expected, "an example alone differs from one in a batch.")
        values = np.pad(self.memory["values"], ((0, 0), (0, 2), (0, 0)), constant_values=9)
        wider = {"values": values, "mask": np.pad(self.memory["mask"], ((0, 0), (0, 2)))}
        contexts, weights = self._attend(self.query, wider)
        got = contexts, weights[..., : max(LENGTHS)]
        self.equal(
            got, (self.expected_contexts, self.expected_weights), "padding changes the result."
        )

    def rows(self):
        repeated = {name: np.repeat(x, ROWS, axis=0) for name, x in self.memory.items()}
        got = self._attend(self.query, repeated)
        self.equal(
            got,
            (self.expected_contexts, self.expected_weights),
            "rows of one example differ from each by itself.",
        )

    def onto(self):
        onto = self.random(self.expected_contexts.shape[-1], 3)
        got = self._attend(self.query, self.memory, onto=ops.convert_to_tensor(onto))
        expected = self.expected_contexts @ onto, self.expected_weights
        self.equal(got, expected, "with `onto`, contexts are not the multiplied ones.")

    def sixteen_bits(self):
        layer = self.copy(dtype="mixed_bfloat16")
        values = ops.cast(ops.convert_to_tensor(self.memory["values"]), "bfloat16")
        prepared = layer.prepare({**tensors(self.memory), "values": values})
        state = layer.start(prepared, ROWS)
        query = ops.cast(ops.convert_to_tensor(self.query[:, 0]), "bfloat16")
        context, weights, after = layer.step(query, state, prepared)
        dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (context, weights)}
        self.say(dtypes == {"bfloat16"}, f"of queries in bfloat16 it makes {sorted(dtypes)}.")
        same = described(after) == described(state)
        self.say(same, "in 16 bits the state changes its dtypes.")
        np.testing.assert_allclose(
            arrays(ops.cast(weights, "float32")),
            self.expected_weights[:, 0],
            atol=0.15,
            err_msg=f"{type(layer).__name__}: in 16 bits the weights are others.",
        )
