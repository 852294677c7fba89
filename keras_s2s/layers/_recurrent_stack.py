"""Stacked recurrent layers: one step of all layers, or all steps of each layer."""

from keras import ops

from keras_s2s._backend.shapes import add, size
from keras_s2s.layers import _recurrence
from keras_s2s.layers._dropout import dropout_mask


class RecurrentStack:
    """The recurrent layers of a decoder, with dropout and residual connections between them.

    The layers are attributes of the decoder, so that Keras tracks them; a stack only reads them.

    Args:
        layers: Keras `SimpleRNN`, `GRU` or `LSTM` layers of the same size, built, from the input
            to the output.
        residual: Whether to add its input to each layer's output, from the second on.
        dropout: Float in [0, 1), rate between layers.
        recurrent_dropout: Float in [0, 1), rate on the state that enters the gates.
        variational_dropout: Whether `dropout` draws one mask per sequence in place of one per step.
        seed_generator: The `keras.random.SeedGenerator` of all masks.
    """

    def __init__(
        self, layers, residual, dropout, recurrent_dropout, variational_dropout, seed_generator
    ):
        self.layers = layers
        self.residual = residual
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.variational_dropout = variational_dropout
        self.seed_generator = seed_generator

    def draw_masks(self, inputs, training):
        """The dropout masks of a batch.

        Args:
            inputs: `(rows, steps, dim)`, the input of the first layer.
            training: Whether to apply dropout.

        Returns:
            Dict of `"between"`, for each layer from the second on the factors `(steps, rows,
            units)` of its input, or an empty list where nothing is dropped; and `"recurrent"`, for
            each layer the factors `(rows, units)` of its state, or None.
        """
        masks = {"between": [], "recurrent": [None] * len(self.layers)}
        if not training:
            return masks
        rows, steps, dtype = size(inputs, 0), size(inputs, 1), inputs.dtype
        for i, layer in enumerate(self.layers):
            if i and self.dropout:
                shape = (1 if self.variational_dropout else steps, rows, layer.units)
                mask = dropout_mask(shape, self.dropout, dtype, self.seed_generator)
                masks["between"].append(ops.broadcast_to(mask, (steps, rows, layer.units)))
            masks["recurrent"][i] = dropout_mask(
                (rows, layer.units), self.recurrent_dropout, dtype, self.seed_generator
            )
        return masks

    def prepare(self, dtype, recurrent_masks=None):
        """The weights for `step`, made once for all steps.

        Args:
            dtype: The dtype of the computation.
            recurrent_masks: The `"recurrent"` of `draw_masks`, or None.

        Returns:
            Dict of `"cells"`, for each layer what `_recurrence.advance` takes, and `"inputs"`, for
            each layer from the second on what `_recurrence.project_step` takes.
        """
        masks = recurrent_masks or [None] * len(self.layers)
        return {
            "cells": [
                _recurrence.step_weights(layer, dtype, mask)
                for layer, mask in zip(self.layers, masks)
            ],
            "inputs": [_recurrence.input_weights(layer, dtype)[0] for layer in self.layers[1:]],
        }

    def step(self, gates, state, weights, between=()):
        """One step of all layers.

        Args:
            gates: `(rows, gates)`, the input's share of the first layer's gates.
            state: For each layer a list of `(rows, units)`.
            weights: What `prepare` returned, with tensors or `Matrix` objects.
            between: The `"between"` of `draw_masks` at this step, `(rows, units)` each.

        Returns:
            Tuple of outputs `(rows, units)` and the new state.
        """
        after, outputs = [], None
        for i, layer in enumerate(self.layers):
            inputs = outputs
            if i:
                if between:
                    inputs = inputs * between[i - 1]
                gates = _recurrence.project_step(weights["inputs"][i - 1], inputs)
            after.append(_recurrence.advance(layer, weights["cells"][i], gates, state[i]))
            outputs = after[-1][0]
            if self.residual and i:
                outputs = add(outputs, inputs)
        return outputs, after

    def run(self, inputs, state, masks):
        """All steps of the first layer, then all of the next.

        Args:
            inputs: `(rows, steps, dim)`, the input of the first layer.
            state: For each layer a list of `(rows, units)`, the state before the first step.
            masks: What `draw_masks` returned.

        Returns:
            Outputs `(rows, steps, units)`.
        """
        outputs = inputs
        for i, layer in enumerate(self.layers):
            inputs = outputs
            if i and masks["between"]:
                inputs = inputs * ops.transpose(masks["between"][i - 1], (1, 0, 2))
            outputs, _ = _recurrence.run(
                layer, inputs, state[i], dropout_mask=masks["recurrent"][i]
            )
            if self.residual and i:
                outputs = add(outputs, inputs)
        return outputs
