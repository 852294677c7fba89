"""The smallest encoder and decoder there are, for tests that do not depend on the layers.

Neither has a loop, which is most of what recurrent layers take to trace and to run.
"""

import keras
from keras import ops

from keras_s2s.layers import Decoder, Encoder


@keras.saving.register_keras_serializable("keras_s2s_tests")
class WordEncoder(Encoder):
    """Token ids to their embeddings."""

    def __init__(self, units, vocabulary_size, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.vocabulary_size = units, vocabulary_size
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.embedding = keras.layers.Embedding(vocabulary_size, units, dtype=self.dtype_policy)

    def build(self, shape):
        self.embedding.build(shape)

    def call(self, token_ids, training=False):
        mask = token_ids != 0
        values = self.dropout(self.embedding(token_ids), training=training)
        return {"values": values, "mask": mask}

    def compute_output_shape(self, shape):
        return {"values": (*shape, self.units), "mask": shape}

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "vocabulary_size": self.vocabulary_size,
            "dropout": self.dropout.rate,
        }


@keras.saving.register_keras_serializable("keras_s2s_tests")
class WordDecoder(Decoder):
    """A step knows the sum of the memory, and the last token, which attends to the memory.

    A source of the same words in another order, or with padding, gives the same.
    """

    attends = True

    def __init__(self, vocabulary_size, units, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size, self.units = vocabulary_size, units
        self.embedding = keras.layers.Embedding(vocabulary_size, units, dtype=self.dtype_policy)
        self.logits = keras.layers.Dense(vocabulary_size, dtype=self.dtype_policy)

    def build(self, targets_shape, memory_shape):
        for layer, shape in (
            (self.embedding, targets_shape),
            (self.logits, (None, None, self.units)),
        ):
            if not layer.built:
                layer.build(shape)

    def start(self, memory, rows_per_example=1, max_length=None):
        values = memory["values"]
        total = ops.sum(values * ops.cast(memory["mask"], values.dtype)[..., None], axis=1)
        return memory, {"sum": ops.repeat(total, rows_per_example, axis=0)}

    def step(self, tokens, state, memory, return_attention=False):
        logits, weights = self._attend(tokens[:, None], state["sum"], memory)
        outputs = logits[:, 0], state
        return (*outputs, weights[:, 0]) if return_attention else outputs

    def call(self, targets, memory, training=False, return_attention=False, rows_per_example=1):
        _, state = self.start(memory, rows_per_example)
        outputs = self._attend(targets, state["sum"], memory)
        return outputs if return_attention else outputs[0]

    def _attend(self, targets, total, memory):
        values, mask = memory["values"], memory["mask"]
        query = ops.tanh(self.embedding(targets) + total[:, None])
        rows, steps = ops.shape(targets)
        batch, source = ops.shape(mask)
        # The rows of one example are queries to one memory.
        folded = ops.reshape(query, (batch, -1, self.units))
        scores = ops.cast(ops.matmul(folded, ops.transpose(values, (0, 2, 1))), "float32")
        weights = ops.softmax(ops.where(mask[:, None], scores, -1e9))
        weights = ops.cast(weights, self.compute_dtype)
        context = ops.reshape(ops.matmul(weights, values), (rows, steps, self.units))
        return self.logits(query + context), ops.reshape(weights, (rows, steps, source))

    def compute_output_shape(self, targets_shape, memory_shape):
        return (*targets_shape, self.vocabulary_size)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "units": self.units,
        }
