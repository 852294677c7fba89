"""The number of floating-point operations in a model's matrix products.

A multiplication and an addition count as two. Element-wise work, the softmax and padding do not
count, and of two ways to compute the same, the one with fewer operations counts. So a share of the
machine's rate that comes from these numbers is never too high.
"""

import math


def forward(model, sources, targets, beams=1):
    """Operations of a forward pass, or of decoding.

    Args:
        model: A built `Seq2Seq` of `RNNEncoder` and `RNNDecoder`.
        sources: Lengths of the sources, in tokens, a NumPy array.
        targets: Lengths of the targets.
        beams: How many rows of the decoder there are for each source.
    """
    encoder, decoder = model.encoder, model.decoder
    per_target = _matrices(*decoder.rnn_layers, decoder.readout)
    per_target += 2 * decoder.vocabulary_size * decoder.embedding_dim
    per_source = _matrices(*encoder.rnn_layers)
    per_pair = 0
    if decoder.attention is not None:
        memory = 2 * encoder.output_dim
        # Keys and projected values are computed for each source position, other products for each
        # target.
        attention, keys, values = decoder.attention, decoder.units, encoder.output_dim
        of_memory = [getattr(attention, "key_projection", None)]
        if hasattr(attention, "value_projection"):
            of_memory.append(attention.value_projection)
            keys, values = (layer.units for layer in of_memory)
        of_memory = _matrices(*(layer for layer in of_memory if layer is not None))
        per_source += of_memory
        per_target += _matrices(attention) - of_memory
        # A score and a share of the context, for each pair of a source and a target position.
        per_pair = 2 * keys + 2 * values
        if beams > 1:
            # The memory is multiplied once in place of the contexts of each beam.
            width = decoder.embedding_dim
            if decoder.order == "bahdanau":
                width += decoder.rnn_layers[0].cell.kernel.shape[1]
            per_source += memory * width
            per_target -= memory * width
            per_pair += 2 * width - memory
    total = per_source * sources.sum() + _matrices(decoder.bridge) * len(sources)
    total += beams * (per_target * targets.sum() + per_pair * (sources * targets).sum())
    return int(total)


def training(model, sources, targets):
    """Operations of a training step: each product has two more in the backward pass."""
    return 3 * forward(model, sources, targets)


def _matrices(*layers):
    shapes = [v.shape for layer in layers for v in layer.variables if len(v.shape) == 2]
    # A variable with two rows is the bias of Keras's GRU, not a factor of a product.
    return sum(2 * math.prod(shape) for shape in shapes if shape[0] > 2)
