import keras
from keras import ops

from keras_s2s._backend.shapes import size
from keras_s2s._checks import check_choice, check_rate, check_sizes
from keras_s2s.layers import _recurrence
from keras_s2s.layers._dropout import dropout_mask
from keras_s2s.layers._padding import at_least_one_step
from keras_s2s.layers.encoder import Encoder


@keras.saving.register_keras_serializable("keras_s2s")
class RNNEncoder(Encoder):
    """Recurrent encoder: from a sequence to a memory.

    Args:
        units: Integer, size of the state of each layer and direction.
        cell: One of `"rnn"` (tanh), `"gru"`, `"lstm"`.
        num_layers: Integer, the number of stacked layers.
        bidirectional: Whether each layer reads in both directions. Outputs and states
            of the two are concatenated, so that `dim` is `2 * units`.
        residual: Whether to add its input to each layer's output, from the second on.
        dropout: Float in [0, 1), rate on the input of each layer and on the values.
        recurrent_dropout: Float in [0, 1), rate on the state that enters the gates,
            one mask per sequence.
        variational_dropout: Whether `dropout` too draws one mask per sequence in place
            of one per step (Gal and Ghahramani, 2016,
            https://arxiv.org/abs/1512.05287).
        vocabulary_size: Integer or None. When given, the layer embeds token ids; when
            None, it takes features.
        embedding_dim: Integer, the size of the embedding; `units` when not given.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        inputs: `(batch, source)` integer token ids, where 0 is padding, or
            `(batch, source, features)`.
        mask: `(batch, source)` bool, False at padding. Taken from the token ids, or from
            the mask that Keras attached to the features, when not given.
        training: Whether to apply dropout.

    Returns:
        The memory, a dict of
        `"values"`: `(batch, source, dim)`, zero at padding,
        `"mask"`: `(batch, source)` bool,
        `"state"`: for each layer a list of `(batch, dim)`: h, or h and c. It is the state
        after the last valid position (forwards) and after the first (backwards).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.RNNEncoder(16, cell="lstm", vocabulary_size=100)
    memory = encoder(np.array([[5, 7, 3], [8, 3, 0]]))
    assert memory["values"].shape == (2, 3, 32)
    ```

    References:
        Cho et al., 2014, https://arxiv.org/abs/1406.1078 (GRU, encoder-decoder);
        Sutskever et al., 2014, https://arxiv.org/abs/1409.3215 (LSTM, stacked);
        Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473 (bidirectional).
    """

    def __init__(
        self,
        units,
        cell="gru",
        num_layers=1,
        bidirectional=True,
        residual=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        variational_dropout=False,
        vocabulary_size=None,
        embedding_dim=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("cell", cell, _recurrence.CELLS)
        check_sizes(units=units, num_layers=num_layers)
        check_rate("dropout", dropout)
        check_rate("recurrent_dropout", recurrent_dropout)
        self.units = units
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.residual = residual
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.variational_dropout = variational_dropout
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.seed_generator = keras.random.SeedGenerator()
        self.embedding = None
        if vocabulary_size is not None:
            dim = units if embedding_dim is None else embedding_dim
            check_sizes(vocabulary_size=vocabulary_size, embedding_dim=dim)
            self.embedding = keras.layers.ReversibleEmbedding(
                vocabulary_size,
                dim,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=dim**-0.5),
                dtype=self.dtype_policy,
                name="embedding",
            )
        directions = ("forward", "backward") if bidirectional else ("forward",)
        self.rnn_layers = [
            _recurrence.make(
                cell,
                units,
                self.dtype_policy,
                f"{direction}_{i}",
                go_backwards=direction == "backward",
            )
            for i in range(num_layers)
            for direction in directions
        ]

    @property
    def output_dim(self):
        """Size of the memory's values."""
        return self.units * (2 if self.bidirectional else 1)

    def build(self, inputs_shape, mask_shape=None):
        dim = inputs_shape[-1]
        if self.embedding is not None:
            if not self.embedding.built:
                self.embedding.build(inputs_shape)
            dim = self.embedding.output_dim
        per_layer = 2 if self.bidirectional else 1
        for i, layer in enumerate(self.rnn_layers):
            if not layer.built:
                layer.build((*inputs_shape[:2], dim if i < per_layer else self.output_dim))

    def call(self, inputs, mask=None, training=False):
        if self.embedding is not None:
            inputs = at_least_one_step(inputs)
            mask = ops.not_equal(inputs, 0) if mask is None else mask
            inputs = self.embedding(inputs)
        else:
            if mask is None:
                mask = ops.ones(ops.shape(inputs)[:2], dtype="bool")
            inputs = ops.cast(at_least_one_step(inputs), self.compute_dtype)
        mask = at_least_one_step(ops.cast(mask, "bool"))

        values, state = inputs, []
        for i in range(self.num_layers):
            values = self._drop(values, training)
            outputs, last = self._run_layer(i, values, mask, training)
            values = outputs + values if self.residual and i else outputs
            state.append(last)
        values = self._drop(values, training)
        values = ops.where(ops.expand_dims(mask, -1), values, 0)
        return {"values": values, "mask": mask, "state": state}

    def _run_layer(self, i, inputs, mask, training):
        directions = 2 if self.bidirectional else 1
        outputs, states = [], []
        rows = size(inputs, 0)
        for direction in range(directions):
            layer = self.rnn_layers[i * directions + direction]
            recurrent_mask = None
            if training:
                recurrent_mask = dropout_mask(
                    (rows, self.units),
                    self.recurrent_dropout,
                    inputs.dtype,
                    self.seed_generator,
                )
            output, state = _recurrence.run(
                layer,
                inputs,
                _recurrence.zero_state(self.cell, self.units, rows, inputs.dtype),
                mask,
                recurrent_mask,
            )
            outputs.append(output)
            states.append(state)
        if directions == 1:
            return outputs[0], states[0]
        return ops.concatenate(outputs, -1), [ops.concatenate(pair, -1) for pair in zip(*states)]

    def _drop(self, values, training):
        if not (training and self.dropout):
            return values
        batch, steps, dim = ops.shape(values)
        shape = (batch, 1 if self.variational_dropout else steps, dim)
        return values * dropout_mask(shape, self.dropout, values.dtype, self.seed_generator)

    def compute_output_shape(self, inputs_shape):
        batch, source = inputs_shape[:2]
        size = _recurrence.STATE_SIZE[self.cell]
        return {
            "values": (batch, source, self.output_dim),
            "mask": (batch, source),
            "state": [[(batch, self.output_dim)] * size for _ in range(self.num_layers)],
        }

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "cell": self.cell,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "residual": self.residual,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "variational_dropout": self.variational_dropout,
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
        }
