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


@keras.saving.register_keras_serializable("keras_s2s")
class RDrop(TokenCrossentropy):
    """`TokenCrossentropy`, and how far two passes of the same example differ by their dropout.

    A batch has each example twice, in neighbouring rows, and dropout draws another mask for each
    row. To the cross-entropy of both, the loss adds the mean of the two Kullback-Leibler
    divergences between their distributions, for each token once (Liang et al., 2021,
    https://arxiv.org/abs/2106.14448). So a model learns to say the same whatever is dropped.
    Recipes use it where a stage has `r_drop`.

    Args:
        weight: Float, at least 0: the weight of the divergence. The paper takes 5 for translation.
        label_smoothing: As in `TokenCrossentropy`.
        name: String.

    Call arguments:
        As in `TokenCrossentropy`, with an even number of rows.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    loss = keras_s2s.losses.RDrop(5.0)
    labels = np.repeat([[1, 2]], 2, axis=0)
    logits = np.repeat(np.random.normal(size=(1, 2, 4)), 2, axis=0)
    same = keras_s2s.losses.TokenCrossentropy()(labels, logits)
    np.testing.assert_allclose(loss(labels, logits), same, rtol=1e-5)
    ```
    """

    def __init__(self, weight, label_smoothing=0.0, name="r_drop"):
        super().__init__(label_smoothing, name)
        self.weight = check_number("weight", weight, lambda x: 0 <= x < float("inf"), "at least 0")

    def call(self, y_true, y_pred):
        logits = ops.cast(y_pred, "float32")
        pairs = ops.reshape(ops.log_softmax(logits), (-1, 2, *ops.shape(logits)[1:]))
        first, second = pairs[:, 0], pairs[:, 1]
        # The sum of both divergences.
        differ = ops.sum((ops.exp(first) - ops.exp(second)) * (first - second), axis=-1)
        # The mean of both, half of it for each of the two rows.
        differ = ops.repeat(differ, 2, axis=0) / 4
        return super().call(y_true, y_pred) + self.weight * differ

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


class _Weight(keras.losses.Loss):
    """The sum of the sample weights, with Keras's masks applied."""

    def __init__(self):
        super().__init__(reduction="sum", dtype="float32")

    def call(self, y_true, y_pred):
        return ops.ones_like(y_true)
