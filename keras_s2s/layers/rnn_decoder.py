import keras
from keras import ops

from keras_s2s._backend.scan import scan, with_matrices
from keras_s2s._backend.shapes import add, repeat_rows, size
from keras_s2s._backend.split import split
from keras_s2s._checks import check_choice, check_rate, check_sizes
from keras_s2s.layers import _readout, _recurrence, attention_names
from keras_s2s.layers._dropout import dropout_mask
from keras_s2s.layers._padding import at_least_one_step
from keras_s2s.layers._recurrent_stack import RecurrentStack
from keras_s2s.layers.attention_losses import AttentionLoss, DoublyStochastic
from keras_s2s.layers.bridge import BRIDGES, Bridge
from keras_s2s.layers.decoder import Decoder
from keras_s2s.layers.heads import Head, VocabularyHead

ORDERS = ("bahdanau", "luong")


@keras.saving.register_keras_serializable("keras_s2s")
class RNNDecoder(Decoder):
    """Recurrent decoder: a step over tokens that reads a memory.

    | order | one step |
    |---|---|
    | `"bahdanau"` | context c of the previous state; s = cell([embedding y; c]); r = tanh(W [s; c; y]) |
    | `"luong"` | s = cell(y); context c of s; r = tanh(W [c; s]) |
    | `"luong"`, input feeding | s = cell([y; r of the previous step]); then the same |
    | no attention | s = cell(y); r = tanh(W s) |

    The logits are the readout r times the output embedding, or what another head makes of it. In
    a stack, the query is the state of the last layer, and the context or the fed readout enters
    the first.

    Where no step depends on an attention result, `call` is one recurrent layer over all
    steps and one attention over all of its outputs. Otherwise it is a loop that holds
    only what depends on the step before.

    Args:
        vocabulary_size: Integer, the number of tokens, including padding (0).
        units: Integer, size of the state of each layer.
        embedding_dim: Integer, the size of the embedding; `units` when not given.
        cell: One of `"rnn"` (tanh), `"gru"`, `"lstm"`.
        num_layers: Integer, the number of stacked layers.
        attention: An attention layer; the name of one with its defaults, `"bahdanau"`,
            `"luong"`, `"multi_head"` (8 heads), `"coverage"`, `"location_aware"` or `"local"`
            (monotonic); or None for the encoder's last state alone.
        order: `"bahdanau"` (attend, then run the cell) or `"luong"` (the reverse). By
            default the order of the attention's authors. Any attention goes with both.
        input_feeding: Whether the readout enters the next step's cell. Only in Luong's
            order; Bahdanau's feeds the context anyway.
        bridge: `"dense"`, `"copy"` or `"zero"`, see `keras_s2s.layers.Bridge`.
        residual: Whether to add its input to each layer's output, from the second on.
        dropout: Float in [0, 1), rate on the embedding, between layers, and on the
            readout.
        recurrent_dropout: Float in [0, 1), rate on the state that enters the gates,
            one mask per sequence.
        variational_dropout: Whether `dropout` too draws one mask per sequence in place
            of one per step.
        tie_embeddings: Whether the output embedding is the input embedding.
        doubly_stochastic: Float, short for `keras_s2s.layers.DoublyStochastic` with this factor
            among the `attention_losses`.
        attention_losses: Losses on the attention weights in training, such as
            `[keras_s2s.layers.CoverageLoss()]`.
        head: A `keras_s2s.layers.Head`, which makes logits from the readout; by default a
            `keras_s2s.layers.VocabularyHead`.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        targets: `(rows, target)` integer token ids that enter the steps: the start
            token, then the target shifted by one; 0 is padding.
        memory: What an encoder returned: a dict of `"values"` `(batch, source, dim)`,
            `"mask"` `(batch, source)` and, for the bridge, `"state"`.
        training: Whether to apply dropout.
        return_attention: Whether to return the attention weights too.
        rows_per_example: Integer, the rows of targets that each example of the memory
            has, side by side, such as several captions of one image.

    Returns:
        Logits `(rows, target, output_size)`, which is `vocabulary_size` unless the head knows
        other ids too; with `return_attention` a tuple of them and the weights `(rows, target,
        source)`.

    Raises:
        ValueError: If an argument is out of its range, or two of them do not go together.
        TypeError: If one of the `attention_losses`, or the `head`, is of another kind.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.RNNEncoder(16, vocabulary_size=100)
    decoder = keras_s2s.layers.RNNDecoder(90, 32, attention="bahdanau")
    memory = encoder(np.array([[5, 7, 3], [8, 3, 0]]))
    logits = decoder(np.array([[2, 11, 12], [2, 13, 0]]), memory)
    assert logits.shape == (2, 3, 90)

    memory, state = decoder.start(memory)
    step_logits, state = decoder.step(np.array([2, 2]), state, memory)
    np.testing.assert_allclose(step_logits, logits[:, 0], atol=1e-5)
    ```

    References:
        Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473, appendix A.2;
        Luong et al., 2015, https://arxiv.org/abs/1508.04025, sections 3 and 3.3;
        Press and Wolf, 2017, https://arxiv.org/abs/1608.05859 (tied embeddings);
        Xu et al., 2015, https://arxiv.org/abs/1502.03044, section 4.2.1 (doubly
        stochastic attention).
    """  # noqa: E501

    def __init__(
        self,
        vocabulary_size,
        units,
        embedding_dim=None,
        cell="gru",
        num_layers=1,
        attention="bahdanau",
        order=None,
        input_feeding=False,
        bridge="dense",
        residual=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        variational_dropout=False,
        tie_embeddings=True,
        doubly_stochastic=0.0,
        attention_losses=(),
        head=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("cell", cell, _recurrence.CELLS)
        check_rate("dropout", dropout)
        check_rate("recurrent_dropout", recurrent_dropout)
        self.vocabulary_size = vocabulary_size
        self.units = units
        self.embedding_dim = units if embedding_dim is None else embedding_dim
        check_sizes(
            vocabulary_size=vocabulary_size,
            units=units,
            embedding_dim=self.embedding_dim,
            num_layers=num_layers,
        )
        self.cell = cell
        self.num_layers = num_layers
        self.attention = attention_names.get(
            attention, units, dtype=self.dtype_policy, name="attention"
        )
        self.order = order or (ORDERS[0] if self.attention is None else self.attention.order)
        check_choice("order", self.order, ORDERS)
        if input_feeding and (self.attention is None or self.order != "luong"):
            raise ValueError(
                "`input_feeding` feeds the attentional readout of Luong's order: use it with an "
                f"attention and order='luong'. Received: attention={attention!r}, order={order!r}"
            )
        self.input_feeding = input_feeding
        self.bridge_kind = check_choice("bridge", bridge, BRIDGES)
        self.residual = residual
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.variational_dropout = variational_dropout
        self.tie_embeddings = tie_embeddings
        self.doubly_stochastic = doubly_stochastic
        # A tuple, which Keras does not wrap.
        self.attention_losses = tuple(map(_as_loss, attention_losses))
        if self.attention is None and (doubly_stochastic or attention_losses):
            name = "doubly_stochastic" if doubly_stochastic else "attention_losses"
            raise ValueError(
                f"`{name}` needs attention weights, but attention=None. Pass an `attention`, or "
                f"leave out `{name}`."
            )
        self.seed_generator = keras.random.SeedGenerator()

        self.embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size,
            self.embedding_dim,
            tie_weights=tie_embeddings,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=self.embedding_dim**-0.5),
            # Set explicitly, since Keras's embeddings turn autocasting off.
            reverse_dtype=self.compute_dtype,
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.rnn_layers = [
            _recurrence.make(cell, units, self.dtype_policy, f"layer_{i}")
            for i in range(num_layers)
        ]
        self.bridge = Bridge(
            bridge,
            sizes=[[units] * _recurrence.STATE_SIZE[cell]] * num_layers,
            dtype=self.dtype_policy,
            name="bridge",
        )
        self.readout = keras.layers.Dense(
            self.embedding_dim, activation="tanh", dtype=self.dtype_policy, name="readout"
        )
        if head is None:
            head = VocabularyHead(dtype=self.dtype_policy, name="head")
        if not isinstance(head, Head):
            raise TypeError(
                "`head` must be a head of keras_s2s.layers, such as VocabularyHead(), or None. "
                f"Received: head={head!r}"
            )
        if head.reads_attention and self.attention is None:
            raise ValueError(
                f"The {type(head).__name__} reads the attention weights, and attention=None. Give "
                "the decoder an attention."
            )
        self.head = head

    @property
    def attends(self):
        """Whether there is an attention."""
        return self.attention is not None

    @property
    def input_names(self):
        return self.head.input_names

    @property
    def output_size(self):
        """Number of ids that have a logit: the vocabulary, and others that the head knows."""
        return self.head.output_size(self.vocabulary_size)

    @property
    def _feeds_context(self):
        return self.attention is not None and self.order == "bahdanau"

    @property
    def _steps_depend_on_attention(self):
        return self._feeds_context or self.input_feeding

    @property
    def _fed_dim(self):
        """Size of the vector that enters the first layer beside the embedding, 0 for none."""
        if self._feeds_context:
            return self._context_dim
        return self.embedding_dim if self.input_feeding else 0

    # These parts are made at each use, so that they read the decoder's current layers and options.

    @property
    def _stack(self):
        return RecurrentStack(
            tuple(self.rnn_layers),
            self.residual,
            self.dropout,
            self.recurrent_dropout,
            self.variational_dropout,
            self.seed_generator,
        )

    @property
    def _readout(self):
        sizes = _readout.input_sizes(
            self.order if self.attention is not None else None,
            hidden=self.units,
            context=self._context_dim,
            embedded=self.embedding_dim,
        )
        return _readout.Readout(self.readout, sizes)

    def check_columns(self, columns, target_tokenizer):
        self.head.check_columns(columns, target_tokenizer)

    def build(self, targets_shape, memory_shape):
        dim = memory_shape["values"][-1]
        self._context_dim = 0
        if self.attention is not None:
            shapes = (None, None, self.units), (None, None, dim)
            self._context_dim = self.attention.compute_output_shape(*shapes)[0][-1]
        layers = [
            (self.embedding, ((None, None),)),
            (self.bridge, (memory_shape,)),
            (self.readout, ((None, sum(self._readout.sizes.values())),)),
            (self.head, ((None, None, self.embedding_dim),)),
        ]
        for i, layer in enumerate(self.rnn_layers):
            input_dim = self.units if i else self.embedding_dim + self._fed_dim
            layers.append((layer, ((None, None, input_dim),)))
        if self.attention is not None:
            layers.append((self.attention, ((None, None, self.units), (None, None, dim))))
        for layer, shapes in layers:
            if not layer.built:
                layer.build(*shapes)

    def start(self, memory, rows_per_example=1, max_length=None):
        """Computes once what all steps need.

        Args:
            memory: What an encoder returned.
            rows_per_example: Integer, the rows that each example has in the steps, side by
                side, such as beams.
            max_length: Unused; the state has one size for any number of steps.

        Returns:
            Tuple of the memory with `"prepared"`, what the steps multiply by, and the state
            before the first step: a dict of `"cells"`, for each layer a list of
            `(rows, units)`, with input feeding `"readout"` `(rows, embedding_dim)`, and
            `"attention"`, the attention's own state.
        """
        if not self.built:
            self.build((None, None), keras.tree.map_structure(lambda x: tuple(x.shape), memory))
        state = self._first_state(memory, rows_per_example)
        dtype = state["cells"][0][0].dtype
        # Projecting contexts pays off if the beams of an example together take about as many steps
        # as the memory has positions, or more.
        prepared = self._prepare(memory, dtype, project_contexts=rows_per_example > 1)
        prepared["head"] = self.head.prepare(memory, dtype)
        if self.attention is not None:
            state["attention"] = self.attention.start(prepared["attention"], rows_per_example)
        return {**memory, "prepared": prepared}, state

    def _first_state(self, memory, rows_per_example):
        state = {"cells": self.bridge(memory)}
        if self.input_feeding:
            h = state["cells"][0][0]
            state["readout"] = ops.zeros((size(h, 0), self.embedding_dim), dtype=h.dtype)
        return keras.tree.map_structure(lambda x: repeat_rows(x, rows_per_example), state)

    def _prepare(self, memory, dtype, recurrent_masks=None, project_contexts=False):
        """The weights that steps multiply by, cast and split once for all steps.

        With `project_contexts` the attention gives contexts that are already multiplied by theirs.
        """
        sizes = [self.embedding_dim]
        if self._steps_depend_on_attention:
            sizes.append(self._fed_dim)
        embedded, *fed = _recurrence.input_weights(self.rnn_layers[0], dtype, sizes)
        prepared = {
            "embedded": embedded,
            "stack": self._stack.prepare(dtype, recurrent_masks),
            "readout": self._readout.prepare(dtype),
        }
        if fed:
            [prepared["fed"]] = fed
        if self.attention is None:
            return prepared
        onto = None
        if project_contexts:
            kernels = [prepared["readout"].pop("context")]
            if self._feeds_context:
                kernels.append(prepared.pop("fed")["kernel"])
            onto = ops.concatenate(kernels, axis=1)
        prepared["attention"] = self.attention.prepare(memory, dtype, onto)
        return prepared

    def step(self, tokens, state, memory, return_attention=False):
        """One step.

        Args:
            tokens: `(rows,)` integer ids of the previous tokens. There may be a multiple
                of the memory's batch of rows; the rows of one example stand side by side.
            state: What `start` or the last step returned, with `rows` rows.
            memory: The memory that `start` returned.
            return_attention: Whether to return the attention weights too.

        Returns:
            Tuple of logits `(rows, output_size)`, the new state and, with
            `return_attention`, the weights `(rows, source)`.
        """
        weights = memory["prepared"]
        embedded = self.head.embed(tokens, self.embedding)
        gates = _recurrence.project_step(weights["embedded"], embedded)
        state, outputs = self._advance({"gates": gates, "between": []}, state, weights)
        if not self._steps_depend_on_attention and self.attention is not None:
            self._look(outputs["hidden"], state, weights, outputs)
        if not self.input_feeding:
            values = {**outputs, "embedded": embedded}
            outputs["readout"] = self._readout.read(values, weights["readout"])
        logits = self._logits(outputs["readout"], outputs.get("weights"), weights["head"])
        if return_attention:
            self._check_attention()
            return logits, state, outputs["weights"]
        return logits, state

    def call(self, targets, memory, training=False, return_attention=False, rows_per_example=1):
        length = size(targets, 1)
        targets = at_least_one_step(targets)
        state = self._first_state(memory, rows_per_example)
        embedded = self._drop(self.head.embed(targets, self.embedding), training)
        masks = self._stack.draw_masks(embedded, training)
        run = self._run_loop if self._steps_depend_on_attention else self._run_layers
        outputs = run(embedded, state, memory, masks, rows_per_example)
        readout = self._drop(outputs["readout"], training)
        if training:
            for loss in self._attention_losses():
                self.add_loss(loss(outputs["weights"], targets, memory["mask"]))
        weights = outputs["weights"][:, :length] if self.attends else None
        # Cut the readout, since the logits are many times as large.
        head = self.head.prepare(memory, readout.dtype)
        logits = self._logits(readout[:, :length], weights, head)
        if return_attention:
            self._check_attention()
            return logits, weights
        return logits

    def _attention_losses(self):
        short = [DoublyStochastic(self.doubly_stochastic)] if self.doubly_stochastic else []
        return [*self.attention_losses, *short]

    def _check_attention(self):
        if self.attention is None:
            raise ValueError(
                "`return_attention` needs a decoder with attention. This one has attention=None."
            )

    def _run_loop(self, embedded, state, memory, masks, rows_per_example):
        """All steps one by one: `(batch, target, ...)` outputs."""
        weights = self._prepare(memory, embedded.dtype, masks["recurrent"])
        attention = self.attention.start(weights["attention"], rows_per_example)
        state = {**state, "attention": attention}
        # Transpose the embeddings, which are narrower than the gates.
        steps = ops.transpose(embedded, (1, 0, 2))
        gates = _recurrence.project_step(weights["embedded"], steps)
        per_step = {"gates": gates, "between": masks["between"]}
        mask = repeat_rows(memory["mask"], rows_per_example)
        like = {"hidden": state["cells"][-1][0], "weights": ops.cast(mask, gates.dtype)}
        constants = {"stack": weights["stack"], "fed": weights["fed"]}
        if self.input_feeding:
            like["readout"] = state["readout"]
            constants["readout"] = weights["readout"]
        else:
            rows = size(like["weights"], 0)
            like["context"] = ops.zeros((rows, self._context_dim), dtype=gates.dtype)
        constants = with_matrices(constants, (*_recurrence.MATRICES, *_readout.MATRICES))
        constants["attention"] = with_matrices(weights["attention"], self.attention.matrices)

        def step(state, x, constants):
            return self._advance(x, state, constants)

        _, outputs = scan(step, state, per_step, like, constants)
        outputs = {name: ops.transpose(value, (1, 0, 2)) for name, value in outputs.items()}
        if not self.input_feeding:
            values = {**outputs, "embedded": embedded}
            outputs["readout"] = self._readout.read(values, weights["readout"])
        return outputs

    def _run_layers(self, embedded, state, memory, masks, rows_per_example):
        """All steps of each layer, one layer after the other, then all steps of the attention."""
        hidden = self._stack.run(embedded, state["cells"], masks)
        outputs = {"hidden": hidden}
        if self.attention is not None:
            prepared = self.attention.prepare(memory, hidden.dtype)
            outputs["context"], outputs["weights"] = self.attention.attend(hidden, prepared)
        weights = self._readout.prepare(hidden.dtype)
        outputs["readout"] = self._readout.read({**outputs, "embedded": embedded}, weights)
        return outputs

    def _advance(self, x, state, weights):
        """The part of a step that the next step depends on.

        Args:
            x: Dict of `"gates"` `(rows, gates)`, the embedding's share of the first layer's, and
                `"between"`, see `RecurrentStack.step`.
            state: The state before the step.
            weights: What `_prepare` returned, with tensors or `Matrix` objects.

        Returns:
            Tuple of the state after the step and a dict of its outputs: `"hidden"` `(rows,
            units)`; where steps depend on the attention, also `"weights"`, and `"readout"` with
            input feeding, else `"context"`.
        """
        outputs, after = {}, dict(state)
        gates = x["gates"]
        if self._feeds_context:
            self._look(state["cells"][-1][0], after, weights, outputs)
            gates = add(gates, self._feed_context(outputs, weights))
        elif self.input_feeding:
            gates = add(gates, _recurrence.project_step(weights["fed"], state["readout"]))
        outputs["hidden"], after["cells"] = self._stack.step(
            gates, state["cells"], weights["stack"], x["between"]
        )
        if self.input_feeding:
            self._look(outputs["hidden"], after, weights, outputs)
            outputs["readout"] = self._readout.read(outputs, weights["readout"])
            del outputs["context"]
            after["readout"] = outputs["readout"]
        return after, outputs

    def _feed_context(self, outputs, weights):
        """The context's share of the gates; a projected context holds it after the readout's."""
        context = outputs["context"]
        if "fed" in weights:
            return _recurrence.project_step(weights["fed"], context)
        sizes = [self.embedding_dim, context.shape[-1] - self.embedding_dim]
        outputs["context"], fed = split(context, sizes)
        return fed

    def _look(self, query, state, weights, outputs):
        """One step of the attention, which changes the state and adds to the outputs."""
        outputs["context"], outputs["weights"], state["attention"] = self.attention.step(
            query, state["attention"], weights["attention"]
        )

    def _logits(self, readout, weights, prepared):
        return self.head(readout, weights=weights, prepared=prepared, embedding=self.embedding)

    def _drop(self, values, training):
        if not (training and self.dropout):
            return values
        batch, steps, dim = ops.shape(values)
        shape = (batch, 1 if self.variational_dropout else steps, dim)
        return values * dropout_mask(shape, self.dropout, values.dtype, self.seed_generator)

    def compute_output_shape(self, targets_shape, memory_shape):
        return (*targets_shape, self.output_size)

    def compute_output_spec(
        self, targets, memory, training=False, return_attention=False, rows_per_example=1
    ):
        shape = self.compute_output_shape(targets.shape, memory)
        logits = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention:
            return logits
        self._check_attention()
        shape = (*targets.shape, memory["values"].shape[1])
        return logits, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "units": self.units,
            "embedding_dim": self.embedding_dim,
            "cell": self.cell,
            "num_layers": self.num_layers,
            "attention": keras.saving.serialize_keras_object(self.attention),
            "order": self.order,
            "input_feeding": self.input_feeding,
            "bridge": self.bridge_kind,
            "residual": self.residual,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "variational_dropout": self.variational_dropout,
            "tie_embeddings": self.tie_embeddings,
            "doubly_stochastic": self.doubly_stochastic,
            "attention_losses": [
                keras.saving.serialize_keras_object(loss) for loss in self.attention_losses
            ],
            "head": keras.saving.serialize_keras_object(self.head),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("attention", "head"):
            if isinstance(config.get(name), dict):
                # The decoder builds the layer, so that its variables have the same paths as before.
                config[name] = {**config[name], "build_config": None}
        return super().from_config(config)


def _as_loss(loss):
    if isinstance(loss, dict):
        loss = keras.saving.deserialize_keras_object(loss)
    if not isinstance(loss, AttentionLoss):
        raise TypeError(
            "`attention_losses` must hold losses of keras_s2s.layers, such as CoverageLoss(). "
            f"Received: {loss!r}"
        )
    return loss
