import keras
from keras import ops

from keras_s2s._backend.cross_entropy import cross_entropy
from keras_s2s._backend.replicas import batch_mean, number_of_replicas
from keras_s2s._checks import check_number


@keras.saving.register_keras_serializable("keras_s2s")
class TokenCrossentropy(keras.losses.Loss):
    """Cross-entropy of token ids: sum over valid tokens, divided by their number.

    The sample weight says what is valid: 1 for a token, 0 for padding. However much padding a
    batch has, and however many replicas of a `tf.distribute` strategy share it, loss and gradients
    are the same. As with Keras's losses, each replica's loss is divided by the number of replicas.

    Args:
        label_smoothing: Float in [0, 1), the share of the target distribution that is spread
            evenly over the vocabulary (Szegedy et al., 2016, https://arxiv.org/abs/1512.00567).
            Keras has it only for dense targets.
        name: String.

    Call arguments:
        y_true: `(batch, target)` integer token ids.
        y_pred: `(batch, target, vocabulary)` logits.
        sample_weight: `(batch, target)`, 0 at padding.

    Raises:
        ValueError: If `label_smoothing` is out of range.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    loss = keras_s2s.losses.TokenCrossentropy()
    labels, logits = np.array([[1, 0]]), np.zeros((1, 2, 4), "float32")
    value = loss(labels, logits, sample_weight=np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(value, np.log(4), rtol=1e-6)
    ```
    """

    def __init__(self, label_smoothing=0.0, name="token_crossentropy"):
        check_number("label_smoothing", label_smoothing, lambda x: 0 <= x < 1, "in [0, 1)")
        # Keras casts ids and logits to this dtype: 16 bits would change large ids and lose small
        # probabilities.
        super().__init__(name=name, reduction="sum", dtype="float32")
        self.label_smoothing = label_smoothing
        self._weight = _Weight()

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Keras's reduction to a mean would divide by the tokens of one replica only.
        total = super().__call__(y_true, y_pred, sample_weight)
        mean = batch_mean(total, self._weight(y_true, y_pred, sample_weight))
        return mean / number_of_replicas()

    def call(self, y_true, y_pred):
        return cross_entropy(y_true, y_pred, self.label_smoothing)

    def get_config(self):
        # The base class also writes `reduction`, which callers cannot choose.
        return {"name": self.name, "label_smoothing": self.label_smoothing}


class _Weight(keras.losses.Loss):
    """The sum of the sample weights, with Keras's masks applied."""

    def __init__(self):
        super().__init__(reduction="sum", dtype="float32")

    def call(self, y_true, y_pred):
        return ops.ones_like(y_true)
