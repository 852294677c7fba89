import keras
import numpy as np
from keras import ops

from keras_s2s._backend.shapes import size
from keras_s2s._checks import check_choice, check_rate, check_sizes
from keras_s2s.layers._padding import at_least_one_step
from keras_s2s.layers.encoder import Encoder
from keras_s2s.layers.rnn_encoder import RNNEncoder

NORMALIZATIONS = ("utterance", "stored")
_EPSILON = 1e-5


@keras.saving.register_keras_serializable("keras_s2s")
class SpeechEncoder(Encoder):
    """Encoder of speech: from log-mel spectrograms to a memory with fewer positions.

    Each convolution halves the number of positions. Bidirectional recurrent layers follow. From
    the second on, some of them halve it again: they read the outputs of two neighbouring positions
    as one (a pyramid). A clip gives the same alone and in a batch.

    Args:
        units: Integer, size of the state of each recurrent layer and direction.
        num_mels: Integer, the bands of the spectrograms.
        filters: List of integers, the filters of each convolution.
        cell: One of `"rnn"`, `"gru"`, `"lstm"`.
        num_layers: Integer, the number of recurrent layers.
        pyramid_layers: Integer, how many recurrent layers halve the number of positions, from the
            second on.
        dropout: Float in [0, 1), rate on the input of each recurrent layer and on the values.
        normalization: `"utterance"` subtracts the mean of each band over the clip, and divides by
            its deviation; `"stored"` takes mean and deviation from `adapt`.
        augmentation: A layer that is applied to normalised spectrograms while training, such as
            `keras_s2s.layers.SpecAugment()`, or None.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        log_mels: Float `(batch, frames, num_mels)`; rows of 0 are padding.
        training: Whether to augment and to apply dropout.

    Returns:
        The memory, a dict of
        `"values"`: `(batch, positions, 2 * units)`, zero at padding,
        `"mask"`: `(batch, positions)` bool,
        `"state"`: for each recurrent layer a list of `(batch, 2 * units)`: h, or h and c.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.SpeechEncoder(8, num_mels=20, num_layers=2, pyramid_layers=1)
    log_mels = np.random.default_rng(0).normal(size=(2, 80, 20)).astype("float32")
    assert encoder.reduction == 8
    assert encoder(log_mels)["values"].shape == (2, 10, 16)
    ```

    References:
        Chan et al., 2016, https://arxiv.org/abs/1508.01211 (pyramid);
        Zhang et al., 2017, https://arxiv.org/abs/1610.03022 (convolutions before it).
    """

    input_names = ("log_mels",)

    def __init__(
        self,
        units,
        num_mels=80,
        filters=(32, 32),
        cell="lstm",
        num_layers=3,
        pyramid_layers=0,
        dropout=0.0,
        normalization="utterance",
        augmentation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(units=units, num_mels=num_mels, num_layers=num_layers)
        check_rate("dropout", dropout)
        check_choice("normalization", normalization, NORMALIZATIONS)
        if not 0 <= pyramid_layers < num_layers:
            raise ValueError(
                f"`pyramid_layers` must be from 0 to {num_layers - 1}, `num_layers` - 1, since the "
                f"first layer halves nothing. Received: {pyramid_layers}"
            )
        self.units = units
        self.num_mels = num_mels
        self.filters = tuple(filters)
        self.cell = cell
        self.num_layers = num_layers
        self.pyramid_layers = pyramid_layers
        self.dropout = dropout
        self.normalization = normalization
        self.augmentation = augmentation
        options = {"dtype": self.dtype_policy}
        self.convolutions = [
            keras.layers.Conv2D(
                count,
                3,
                strides=2,
                activation="relu",
                data_format="channels_last",
                name=f"convolution_{i}",
                **options,
            )
            for i, count in enumerate(self.filters)
        ]
        self.rnn_layers = [
            RNNEncoder(units, cell, dropout=dropout, name=f"rnn_{i}", **options)
            for i in range(num_layers)
        ]

    @property
    def reduction(self):
        """How many frames a position of the memory stands for."""
        return 2 ** (len(self.filters) + self.pyramid_layers)

    def input_spec_for_serving(self):
        return {"log_mels": ((None, None, self.num_mels), "float32")}

    def memory_length(self, inputs):
        length = size(inputs, 1)
        length = max(length, 1) if isinstance(length, int) else ops.maximum(length, 1)
        for _ in range(len(self.filters) + self.pyramid_layers):
            length = -(-length // 2)
        return length

    def build(self, log_mels_shape):
        bands = self.num_mels
        if self.normalization == "stored":
            self.mean, self.deviation = (
                self.add_weight(shape=(bands,), initializer=initial, trainable=False, name=name)
                for name, initial in (("mean", "zeros"), ("deviation", "ones"))
            )
        channels = 1
        for layer in self.convolutions:
            if not layer.built:
                layer.build((None, None, bands + 2, channels))
            bands, channels = -(-bands // 2), layer.filters
        dim = bands * channels
        for i, layer in enumerate(self.rnn_layers):
            dim = 2 * dim if self._halves(i) else dim
            if not layer.built:
                layer.build((None, None, dim))
            dim = layer.output_dim

    def _halves(self, i):
        """Whether two positions become one before this recurrent layer."""
        return 0 < i <= self.pyramid_layers

    def call(self, log_mels, training=False):
        log_mels = at_least_one_step(log_mels)
        mask = _is_frame(log_mels)
        values = self._normalize(log_mels, mask)
        if self.augmentation is not None:
            values = self.augmentation(values, is_frame=mask, training=training)
        values = ops.expand_dims(ops.cast(values, self.compute_dtype), -1)
        for layer in self.convolutions:
            # Padded by hand: "same" pads by the length, so that clips would depend on the batch.
            values = layer(ops.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0))))
            mask = mask[:, ::2]
            values = values[:, : size(mask, 1)] * _factor(mask, values)
        values = ops.reshape(values, (*ops.shape(values)[:2], values.shape[2] * values.shape[3]))
        state = []
        for i, layer in enumerate(self.rnn_layers):
            if self._halves(i):
                values, mask = _halved(values), mask[:, ::2]
            memory = layer(values, mask=mask, training=training)
            values = memory["values"]
            state += memory["state"]
        return {"values": values, "mask": mask, "state": state}

    def _normalize(self, log_mels, mask):
        """Float32 spectrograms about 0 in each band, 0 at padding."""
        log_mels = ops.cast(log_mels, "float32")
        frames = ops.cast(ops.expand_dims(mask, -1), "float32")
        if self.normalization == "stored":
            return (log_mels - self.mean) / self.deviation * frames
        count = ops.maximum(ops.sum(frames, axis=1, keepdims=True), 1)
        centred = (log_mels - ops.sum(log_mels * frames, axis=1, keepdims=True) / count) * frames
        variance = ops.sum(ops.square(centred), axis=1, keepdims=True) / count
        return centred * ops.rsqrt(variance + _EPSILON)

    def adapt(self, batches):
        """Stores the mean and the deviation of each band, for `normalization="stored"`.

        Args:
            batches: Iterable of spectrograms `(batch, frames, num_mels)`, of the training data.

        Raises:
            ValueError: If the encoder normalises otherwise, or there are no frames.
        """
        if self.normalization != "stored":
            raise ValueError(
                '`adapt` is for `normalization="stored"`. This encoder has normalization='
                f"{self.normalization!r}, which needs no `adapt`."
            )
        count, total, squares = 0, np.zeros(self.num_mels), np.zeros(self.num_mels)
        for batch in batches:
            batch = ops.convert_to_numpy(batch).astype("float64")
            frames = batch[batch.any(axis=-1)]
            count += len(frames)
            total += frames.sum(axis=0)
            squares += np.square(frames).sum(axis=0)
        if not count:
            raise ValueError(
                "`batches` must hold at least one frame. It is empty, or was iterated over before."
            )
        mean = total / count
        if not self.built:
            self.build((None, None, self.num_mels))
        self.mean.assign(mean)
        self.deviation.assign(np.sqrt(np.maximum(squares / count - mean**2, _EPSILON)))

    def compute_output_shape(self, log_mels_shape):
        batch, length = log_mels_shape[:2]
        if length is not None:
            for _ in range(len(self.filters) + self.pyramid_layers):
                length = -(-length // 2)
        dim = self.rnn_layers[-1].output_dim
        shapes = [layer.compute_output_shape((batch, length, dim)) for layer in self.rnn_layers]
        state = [one for shape in shapes for one in shape["state"]]
        return {"values": (batch, length, dim), "mask": (batch, length), "state": state}

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_mels": self.num_mels,
            "filters": list(self.filters),
            "cell": self.cell,
            "num_layers": self.num_layers,
            "pyramid_layers": self.pyramid_layers,
            "dropout": self.dropout,
            "normalization": self.normalization,
            "augmentation": keras.saving.serialize_keras_object(self.augmentation),
        }


def _is_frame(log_mels):
    """`(batch, frames)` bool: rows of 0 are padding."""
    return ops.any(ops.not_equal(log_mels, 0), axis=-1)


def _factor(mask, values):
    """The mask as factors of values of any rank."""
    mask = ops.cast(mask, values.dtype)
    return ops.reshape(mask, (*ops.shape(mask), *[1] * (len(values.shape) - 2)))


def _halved(values):
    """Two neighbouring positions become one, of twice the size; an odd last one gets zeros."""
    rows, length, dim = size(values, 0), size(values, 1), values.shape[-1]
    values = ops.pad(values, ((0, 0), (0, 1), (0, 0)))[:, : length + length % 2]
    return ops.reshape(values, (rows, (length + 1) // 2, 2 * dim))
