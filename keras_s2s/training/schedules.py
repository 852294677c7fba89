import keras
from keras import ops

from keras_s2s._checks import check_number


@keras.saving.register_keras_serializable("keras_s2s")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then falling as 1 / sqrt(step).

    It needs no number of steps beforehand, as a cosine does, so that training can go on for as
    long as it pays. Step 0, the first of Keras, has rate 0.

    Args:
        peak: Float, the learning rate after the warm-up.
        warmup_steps: Positive integer.

    Raises:
        ValueError: If `peak` or `warmup_steps` is not positive.

    Reference:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, section 5.3

    Example:
    ```python
    import keras_s2s

    schedule = keras_s2s.schedules.InverseSquareRoot(1e-3, warmup_steps=100)
    assert round(float(schedule(50)), 6) == 5e-4
    assert round(float(schedule(400)), 6) == 5e-4
    optimizer = keras_s2s.optimizers.Adam(schedule)
    ```
    """

    def __init__(self, peak, warmup_steps):
        for name, value in (("peak", peak), ("warmup_steps", warmup_steps)):
            check_number(name, value, lambda x: 0 < x < float("inf"), "positive")
        self.peak, self.warmup_steps = peak, warmup_steps

    def __call__(self, step):
        share = ops.cast(step, "float32") / self.warmup_steps
        return self.peak * ops.minimum(share, ops.rsqrt(ops.maximum(share, 1.0)))

    def get_config(self):
        return {"peak": self.peak, "warmup_steps": self.warmup_steps}
