"""What a decoder relies on, for authors of attentions to check."""

import keras
import numpy as np
from keras import ops

LENGTHS, ROWS, STEPS = (5, 2, 0), 2, 4


def check_attention(layer, query_dim=4, dim=6, tolerance=1e-5):
    """Checks that an attention does what a decoder relies on, on random data.

    It checks a copy, made from the layer's config, with random weights:

    - `get_config` tells all, and the copy has the same,
    - weights are positive, sum to at most 1, and are zero at padding and for an empty memory,
    - `step` after `step` gives what `attend` and a call give,
    - padding changes nothing, nor do the other examples of a batch,
    - the rows of one example give what they give each by itself,
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


class _Check:
    def __init__(self, layer, query_dim, dim, tolerance):
        self.original, self.tolerance = layer, tolerance
        self.rng = np.random.default_rng(0)
        self.shapes = (None, None, query_dim), (None, None, dim)
        self.layer = self._copy()
        length = max(LENGTHS)
        self.query = self._random(len(LENGTHS) * ROWS, STEPS, query_dim)
        mask = np.arange(length) < np.array(LENGTHS)[:, None]
        self.memory = {"values": self._random(len(LENGTHS), length, dim), "mask": mask}

    def _copy(self, **changes):
        config = {**self.original.get_config(), **changes}
        layer = type(self.original).from_config(config)
        layer.build(*self.shapes)
        rng = np.random.default_rng(1)
        for variable in layer.trainable_variables:
            variable.assign(rng.normal(scale=0.5, size=variable.shape))
        return layer

    def _random(self, *shape):
        return self.rng.normal(size=shape).astype("float32")

    def _attend(self, query, memory, **options):
        prepared = self.layer.prepare(_tensors(memory), **options)
        return _arrays(self.layer.attend(ops.convert_to_tensor(query), prepared))

    def _equal(self, got, expected, message):
        for a, b in zip(got, expected):
            np.testing.assert_allclose(
                a, b, atol=self.tolerance, err_msg=f"{type(self.layer).__name__}: {message}"
            )

    def _say(self, holds, message):
        if not holds:
            raise AssertionError(f"{type(self.layer).__name__}: {message}")

    def config(self):
        ours, copied = _options(self.original), _options(self.layer)
        different = sorted(n for n in ours if n in copied and ours[n] != copied[n])
        self._say(not different, f"`get_config` does not tell {', '.join(different)}.")

    def state(self):
        prepared = self.layer.prepare(_tensors(self.memory))
        state = self.layer.start(prepared, ROWS)
        query = ops.convert_to_tensor(self.query[:, 0])
        _, _, after = self.layer.step(query, state, prepared)
        before, after = _described(state), _described(after)
        same = before == after
        self._say(same, f"`start` gives the state {before}, but `step` gives {after}.")
        rows = len(self.query)
        for x in keras.tree.flatten(state):
            self._say(x.shape[0] == rows, f"the state has {x.shape[0]} rows in place of {rows}.")

    def weights(self):
        self.expected_contexts, self.expected_weights = self._attend(self.query, self.memory)
        rows = len(LENGTHS) * ROWS
        shape = (rows, STEPS, max(LENGTHS))
        self._say(
            self.expected_weights.shape == shape,
            f"weights have the shape {self.expected_weights.shape}.",
        )
        self._say((self.expected_weights >= 0).all(), "weights are negative.")
        sums = self.expected_weights.sum(axis=-1)
        self._say((sums < 1 + 1e-4).all(), f"weights sum to {sums.max()}, more than 1.")
        valid = np.repeat(self.memory["mask"], ROWS, axis=0)[:, None]
        outside = np.where(valid, 0, self.expected_weights)
        self._say(not outside.any(), "padding has weights, which the mask forbids.")
        self._say(np.isfinite(self.expected_contexts).all(), "contexts are not finite.")

    def steps(self):
        prepared = self.layer.prepare(_tensors(self.memory))
        state = self.layer.start(prepared, ROWS)
        for t in range(STEPS):
            query = ops.convert_to_tensor(self.query[:, t])
            context, weights, state = self.layer.step(query, state, prepared)
            expected = self.expected_contexts[:, t], self.expected_weights[:, t]
            self._equal(_arrays((context, weights)), expected, "`step` differs from `attend`.")
        rows = slice(None, None, ROWS)
        values, mask = _tensors((self.memory["values"], self.memory["mask"]))
        called = self.layer(ops.convert_to_tensor(self.query[rows]), values, values_mask=mask)
        expected = self.expected_contexts[rows], self.expected_weights[rows]
        self._equal(_arrays(called), expected, "a call differs from `attend`.")

    def padding(self):
        for i, length in enumerate(LENGTHS):
            rows = slice(i * ROWS, (i + 1) * ROWS)
            if length:
                alone = {name: x[i : i + 1, :length] for name, x in self.memory.items()}
                expected = self.expected_contexts[rows], self.expected_weights[rows, :, :length]
                got = self._attend(self.query[rows], alone)
                self._equal(got, expected, "an example alone differs from one in a batch.")
        values = np.pad(self.memory["values"], ((0, 0), (0, 2), (0, 0)), constant_values=9)
        wider = {"values": values, "mask": np.pad(self.memory["mask"], ((0, 0), (0, 2)))}
        contexts, weights = self._attend(self.query, wider)
        got = contexts, weights[..., : max(LENGTHS)]
        self._equal(
            got, (self.expected_contexts, self.expected_weights), "padding changes the result."
        )

    def rows(self):
        repeated = {name: np.repeat(x, ROWS, axis=0) for name, x in self.memory.items()}
        got = self._attend(self.query, repeated)
        self._equal(
            got,
            (self.expected_contexts, self.expected_weights),
            "rows of one example differ from each by itself.",
        )

    def onto(self):
        onto = self._random(self.expected_contexts.shape[-1], 3)
        got = self._attend(self.query, self.memory, onto=ops.convert_to_tensor(onto))
        expected = self.expected_contexts @ onto, self.expected_weights
        self._equal(got, expected, "with `onto`, contexts are not the multiplied ones.")

    def sixteen_bits(self):
        layer = self._copy(dtype="mixed_bfloat16")
        values = ops.cast(ops.convert_to_tensor(self.memory["values"]), "bfloat16")
        prepared = layer.prepare({**_tensors(self.memory), "values": values})
        state = layer.start(prepared, ROWS)
        query = ops.cast(ops.convert_to_tensor(self.query[:, 0]), "bfloat16")
        context, weights, after = layer.step(query, state, prepared)
        dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (context, weights)}
        self._say(dtypes == {"bfloat16"}, f"of queries in bfloat16 it makes {sorted(dtypes)}.")
        same = _described(after) == _described(state)
        self._say(same, "in 16 bits the state changes its dtypes.")
        np.testing.assert_allclose(
            _arrays(ops.cast(weights, "float32")),
            self.expected_weights[:, 0],
            atol=0.15,
            err_msg=f"{type(layer).__name__}: in 16 bits the weights are others.",
        )


def _options(layer):
    """What an author's `__init__` keeps, as far as it is a number or a string."""
    kinds = (bool, int, float, str, type(None))
    others = {"built", "name", "trainable"}
    return {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, kinds) and not name.startswith("_") and name not in others
    }


def _tensors(structure):
    return keras.tree.map_structure(ops.convert_to_tensor, structure)


def _arrays(structure):
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


def _described(state):
    return keras.tree.map_structure(
        lambda x: f"{keras.backend.standardize_dtype(x.dtype)}{tuple(x.shape)}", state
    )
