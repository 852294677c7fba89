import keras
from keras import ops

from keras_s2s._backend.shapes import size
from keras_s2s._checks import check_int, check_rate


@keras.saving.register_keras_serializable("keras_s2s")
class SpecAugment(keras.layers.Layer):
    """Hides random bands and stretches of time of spectrograms, while training.

    Args:
        frequency_masks: Integer, how many ranges of bands to hide.
        frequency_width: Integer, the most bands of a range.
        time_masks: Integer, how many stretches of time to hide.
        time_share: Float, the longest stretch, as a share of the clip.
        seed: Integer or `keras.random.SeedGenerator`.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        spectrograms: Float `(batch, frames, num_mels)`, normalised, so that 0 is the mean.
        is_frame: `(batch, frames)` bool, False at padding; by default all is the clip.
        training: Whether to hide anything.

    Returns:
        The spectrograms, 0 where they are hidden.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    augment = keras_s2s.layers.SpecAugment(frequency_width=4, seed=1)
    hidden = augment(np.ones((1, 50, 20), "float32"), training=True)
    assert 0 < float(np.mean(hidden)) < 1
    ```

    References:
        Park et al., 2019, https://arxiv.org/abs/1904.08779.
    """

    def __init__(
        self,
        frequency_masks=2,
        frequency_width=15,
        time_masks=2,
        time_share=0.1,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.frequency_masks = check_int("frequency_masks", frequency_masks, 0)
        self.frequency_width = check_int("frequency_width", frequency_width, 1)
        self.time_masks = check_int("time_masks", time_masks, 0)
        check_rate("time_share", time_share)
        self.time_share = time_share
        self.seed = seed
        is_generator = isinstance(seed, keras.random.SeedGenerator)
        self.seed_generator = seed if is_generator else keras.random.SeedGenerator(seed)

    def call(self, spectrograms, is_frame=None, training=False):
        if not training:
            return spectrograms
        rows, frames, bands = (size(spectrograms, axis) for axis in range(3))
        lengths = ops.cast(ops.full((rows,), frames), "float32")
        if is_frame is not None:
            lengths = ops.sum(ops.cast(is_frame, "float32"), axis=1)
        widest = ops.full((rows,), float(self.frequency_width))
        shown = ops.expand_dims(
            self._shown(self.time_masks, frames, lengths * self.time_share, lengths), -1
        )
        counts = ops.cast(ops.full((rows,), bands), "float32")
        shown = shown * ops.expand_dims(self._shown(self.frequency_masks, bands, widest, counts), 1)
        return spectrograms * ops.cast(shown, spectrograms.dtype)

    def _shown(self, number, positions, widest, lengths):
        """Factors `(batch, positions)`: 0 in ranges of up to `widest` within `lengths`, else 1."""
        rows = size(lengths, 0)
        index = ops.cast(ops.arange(positions), "float32")[None, None]
        # Drawn as floats, so that one graph serves all lengths.
        width, start = (
            keras.random.uniform((rows, number, 1), dtype="float32", seed=self.seed_generator)
            for _ in range(2)
        )
        width = ops.floor(width * (ops.reshape(widest, (-1, 1, 1)) + 1))
        start = ops.floor(start * ops.maximum(ops.reshape(lengths, (-1, 1, 1)) - width + 1, 1))
        hidden = ops.logical_and(index >= start, index < start + width)
        return 1 - ops.cast(ops.any(hidden, axis=1), "float32")

    def compute_output_shape(self, spectrograms_shape):
        return spectrograms_shape

    def get_config(self):
        seed = self.seed
        if isinstance(seed, keras.random.SeedGenerator):
            seed = keras.saving.serialize_keras_object(seed)
        return {
            **super().get_config(),
            "frequency_masks": self.frequency_masks,
            "frequency_width": self.frequency_width,
            "time_masks": self.time_masks,
            "time_share": self.time_share,
            "seed": seed,
        }
