"""Losses on attention weights, which a decoder adds to the loss of its tokens in training."""

import keras
from keras import ops

from keras_s2s._checks import check_number
from keras_s2s.layers.attention import count_rows_per_example


class AttentionLoss:
    """Base of the losses on attention weights; pass objects as a decoder's `attention_losses`.

    A subclass implements `per_output`. The loss is `factor` times the mean over the outputs that
    have tokens and something to attend to.

    Args:
        factor: Float, at least 0.
    """

    def __init__(self, factor=1.0):
        self.factor = check_number("factor", factor, lambda x: x >= 0, "a number, at least 0")

    def per_output(self, weights, valid, mask):
        """The loss of each output.

        Args:
            weights: `(batch, outputs, target, source)`, float32, 0 at padding.
            valid: `(batch, outputs, target)`, float32, 0 at steps of padding, else 1.
            mask: `(batch, 1, source)`, float32, 0 at positions of padding, else 1.

        Returns:
            `(batch, outputs)`.
        """
        raise NotImplementedError

    def __call__(self, weights, targets, mask):
        """The loss of a batch.

        Args:
            weights: `(rows, target, source)`, the rows of one example side by side.
            targets: `(rows, target)` token ids that enter the steps, 0 at padding.
            mask: `(batch, source)` bool, the memory's.

        Returns:
            A float32 scalar.
        """
        rows, steps, source = ops.shape(weights)
        batch = ops.shape(mask)[0]
        outputs = count_rows_per_example(rows, batch)
        valid = ops.reshape(ops.cast(targets != 0, "float32"), (batch, outputs, steps))
        weights = ops.reshape(ops.cast(weights, "float32"), (batch, outputs, steps, source))
        mask = ops.expand_dims(ops.cast(mask, "float32"), 1)
        losses = self.per_output(weights * ops.expand_dims(valid, -1), valid, mask)
        # Rows that are only padding, or have nothing to attend to, do not count.
        counts = ops.logical_and(ops.any(valid > 0, axis=-1), ops.any(mask > 0, axis=-1))
        counts = ops.cast(counts, "float32")
        return self.factor * ops.divide_no_nan(ops.sum(losses * counts), ops.sum(counts))

    def get_config(self):
        return {"factor": self.factor}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_s2s")
class DoublyStochastic(AttentionLoss):
    """Mean over positions of `(1 - a)^2`, a being the sum of a position's weights in all steps.

    It makes the decoder look everywhere.

    Args:
        factor: Float, at least 0.

    Example:
    ```python
    import keras_s2s

    loss = keras_s2s.layers.DoublyStochastic(0.5)
    decoder = keras_s2s.layers.RNNDecoder(100, 16, attention_losses=[loss])
    ```

    Reference:
        Xu et al., 2015, https://arxiv.org/abs/1502.03044, section 4.2.1
    """

    def per_output(self, weights, valid, mask):
        squares = ops.square(1 - ops.sum(weights, axis=2)) * mask
        return ops.divide_no_nan(ops.sum(squares, axis=-1), ops.sum(mask, axis=-1))


@keras.saving.register_keras_serializable("keras_s2s")
class CoverageLoss(AttentionLoss):
    """Mean over steps of `sum min(a, c)`, c being the sum of a position's weights before the step.

    It makes the decoder look at no position twice. `keras_s2s.layers.CoverageAttention` reads c.

    Args:
        factor: Float, at least 0.

    Example:
    ```python
    import keras_s2s

    attention = keras_s2s.layers.CoverageAttention(16)
    loss = keras_s2s.layers.CoverageLoss()
    decoder = keras_s2s.layers.RNNDecoder(100, 16, attention=attention, attention_losses=[loss])
    ```

    Reference:
        See, Liu and Manning, 2017, https://arxiv.org/abs/1704.04368, section 2.3, equations 12
        and 13
    """

    def per_output(self, weights, valid, mask):
        before = ops.cumsum(weights, axis=2) - weights
        again = ops.sum(ops.minimum(weights, before), axis=(2, 3))
        return ops.divide_no_nan(again, ops.sum(valid, axis=-1))
