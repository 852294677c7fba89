import keras
from keras import ops

from keras_s2s._backend.cross_entropy import cross_entropy
from keras_s2s._backend.top_k import top_k


class TokenMean(keras.metrics.Mean):
    """Mean of a value per token. A subclass implements `values(y_true, y_pred)`."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = self.values(y_true, y_pred)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            while len(sample_weight.shape) < len(values.shape):
                sample_weight = ops.expand_dims(sample_weight, -1)
            sample_weight = ops.ravel(ops.broadcast_to(sample_weight, ops.shape(values)))
        # Flat: Keras would first take the mean of each row, padding included, so a token would
        # weigh less in a wider batch.
        return super().update_state(ops.ravel(values), sample_weight=sample_weight)

    def values(self, y_true, y_pred):
        raise NotImplementedError


@keras.saving.register_keras_serializable("keras_s2s")
class Perplexity(TokenMean):
    """`exp` of the mean cross-entropy per token, over all tokens seen since the last reset.

    Args:
        name: String.
        dtype: Of the result.

    Update arguments:
        y_true: Token ids `(batch, target)`, int.
        y_pred: Logits `(batch, target, vocabulary_size)`.
        sample_weight: Optional floats `(batch, target)`, 0 at padding.

    Attributes:
        count: Variable, the number of tokens seen, without padding.
        positions: Variable, the number of positions seen, padding included.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    metric = keras_s2s.metrics.Perplexity()
    metric.update_state(np.array([[1]]), np.zeros((1, 1, 4), "float32"))
    np.testing.assert_allclose(metric.result(), 4, rtol=1e-6)
    ```
    """

    def __init__(self, name="perplexity", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._direction = "down"  # A private attribute that Keras's callbacks read.
        self.positions = self.add_variable((), initializer="zeros", name="positions")

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred, sample_weight)
        self.positions.assign_add(ops.cast(ops.size(y_true), self.positions.dtype))

    def values(self, y_true, y_pred):
        # Cast as Keras casts labels for the loss: the graph then computes the cross-entropy once.
        return cross_entropy(ops.cast(y_true, "float32"), y_pred)

    def reset_state(self):
        super().reset_state()
        self.positions.assign(0)

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("keras_s2s")
class TokenAccuracy(TokenMean):
    """Share of tokens that are the most probable ones, over all tokens seen since the last reset.

    Args:
        name: String.
        dtype: Of the result.

    Update arguments:
        y_true: Token ids `(batch, target)`, int.
        y_pred: Logits `(batch, target, vocabulary_size)`.
        sample_weight: Optional floats `(batch, target)`, 0 at padding.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    metric = keras_s2s.metrics.TokenAccuracy()
    metric.update_state(np.array([[1, 0]]), np.eye(2, dtype="float32")[None])
    assert metric.result() == 0
    ```
    """

    def __init__(self, name="token_accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"

    def values(self, y_true, y_pred):
        # `ops.argmax` is slow: on a CPU it takes half as long as the loss and its gradient.
        flat = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        best = ops.reshape(top_k(flat, 1)[1], ops.shape(y_pred)[:-1])
        return ops.cast(ops.equal(best, ops.cast(y_true, best.dtype)), self.dtype)
