import keras
from keras import ops

from keras_s2s._backend.scan import multiply, scan, with_matrices
from keras_s2s._backend.split import split
from keras_s2s._checks import check_choice, check_rate, check_sizes
from keras_s2s.layers import _recurrence, attentions
from keras_s2s.layers._dense import kernel_of
from keras_s2s.layers._dropout import dropout_mask
from keras_s2s.layers._padding import at_least_one_step
from keras_s2s.layers.attention_losses import AttentionLoss, DoublyStochastic
from keras_s2s.layers.bridge import Bridge
from keras_s2s.layers.decoder import Decoder

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

    The logits are the readout r times the output embedding. In a stack, the query is the
    state of the last layer, and the context or the fed readout enters the first.

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
            `"luong"`, `"multi_head"` (8 heads), `"coverage"`, `"location_aware"` or `"local"`;
            or None for the encoder's last state alone.
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
        **kwargs: Keras's own layer arguments.

    Call arguments:
        targets: `(rows, target)` integer token ids that enter the steps: the start
            token, then the target shifted by one; 0 is padding.
        memory: What an encoder returned: a dict of `"values"` `(batch, source, dim)`,
            `"mask"` `(batch, source)` and, for the bridge, `"state"`.
        training: Whether to drop.
        return_attention: Whether to return the attention weights too.
        rows_per_example: Integer, the rows of targets that each example of the memory
            has, side by side, such as several captions of one image.

    Returns:
        Logits `(rows, target, vocabulary_size)`; with `return_attention` a tuple of them
        and the weights `(rows, target, source)`.

    Raises:
        ValueError: If an argument is out of its range, or two of them do not go together.

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
        self.attention = attentions.get(attention, units, dtype=self.dtype_policy, name="attention")
        self.order = order or (ORDERS[0] if self.attention is None else self.attention.order)
        check_choice("order", self.order, ORDERS)
        if input_feeding and (self.attention is None or self.order != "luong"):
            raise ValueError(
                "`input_feeding` feeds the attentional readout of Luong's order: use it with an "
                f"attention and order='luong'. Received: attention={attention!r}, order={order!r}"
            )
        self.input_feeding = input_feeding
        self.bridge_kind = bridge
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
            raise ValueError(f"`{name}` is about the attention, and there is none.")
        self.seed_generator = keras.random.SeedGenerator()

        self.embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size,
            self.embedding_dim,
            tie_weights=tie_embeddings,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=self.embedding_dim**-0.5),
            # Not left to autocasting, which Keras's embeddings turn off.
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

    @property
    def attends(self):
        """Whether there is an attention."""
        return self.attention is not None

    @property
    def _steps_depend_on_attention(self):
        return self.attention is not None and (self.order == "bahdanau" or self.input_feeding)

    def build(self, targets_shape, memory_shape):
        dim = memory_shape["values"][-1]
        context_dim = 0
        if self.attention is not None:
            shapes = (None, None, self.units), (None, None, dim)
            context_dim = self.attention.compute_output_shape(*shapes)[0][-1]
        self._context_dim = context_dim
        fed_dim = self.embedding_dim if self.input_feeding else 0
        if self.order == "bahdanau":
            fed_dim = context_dim
        readout_dim = self.units + context_dim
        if self.order == "bahdanau" and self.attention is not None:
            readout_dim += self.embedding_dim
        layers = [
            (self.embedding, ((None, None),)),
            (self.bridge, (memory_shape,)),
            (self.readout, ((None, readout_dim),)),
        ]
        for i, layer in enumerate(self.rnn_layers):
            layers.append(
                (layer, ((None, None, self.units if i else self.embedding_dim + fed_dim),))
            )
        if self.attention is not None:
            layers.append((self.attention, ((None, None, self.units), (None, None, dim))))
        for layer, shapes in layers:
            if not layer.built:
                layer.build(*shapes)

    def start(self, memory, rows_per_example=1, max_length=None):
        """What is computed once before the steps.

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
        # Where beams together take about as many steps as there are positions, or more, it pays.
        prepared = self._prepare(memory, dtype, project_contexts=rows_per_example > 1)
        if self.attention is not None:
            own = self.attention.start(prepared["attention"], rows_per_example)
            state["attention"] = own
        return {**memory, "prepared": prepared}, state

    def _first_state(self, memory, rows_per_example):
        state = {"cells": self.bridge(memory)}
        if self.input_feeding:
            h = state["cells"][0][0]
            state["readout"] = ops.zeros((ops.shape(h)[0], self.embedding_dim), dtype=h.dtype)
        return keras.tree.map_structure(lambda x: _repeat(x, rows_per_example), state)

    def _prepare(self, memory, dtype, project_contexts):
        """What steps multiply by, in their dtype and form, so that no step makes it again.

        With `project_contexts` the attention gives contexts multiplied by all that they would be.
        """
        first, *others = self.rnn_layers
        sizes = [self.embedding_dim]
        if self._steps_depend_on_attention:
            sizes.append(first.cell.kernel.shape[0] - self.embedding_dim)
        embedded, *fed = _recurrence.input_weights(first, dtype, sizes)
        readout = self._readout_weights(dtype)
        prepared = {
            "embedded": embedded,
            "cells": [_recurrence.step_weights(layer, dtype) for layer in self.rnn_layers],
            "inputs": [_recurrence.input_weights(layer, dtype)[0] for layer in others],
            "readout": readout,
        }
        if self.attention is None:
            return prepared
        if fed:
            prepared["fed"] = fed[0]
        onto = None
        if project_contexts:
            kernels = [readout.pop("context")]
            if self.order == "bahdanau":
                kernels.append(prepared.pop("fed")["kernel"])
            onto = ops.concatenate(kernels, axis=1)
        prepared["attention"] = self.attention.prepare(memory, dtype, onto)
        return prepared

    def _readout_weights(self, dtype):
        """The readout's weights: of contexts and of the rest of its input, and the bias."""
        kernel = kernel_of(self.readout, dtype)
        weights = {"bias": ops.cast(self.readout.bias, dtype)}
        if self.attention is None:
            return {**weights, "rest": kernel}
        if self.order == "luong":
            sizes = [kernel.shape[0] - self.units, self.units]
            context, rest = split(kernel, sizes, axis=0)
            return {**weights, "context": context, "rest": rest}
        width = kernel.shape[0] - self.units - self.embedding_dim
        hidden, context, embedded = split(kernel, [self.units, width, self.embedding_dim], axis=0)
        return {**weights, "context": context, "rest": ops.concatenate([hidden, embedded], axis=0)}

    def step(self, tokens, state, memory, return_attention=False):
        """One step.

        Args:
            tokens: `(rows,)` integer ids of the previous tokens. There may be a multiple
                of the memory's batch of rows, those of one example side by side.
            state: What `start` or the last step returned, with `rows` rows.
            memory: The memory that `start` returned.
            return_attention: Whether to return the attention weights too.

        Returns:
            Tuple of logits `(rows, vocabulary_size)`, the new state and, with
            `return_attention`, the weights `(rows, source)`.
        """
        weights = memory["prepared"]
        embedded = self.embedding(tokens)
        gates = _recurrence.project_step(weights["embedded"], embedded)
        state, outputs = self._advance({"gates": gates}, state, weights)
        if not self._steps_depend_on_attention and self.attention is not None:
            self._look(outputs["hidden"], state, weights, outputs)
        if not self.input_feeding:
            outputs["readout"] = self._read_out(outputs, embedded, weights["readout"])
        logits = self._logits(outputs["readout"])
        if return_attention:
            self._check_attention()
            return logits, state, outputs["weights"]
        return logits, state

    def call(self, targets, memory, training=False, return_attention=False, rows_per_example=1):
        length = ops.shape(targets)[1]
        targets = at_least_one_step(targets)
        state = self._first_state(memory, rows_per_example)
        embedded = self._drop(self.embedding(targets), training)
        masks = self._step_masks(embedded, training)
        run = self._run_loop if self._steps_depend_on_attention else self._run_layers
        outputs = run(embedded, state, memory, masks, rows_per_example)
        readout = self._drop(outputs["readout"], training)
        if training:
            for loss in self._attention_losses():
                self.add_loss(loss(outputs["weights"], targets, memory["mask"]))
        # Before the logits, which are many times as large.
        logits = self._logits(readout[:, :length])
        if return_attention:
            self._check_attention()
            return logits, outputs["weights"][:, :length]
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
        weights = self._prepare(memory, embedded.dtype, project_contexts=False)
        own = self.attention.start(weights["attention"], rows_per_example)
        state = {**state, "attention": own}
        # The embeddings are narrower than the gates.
        steps = ops.transpose(embedded, (1, 0, 2))
        gates = _recurrence.project_step(weights["embedded"], steps)
        per_step = {"gates": gates, "between": masks["between"]}
        mask = _repeat(memory["mask"], rows_per_example)
        like = {"hidden": state["cells"][-1][0], "weights": ops.cast(mask, gates.dtype)}
        constants = {
            "cells": [
                cell if mask is None else {**cell, "dropout_mask": mask}
                for cell, mask in zip(weights["cells"], masks["recurrent"])
            ],
            **{name: weights[name] for name in ("inputs", "fed")},
        }
        if self.input_feeding:
            like["readout"] = state["readout"]
            constants["readout"] = weights["readout"]
        else:
            rows = ops.shape(like["weights"])[0]
            like["context"] = ops.zeros((rows, self._context_dim), dtype=gates.dtype)
        constants = with_matrices(constants, (*_recurrence.MATRICES, "context", "rest"))
        constants["attention"] = with_matrices(weights["attention"], self.attention.matrices)

        def step(state, x, constants):
            return self._advance(x, state, constants)

        _, outputs = scan(step, state, per_step, like, constants)
        outputs = {name: ops.transpose(value, (1, 0, 2)) for name, value in outputs.items()}
        if not self.input_feeding:
            outputs["readout"] = self._read_out(outputs, embedded, weights["readout"])
        return outputs

    def _run_layers(self, embedded, state, memory, masks, rows_per_example):
        """All steps of one layer after the other, then all of the attention."""
        hidden = embedded
        for i, layer in enumerate(self.rnn_layers):
            inputs = hidden
            if i and masks["between"]:
                inputs = inputs * ops.transpose(masks["between"][i - 1], (1, 0, 2))
            hidden, _ = _recurrence.run(
                layer, inputs, state["cells"][i], dropout_mask=masks["recurrent"][i]
            )
            if self.residual and i:
                hidden = hidden + inputs
        outputs = {"hidden": hidden}
        if self.attention is not None:
            prepared = self.attention.prepare(memory, hidden.dtype)
            outputs["context"], outputs["weights"] = self.attention.attend(hidden, prepared)
        weights = self._readout_weights(hidden.dtype)
        return {**outputs, "readout": self._read_out(outputs, embedded, weights)}

    def _advance(self, x, state, weights):
        """The part of a step that the next step depends on."""
        outputs, after = {}, dict(state)
        gates = x["gates"]
        if self.order == "bahdanau" and self.attention is not None:
            self._look(state["cells"][-1][0], after, weights, outputs)
            if "fed" in weights:
                fed = _recurrence.project_step(weights["fed"], outputs["context"])
            else:
                context = outputs["context"]
                sizes = [self.embedding_dim, context.shape[-1] - self.embedding_dim]
                outputs["context"], fed = split(context, sizes)
            gates = gates + fed
        elif self.input_feeding:
            gates = gates + _recurrence.project_step(weights["fed"], state["readout"])

        new, hidden = [], None
        for i, layer in enumerate(self.rnn_layers):
            inputs = hidden
            if i:
                if x.get("between"):
                    inputs = inputs * x["between"][i - 1]
                gates = _recurrence.project_step(weights["inputs"][i - 1], inputs)
            cell = weights["cells"][i]
            new.append(_recurrence.advance(layer, cell, gates, state["cells"][i]))
            hidden = new[-1][0]
            if self.residual and i:
                hidden = hidden + inputs
        outputs["hidden"] = hidden
        after["cells"] = new
        if self.input_feeding:
            self._look(hidden, after, weights, outputs)
            outputs["readout"] = self._read_out(outputs, None, weights["readout"])
            del outputs["context"]
            after["readout"] = outputs["readout"]
        return after, outputs

    def _look(self, query, state, weights, outputs):
        """One step of the attention, which changes the state and adds to the outputs."""
        outputs["context"], outputs["weights"], state["attention"] = self.attention.step(
            query, state["attention"], weights["attention"]
        )

    def _read_out(self, outputs, embedded, weights):
        rest = outputs["hidden"]
        if self.attention is not None and self.order == "bahdanau":
            rest = ops.concatenate([rest, embedded], axis=-1)
        product = multiply(rest, weights["rest"]) + weights["bias"]
        if self.attention is not None:
            # Without a matrix contexts are sums of the projected memory.
            context = outputs["context"]
            product += multiply(context, weights["context"]) if "context" in weights else context
        return self.readout.activation(product)

    def _logits(self, readout):
        return self.embedding(readout, reverse=True)

    def _drop(self, values, training):
        if not (training and self.dropout):
            return values
        batch, steps, dim = ops.shape(values)
        shape = (batch, 1 if self.variational_dropout else steps, dim)
        return values * dropout_mask(shape, self.dropout, values.dtype, self.seed_generator)

    def _step_masks(self, embedded, training):
        """Masks `(target, batch, units)` between layers, `(batch, units)` of recurrent states."""
        batch, steps, _ = ops.shape(embedded)
        dtype = embedded.dtype
        masks = {"between": [], "recurrent": [None] * self.num_layers}
        if not training:
            return masks
        for i in range(self.num_layers):
            if i and self.dropout:
                per_step = (1 if self.variational_dropout else steps, batch, self.units)
                mask = dropout_mask(per_step, self.dropout, dtype, self.seed_generator)
                masks["between"].append(ops.broadcast_to(mask, (steps, batch, self.units)))
            masks["recurrent"][i] = dropout_mask(
                (batch, self.units), self.recurrent_dropout, dtype, self.seed_generator
            )
        return masks

    def compute_output_shape(self, targets_shape, memory_shape):
        return (*targets_shape, self.vocabulary_size)

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
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if isinstance(config["attention"], dict):
            # The decoder builds it, so that its variables have the same paths as before.
            config["attention"] = {**config["attention"], "build_config": None}
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


def _is_one(rows_per_example):
    return isinstance(rows_per_example, int) and rows_per_example == 1


def _repeat(x, rows_per_example):
    return x if _is_one(rows_per_example) else ops.repeat(x, rows_per_example, axis=0)
