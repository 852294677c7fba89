"""The readout: a dense layer over the results of a decoder's step."""

from keras import ops

from keras_s2s._backend.scan import multiply
from keras_s2s._backend.shapes import add, add_bias
from keras_s2s._backend.split import split
from keras_s2s.layers._quantized import matrix

#: From the order of the decoder to the readout's inputs, in the order of the kernel's rows.
INPUTS = {
    "bahdanau": ("hidden", "context", "embedded"),
    "luong": ("context", "hidden"),
    None: ("hidden",),
}
#: The names of the matrices that steps multiply by.
MATRICES = ("context", "rest")


class Readout:
    """`tanh(W [...])` of concatenated inputs; contexts may come multiplied by their part of W.

    The dense layer is an attribute of the decoder, so that Keras tracks it; this only reads it.

    Args:
        dense: A Keras `Dense`, built for the sum of the sizes.
        sizes: Dict of the inputs' sizes, in the order of the kernel's rows: `"hidden"`, the output
            of the recurrent layers, and perhaps `"context"` and `"embedded"`. See `input_sizes`.
    """

    def __init__(self, dense, sizes):
        self.dense, self.sizes = dense, sizes
        self._rest = [name for name in sizes if name != "context"]

    def prepare(self, dtype):
        """The weights, split into those for contexts and those for the other inputs.

        Returns:
            Dict of `"bias"` `(units,)`, `"rest"` `(dim, units)` and, where a context is read,
            `"context"` `(context_dim, units)`.
        """
        kernel = matrix(self.dense, dtype)
        weights = {"bias": ops.cast(self.dense.bias, dtype)}
        if len(self.sizes) == 1:
            return {**weights, "rest": kernel}
        parts = dict(zip(self.sizes, split(kernel, list(self.sizes.values()), axis=0)))
        return {**weights, "context": parts["context"], "rest": self._join(parts, axis=0)}

    def read(self, values, weights):
        """The readout, of one step or of all steps at once.

        Args:
            values: Dict that has a `(..., size)` for each of the sizes.
            weights: What `prepare` returned, with tensors or `Matrix` objects. Without
                `"context"` the contexts have been multiplied: they are `(..., units)`.

        Returns:
            `(..., units)`.
        """
        product = multiply(self._join(values, axis=-1), weights["rest"])
        product = add_bias(product, weights["bias"])
        if "context" in self.sizes:
            context = values["context"]
            if "context" in weights:
                context = multiply(context, weights["context"])
            product = add(product, context)
        return self.dense.activation(product)

    def _join(self, parts, axis):
        """Joins all parts except the context's."""
        rest = [parts[name] for name in self._rest]
        return rest[0] if len(rest) == 1 else ops.concatenate(rest, axis=axis)


def input_sizes(order, **sizes):
    """The sizes of the readout's inputs, in the order of the kernel's rows.

    Args:
        order: `"bahdanau"`, `"luong"`, or None without attention.
        **sizes: The sizes of `hidden`, `context` and `embedded`.
    """
    return {name: sizes[name] for name in INPUTS[order]}
