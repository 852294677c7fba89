"""For authors of decoders: checks what models and samplers rely on."""

import keras
import numpy as np
from keras import ops

from keras_s2s.layers._checking import LayerCheck, arrays, described, example, tensors
from keras_s2s.tokens import START

LENGTHS, ROWS, STEPS = (5, 2, 3), 2, 4


def check_decoder(layer, dim=6, state_sizes=(), tolerance=1e-5, memory=None):
    """Checks that a decoder does what models and samplers rely on, on random data.

    It checks a copy, made from the layer's config, with random weights:

    - `get_config` is complete, so that the copy has the same options,
    - `step` after `step` gives what `call` gives, weights of the attention too,
    - the state keeps its structure, shapes and dtypes, and its first axis is the rows,
    - logits do not depend on tokens that come later,
    - padding of the memory changes nothing, nor do the other examples of a batch,
    - the rows of one example give the same results as each row by itself,
    - attention weights, of decoders that attend, are zero at padding and sum to at most 1,
    - with the dtype policy `"mixed_bfloat16"` logits differ little.

    Args:
        layer: A `keras_s2s.layers.Decoder`; it is left as it is.
        dim: Integer, the size of the memory's values to try.
        state_sizes: For each layer of an encoder the list of its state's sizes, such as
            `[[8]]` for one GRU, where a decoder reads the encoder's state.
        tolerance: Float, the largest difference between what should be equal.
        memory: Dict of what else the memory has for each position, where a decoder reads more than
            `"values"`: arrays `(3, 5, ...)`, of three examples of up to five positions.

    Raises:
        AssertionError: Says which of these does not hold.

    Example:
    ```python
    import keras_s2s

    keras_s2s.layers.check_decoder(keras_s2s.layers.RNNDecoder(9, 4))
    ```
    """
    check = _Check(layer, dim, state_sizes, tolerance, memory or {})
    check.config()
    check.logits()
    check.state()
    check.steps()
    check.causal()
    check.alone()
    check.rows()
    check.attention()
    check.sixteen_bits()


