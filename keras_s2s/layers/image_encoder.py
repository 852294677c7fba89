import functools
import math

import keras
from keras import ops

from keras_s2s import _pixels
from keras_s2s._backend.require import require
from keras_s2s._checks import check_image_size, check_rate, check_sizes
from keras_s2s.layers import _image_models
from keras_s2s.layers.encoder import Encoder

_CHANNELS_LAST = "channels_last"
# Number of images whose pixels are checked together.
_ROWS = 64


@keras.saving.register_keras_serializable("keras_s2s")
class ImageEncoder(Encoder):
    """Convolutional encoder: from images to a memory of grid positions.

    A backbone gives features for each cell of a grid, such as 7 rows of 7 columns. A memory's
    position is one cell: its features projected, plus a trained vector for its row and one for its
    column.

    The layer scales pixels as the backbone needs them. To train with a frozen backbone without
    running it again for each epoch, `features` gives what the layer takes in place of images.

    Freeze and unfreeze with `encoder.backbone.trainable`. Even while it is trained, the backbone
    normalises by the statistics that its BatchNormalization layers hold, since small batches
    would spoil the statistics of pretrained weights; see `batch_statistics`.

    Args:
        units: Integer, size of the memory's values.
        backbone: Name of a model of `keras.applications`, such as `"MobileNetV2"`, or
            `"EfficientNetLite0"` to `"EfficientNetLite4"`, or a `keras.Model` from images `(batch,
            height, width, 3)` with pixels in 0..255 to features `(batch, rows, columns,
            channels)`.
        weights: Weights of a backbone given by name: `"imagenet"`, which Keras downloads for
            `keras.applications`, the path of a file, or None for random ones.
        image_size: Tuple of height and width.
        dropout: Float in [0, 1), rate on the features and on the values.
        augmentation: Keras layer that is applied to the pixels while training, such as
            `keras.layers.RandomFlip("horizontal")`, or None.
        batch_statistics: Whether the backbone's BatchNormalization layers normalise by the batch
            while training, and learn their statistics from it. By default only if `weights` is
            None and the backbone is given by name, since training from scratch needs it.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        images: `(batch, height, width, 3)`, integers or floats in 0..255, or features `(batch,
            rows, columns, channels)`.
        training: Whether to augment images and apply dropout.

    Returns:
        The memory, a dict of
        `"values"`: `(batch, rows * columns, units)`, row by row,
        `"mask"`: `(batch, rows * columns)` bool, all True,
        `"state"`: the mean of the values, `[[(batch, units)]]`.

    Raises:
        ValueError: If an argument is out of its range, or the backbone gives no grid. In a call, if
            pixels are outside of 0..255 or seem to be scaled to 0..1: floats of which none is above
            1, but not all are 0. In a graph of TensorFlow it is an `InvalidArgumentError` when the
            graph runs. Code that JAX or XLA compiles does not check pixels.
        OSError: If the weights cannot be downloaded.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.ImageEncoder(16, weights=None, image_size=(64, 64))
    images = np.zeros((1, 64, 64, 3), "uint8")
    memory = encoder(images)
    assert encoder.grid == (2, 2) and memory["values"].shape == (1, 4, 16)
    np.testing.assert_allclose(encoder(encoder.features(images))["values"], memory["values"])
    ```

    References:
        Xu et al., 2015, Show, Attend and Tell, https://arxiv.org/abs/1502.03044 (grid, initial
        state); Sandler et al., 2018, https://arxiv.org/abs/1801.04381 (MobileNetV2);
        Tan and Le, 2019, https://arxiv.org/abs/1905.11946 (EfficientNet).
    """

    def __init__(
        self,
        units,
        backbone="MobileNetV2",
        weights="imagenet",
        image_size=(224, 224),
        dropout=0.0,
        augmentation=None,
        batch_statistics=None,
        **kwargs,
    ):
        # Pixels must be scaled before they are cast to 16 bits.
        super().__init__(autocast=False, **kwargs)
        check_sizes(units=units)
        check_rate("dropout", dropout)
        if keras.config.image_data_format() != _CHANNELS_LAST:
            raise ValueError(
                "`ImageEncoder` takes images with their channels last. Call "
                f"`keras.config.set_image_data_format({_CHANNELS_LAST!r})` first."
            )
        self.units = units
        self.image_size = check_image_size(image_size)
        self.dropout = dropout
        self.augmentation = augmentation
        self.backbone_name = None
        if isinstance(backbone, keras.Model):
            if weights not in ("imagenet", None):
                raise ValueError(
                    "`weights` is for a backbone given by name; load weights into the model "
                    f"before it is passed. Received: weights={weights!r}"
                )
            self.backbone = backbone
        else:
            _image_models.check(backbone)
            self.backbone_name = backbone
            self.backbone = _image_models.make(
                backbone, weights, self.image_size, self.dtype_policy
            )
        if batch_statistics is None:
            batch_statistics = self.backbone_name is not None and weights is None
        self.batch_statistics = batch_statistics
        self.feature_shape = self._check_features()
        self.projection = keras.layers.Dense(
            units, activation="relu", dtype=self.dtype_policy, name="projection"
        )
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="drop")

    def _check_features(self):
        """Shape `(rows, columns, channels)` of the backbone's features."""
        try:
            shape = self.backbone.compute_output_shape((None, *self.image_size, 3))
        except Exception as error:
            raise ValueError(
                f"`backbone` cannot be applied to images of shape {(*self.image_size, 3)}: "
                f"{error} Pass an `image_size` that it accepts."
            ) from error
        if len(shape) != 4 or None in shape[1:]:
            raise ValueError(
                "`backbone` must give a grid of features, (batch, rows, columns, channels), as "
                f"keras.applications do with include_top=False. It gives {tuple(shape)}."
            )
        if tuple(shape[1:]) == (*self.image_size, 3):
            raise ValueError(
                f"`backbone` returns the shape of its images, {tuple(shape[1:])}, so the layer "
                "cannot tell features from images. Pass a backbone whose output shape differs."
            )
        return tuple(shape[1:])

    input_names = ("images",)

    def input_spec_for_serving(self):
        return {"images": ((None, *self.image_size, 3), "float32")}

    def check_features(self, inputs):
        if tuple(getattr(inputs, "shape", ()))[1:] != (*self.image_size, 3):
            return
        # Checked here, since a compiled step cannot raise an error for them.
        for start in range(0, inputs.shape[0], _ROWS):
            _pixels.check(ops.convert_to_numpy(inputs[start : start + _ROWS]), start)

    def memory_length(self, inputs):
        return math.prod(self.grid)

    def split_attention(self, weights, inputs):
        return {"images": ops.reshape(weights, (*ops.shape(weights)[:-1], *self.grid))}

    @property
    def grid(self):
        """Tuple of the numbers of rows and columns."""
        return self.feature_shape[:2]

    def build(self, images_shape=None):
        if self.built:
            return
        if self.augmentation is not None and not self.augmentation.built:
            self.augmentation.build((None, *self.image_size, 3))
        rows, columns, channels = self.feature_shape
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.row_position = self.add_weight(
            (rows, 1, self.units), initializer=initializer, name="row_position"
        )
        self.column_position = self.add_weight(
            (columns, self.units), initializer=initializer, name="column_position"
        )
        if not self.projection.built:
            self.projection.build((None, None, channels))

    def features(self, images):
        """The backbone's features of images, which the layer takes in place of the images.

        Args:
            images: `(batch, height, width, 3)`, in 0..255.

        Returns:
            Features `(batch, rows, columns, channels)`.
        """
        return self._features(images, training=False)

    def call(self, images, training=False):
        self._check_shape(images.shape)
        features = images
        if tuple(images.shape[1:]) != self.feature_shape:
            self._check_pixels(images)
            features = self._features(images, training)
        rows, columns, channels = self.feature_shape
        features = ops.cast(features, self.compute_dtype)
        features = ops.reshape(features, (-1, rows * columns, channels))
        values = self.projection(self.drop(features, training=training))
        position = self.row_position + self.column_position
        position = ops.reshape(position, (rows * columns, self.units))
        values = self.drop(values, training=training) + ops.cast(position, values.dtype)
        mask = ops.ones(ops.shape(values)[:2], dtype="bool")
        return {"values": values, "mask": mask, "state": [[ops.mean(values, axis=1)]]}

    def scale(self, images):
        """Pixels in 0..255 as the backbone takes them, float32."""
        pixels = ops.cast(images, "float32")
        if self.backbone_name is None:
            return pixels
        return _image_models.scaling(self.backbone_name)(pixels)

    def _check_pixels(self, images):
        dtype = keras.backend.standardize_dtype(images.dtype)
        if dtype == "uint8":
            return
        pixels = ops.reshape(images, (-1, 3 * math.prod(self.image_size)))
        pixels = ops.cast(pixels, "float32")
        all_of = functools.partial(ops.all, axis=1)
        bad = _pixels.is_outside(pixels, all_of)
        if "float" in dtype:
            bad |= _pixels.seems_scaled(pixels, all_of)
        require(~bad, _pixels.TEXT)

    def _features(self, images, training):
        if training and self.augmentation is not None:
            images = self.augmentation(ops.cast(images, "float32"), training=True)
        return self.backbone(self.scale(images), training=bool(training and self.batch_statistics))

    def _check_shape(self, shape):
        image = (*self.image_size, 3)
        given = tuple(shape[1:])
        if given[-1:] == (None,):
            raise ValueError(
                "One function of TensorFlow got both images and features. Call `model.compile()` "
                "between training on the one and on the other."
            )
        for known in (image, self.feature_shape):
            if len(given) == 3 and all(g in (k, None) for g, k in zip(given, known)):
                return
        raise ValueError(
            f"Images must be of the shape (batch, {', '.join(map(str, image))}), or features of "
            f"(batch, {', '.join(map(str, self.feature_shape))}). Received: {tuple(shape)}"
        )

    def compute_output_shape(self, images_shape):
        batch, positions = images_shape[0], self.grid[0] * self.grid[1]
        return {
            "values": (batch, positions, self.units),
            "mask": (batch, positions),
            "state": [[(batch, self.units)]],
        }

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "units": self.units,
            "backbone": self.backbone_name or serialize(self.backbone),
            # A saved model brings its own weights.
            "weights": None,
            "image_size": self.image_size,
            "dropout": self.dropout,
            "augmentation": serialize(self.augmentation),
            "batch_statistics": self.batch_statistics,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config.pop("autocast", None)
        return super().from_config(config)
