"""Features of a frozen encoder, computed once and kept on the disk."""

import hashlib
import json
import os
from pathlib import Path

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s.preprocessing import image_items
from keras_s2s.preprocessing.as_column import as_column


def cached_features(encoder, images, folder, image_converter=None, batch_size=32, verbose=1):
    """The features that an encoder's backbone computes, from the disk if it did so before.

    For training with a frozen backbone: it runs once instead of in each epoch, so that images
    cannot be augmented.

    The name of the file is a hash of everything that the features depend on: the backbone, its
    weights and scaling, how images are converted, the images, and the version of Keras.

    Args:
        encoder: `keras_s2s.layers.ImageEncoder`.
        images: Images, such as a list of paths or `TarImages`. They are read one batch at a time.
        folder: Folder of the cache, made if needed.
        image_converter: The preprocessor's; by default
            `ImageConverter(encoder.image_size)`.
        batch_size: Integer.
        verbose: 0 for silence, 1 for a bar.

    Returns:
        Array `(images, rows, columns, channels)` float16 that reads from the disk, for
        `keras_s2s.data.Features` or `{"images": features}`.

    Raises:
        ValueError: If an image cannot be read; the message names it.

    Example:
    ```python
    import numpy as np
    import keras_s2s

    encoder = keras_s2s.layers.ImageEncoder(16, weights=None, image_size=(32, 32))
    images = np.zeros((3, 40, 40, 3), "uint8")
    features = keras_s2s.data.cached_features(encoder, images, "cache", verbose=0)
    assert features.shape == (3, *encoder.feature_shape)
    ```
    """
    if image_converter is None:
        from keras_s2s.preprocessing import ImageConverter

        image_converter = ImageConverter(encoder.image_size)
    images, batch_size = as_column(images, "images"), check_int("batch_size", batch_size, 1)
    folder = Path(folder)
    path = folder / f"{_key(encoder, images, image_converter)}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            _compute(encoder, images, image_converter, batch_size, verbose, unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _key(encoder, images, image_converter):
    digest = hashlib.sha256()
    backbone = encoder.backbone_name or keras.saving.serialize_keras_object(encoder.backbone)
    config = [
        keras.__version__,
        backbone,
        encoder.image_size,
        encoder.dtype_policy.name,
        image_converter.get_config(),
    ]
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    for variable in encoder.backbone.variables:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes())
    for i in range(len(images)):
        value = _item(images, i).value
        if isinstance(value, str):
            # Size and time in place of the contents, which would have to be read each time.
            status = os.stat(value)
            value = f"{os.path.abspath(value)} {status.st_size} {status.st_mtime_ns}"
            value = os.fsencode(value)
        elif isinstance(value, np.ndarray):
            value = f"{value.shape} {value.dtype}".encode() + np.ascontiguousarray(value).tobytes()
        digest.update(hashlib.sha256(value).digest())
    return digest.hexdigest()[:32]


def _item(images, index):
    [item], _ = image_items.as_items(images[index], f"images[{index}]")
    return item


def _compute(encoder, images, image_converter, batch_size, verbose, path):
    pixels = keras.Input((*encoder.image_size, 3))
    backbone = keras.Model(pixels, encoder.features(pixels))
    count = len(images)
    features = np.lib.format.open_memmap(
        path, "w+", dtype="float16", shape=(count, *encoder.feature_shape)
    )
    bar = keras.utils.Progbar(count, unit_name="image", verbose=verbose)
    for start in range(0, count, batch_size):
        rows = range(start, min(start + batch_size, count))
        batch = np.asarray(image_converter([_item(images, i) for i in rows]))
        outputs = backbone.predict_on_batch(batch)
        features[start : start + len(rows)] = np.clip(outputs, -65504, 65504)
        bar.update(start + len(rows))
    features.flush()
