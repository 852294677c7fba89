"""Images as an encoder takes them: as pixels, or as features of a frozen backbone."""

import numpy as np

from keras_s2s.data import cached_features
from keras_s2s.recipes.data_sets import Joined


class Converted:
    """Images, converted when they are asked for.

    Args:
        images: As in `keras_s2s.data.cached_features`.
        converter: `keras_s2s.preprocessing.ImageConverter`.
        mirror: Whether to exchange left and right.
    """

    def __init__(self, images, converter, mirror=False):
        self.images, self.converter, self.mirror = images, converter, mirror
        self.shape = (len(images), *converter.image_size, 3)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        if isinstance(rows, int):
            return self[[rows]][0]
        rows = range(len(self))[rows] if isinstance(rows, slice) else rows
        pixels = np.asarray(self.converter([self.images[row] for row in rows]))
        return pixels[:, :, ::-1] if self.mirror else pixels


class Blank:
    """Features of images on which there is nothing.

    Args:
        count: Number of images.
        shape: `(rows, columns, channels)`.
    """

    def __init__(self, count, shape):
        self.shape = (count, *shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        return np.zeros((len(rows), *self.shape[1:]), "float16")


def of(encoder, images, folder, verbose, mirror_with=None):
    """Cached features of images, once for each image of a `Joined`.

    Args:
        encoder: `keras_s2s.layers.ImageEncoder`.
        images: As in `keras_s2s.data.cached_features`, or a `Joined` of such.
        folder: Folder of the cache.
        verbose: As Keras's.
        mirror_with: The image converter, to have the features of mirror images.
    """
    if isinstance(images, Joined):
        parts = [of(encoder, part, folder, verbose, mirror_with) for part in images.parts]
        return Joined(parts, images.times)
    if mirror_with is not None:
        images = Converted(images, mirror_with, mirror=True)
    return cached_features(encoder, images, folder, verbose=verbose)


def of_either_side(model, images, folder, seed, verbose):
    """Cached features of images, each at random of the image or of its mirror image.

    This replaces the encoder's augmentation, which cached features bypass. Without augmentation,
    no image is mirrored.

    Args:
        model: `keras_s2s.models.ImageCaptioner`.
        images: As in `of`.
        folder: Folder of the cache.
        seed: Integer.
        verbose: As Keras's.
    """
    encoder = model.encoder
    plain = of(encoder, images, folder, verbose)
    if encoder.augmentation is None:
        return plain
    converter = model.preprocessor.image_converter
    return _EitherOf(plain, of(encoder, images, folder, verbose, converter), seed)


class _EitherOf:
    """Takes each row at random from one of two arrays; the same rows give the same result."""

    def __init__(self, first, second, seed):
        self.arrays, self.seed = (first, second), seed
        self.shape = first.shape

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, rows):
        first, second = (array[rows] for array in self.arrays)
        coin = np.random.default_rng([self.seed, *map(int, rows)]).random(len(first)) < 0.5
        return np.where(coin[:, None, None, None], first, second)