class _Check(LayerCheck):
    def __init__(self, layer, dim, state_sizes, tolerance, memory):
        batch, length = len(LENGTHS), max(LENGTHS)
        memory_shape = {"values": (None, None, dim), "mask": (None, None)}
        for name, value in memory.items():
            if value.shape[:2] != (batch, length):
                raise ValueError(
                    f"`memory` must have arrays ({batch}, {length}, ...). "
                    f"Received for {name!r} the shape {value.shape}"
                )
            memory_shape[name] = (None, None, *value.shape[2:])
        if state_sizes:
            memory_shape["state"] = [[(None, size) for size in sizes] for sizes in state_sizes]
        super().__init__(layer, ((None, None), memory_shape), tolerance)
        mask = np.arange(length) < np.array(LENGTHS)[:, None]
        self.memory = {"values": self.random(batch, length, dim), "mask": mask, **memory}
        self.by_position = ["values", "mask", *memory, *layer.input_names]
        if state_sizes:
            self.memory["state"] = [
                [self.random(batch, size) for size in sizes] for sizes in state_sizes
            ]
        for name in layer.input_names:
            ids = self.rng.integers(4, layer.output_size, mask.shape)
            self.memory[name] = np.where(mask, ids, 0).astype("int32")
        targets = self.rng.integers(4, layer.vocabulary_size, (batch * ROWS, STEPS))
        targets[:, 0] = START
        self.targets = targets
        self.expected = self._call(targets, self.memory, ROWS)

    def _call(self, targets, memory, rows):
        """Logits, and the attention weights of a decoder that attends."""
        options = {"return_attention": True} if self.layer.attends else {}
        outputs = self.layer(tensors(targets), tensors(memory), rows_per_example=rows, **options)
        return arrays(outputs if self.layer.attends else (outputs,))

    def logits(self):
        shape, size = self.expected[0].shape, self.layer.vocabulary_size
        right = shape[:2] == self.targets.shape and shape[2] >= size
        self.say(right, f"logits of {self.targets.shape} targets have the shape {shape}.")
        self.say(np.isfinite(self.expected[0]).all(), "logits are not finite.")

    def _start(self):
        return self.layer.start(tensors(self.memory), ROWS, STEPS)

    def _step(self, tokens, state, memory):
        options = {"return_attention": True} if self.layer.attends else {}
        return self.layer.step(ops.convert_to_tensor(tokens), state, memory, **options)

    def state(self):
        memory, state = self._start()
        _, after, *_ = self._step(self.targets[:, 0], state, memory)
        before, after = described(state), described(after)
        self.say(before == after, f"`start` gives the state {before}, but `step` gives {after}.")
        for x in keras.tree.flatten(state):
            rows = len(self.targets)
            self.say(x.shape[0] == rows, f"the state has {x.shape[0]} rows in place of {rows}.")

    def steps(self):
        memory, state = self._start()
        for t in range(STEPS):
            logits, state, *weights = self._step(self.targets[:, t], state, memory)
            expected = [x[:, t] for x in self.expected]
            self.equal(arrays([logits, *weights]), expected, "`step` differs from `call`.")

    def causal(self):
        changed = np.array(self.targets)
        changed[:, -1] = 4 + (changed[:, -1] - 3) % (self.layer.vocabulary_size - 4)
        results = self._call(changed, self.memory, ROWS)
        before = [x[:, :-1] for x in results], [x[:, :-1] for x in self.expected]
        self.equal(*before, "logits depend on tokens that come later.")

    def alone(self):
        for i, length in enumerate(LENGTHS):
            rows = slice(i * ROWS, (i + 1) * ROWS)
            one = example(self.memory, i)
            one |= {name: one[name][:, :length] for name in self.by_position}
            logits, *weights = self._call(self.targets[rows], one, ROWS)
            expected = [self.expected[0][rows], *(x[rows, :, :length] for x in self.expected[1:])]
            message = "an example alone differs from one in a batch."
            self.equal([logits, *weights], expected, message)

    def rows(self):
        repeated = keras.tree.map_structure(lambda x: np.repeat(x, ROWS, axis=0), self.memory)
        results = self._call(self.targets, repeated, 1)
        self.equal(results, self.expected, "rows of one example differ from each by itself.")

    def attention(self):
        if not self.layer.attends:
            return
        weights = self.expected[1]
        shape = (*self.targets.shape, max(LENGTHS))
        self.say(weights.shape == shape, f"attention weights have the shape {weights.shape}.")
        self.say((weights >= 0).all(), "attention weights are negative.")
        sums = weights.sum(axis=-1)
        self.say((sums < 1 + 1e-4).all(), f"attention weights sum to {sums.max()}, more than 1.")
        valid = np.repeat(self.memory["mask"], ROWS, axis=0)[:, None]
        self.say(not np.where(valid, 0, weights).any(), "padding has attention weights.")

    def sixteen_bits(self):
        layer = self.copy(dtype="mixed_bfloat16")
        memory = tensors(self.memory)
        memory |= {
            name: keras.tree.map_structure(lambda x: ops.cast(x, "bfloat16"), memory[name])
            for name in memory
            if name not in ("mask", *self.layer.input_names)
        }
        logits = layer(tensors(self.targets), memory, rows_per_example=ROWS)
        logits = ops.convert_to_numpy(ops.cast(logits, "float32"))
        scale = max(1.0, np.abs(self.expected[0]).max())
        np.testing.assert_allclose(
            logits,
            self.expected[0],
            atol=0.15 * scale,
            err_msg=f"{type(self.original).__name__}: in 16 bits the logits are others.",
        )
        prepared, state = layer.start(memory, ROWS, STEPS)
        _, after = layer.step(ops.convert_to_tensor(self.targets[:, 0]), state, prepared)
        same = described(after) == described(state)
        self.say(same, "in 16 bits the state changes its dtypes.")
