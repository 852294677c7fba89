import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_s2s")
class Perplexity(keras.metrics.Mean):
    """`exp` of the mean cross-entropy per token, over all tokens seen since the last reset.

    Update arguments as of `keras_s2s.losses.TokenCrossentropy`.

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

    def update_state(self, y_true, y_pred, sample_weight=None):
        logits = ops.cast(y_pred, "float32")
        values = ops.sparse_categorical_crossentropy(y_true, logits, from_logits=True)
        return super().update_state(values, sample_weight=sample_weight)

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("keras_s2s")
class TokenAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """Share of tokens that are the most probable ones, over all tokens seen since the last reset.

    Update arguments as of `keras_s2s.losses.TokenCrossentropy`.

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
