"""Training batches of images, or their features, with several captions each."""

import warnings

import keras
import numpy as np

from keras_s2s._checks import check_int
from keras_s2s._optional import import_tensorflow
from keras_s2s.preprocessing.as_column import as_column, describe
from keras_s2s.preprocessing.long_texts import CutWarning
from keras_s2s.tokens import END, PAD, decoder_inputs


class CaptionBatches(keras.utils.PyDataset):
    """Batches of images with all of their captions, for `fit`, `evaluate` or an own loop.

    Plain NumPy: no TensorFlow needed. The encoder runs once for all captions of an image. Images
    whose longest captions are similarly long share a batch, so that less is padding.

    Each epoch has an order of its own, a function of `seed` and `epoch` only; see
    `keras_s2s.data.BucketedBatches`, whose epochs are counted the same way.

    Args:
        images: Array-like `(images, ...)` of what the encoder takes, such as `cached_features`
            returned. With an `image_converter` any images.
        caption_ids: For each image a list of captions, each a list of integers without start and
            end ids. Images may have unequally many.
        batch_size: Integer, images of a batch.
        target_length: Longest caption, its end id included; longer ones are cut, and a
            `keras_s2s.preprocessing.CutWarning` says how many.
        shuffle: If false, batches are in the order given.
        seed: Integer.
        image_converter: `keras_s2s.preprocessing.ImageConverter`, which is given the images of a
            batch, or None. It needs TensorFlow.
        **kwargs: Those of `keras.utils.PyDataset`.

    Attributes:
        epoch: Number of the current epoch, from 0.

    Raises:
        TypeError: If captions are strings, or images a whole table.
        ValueError: If images and captions are not equally many, or there are none.

    Example:
    ```python
    import numpy as np
    from keras_s2s.data import CaptionBatches

    batches = CaptionBatches(np.zeros((2, 7, 7, 4)), [[[5, 6], [7]], [[8]]], batch_size=2)
    x, labels, sample_weight = batches[0]
    assert x["images"].shape == (2, 7, 7, 4)
    assert x["decoder_token_ids"].shape == labels.shape == (2, 2, 3)
    ```
    """

    def __init__(
        self,
        images,
        caption_ids,
        batch_size=32,
        target_length=64,
        shuffle=True,
        seed=0,
        image_converter=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        batch_size = check_int("batch_size", batch_size, 1)
        target_length = check_int("target_length", target_length, 1)
        images, caption_ids = as_column(images, "images"), as_column(caption_ids, "caption_ids")
        if len(images) != len(caption_ids) or not len(images):
            raise ValueError(
                "There must be a list of captions for each image, and at least one image. Received "
                f"{len(images)} images and {len(caption_ids)} lists of captions."
            )
        self.images = images
        self.image_converter = image_converter
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        ids = [[_ids(ids, f"caption_ids[{i}]") for ids in row] for i, row in enumerate(caption_ids)]
        self._ids = [[caption[: target_length - 1] for caption in row] for row in ids]
        cut = [len(caption) >= target_length for row in ids for caption in row]
        if any(cut):
            first = next(
                i for i, row in enumerate(ids) if max(map(len, row), default=0) >= target_length
            )
            warnings.warn(
                f"{sum(cut):,} of {len(cut):,} captions are cut, the first of them with image "
                f"{first}: they have more tokens, the end included, than "
                f"target_length={target_length}.",
                CutWarning,
                stacklevel=2,
            )
        self._most = max(map(len, self._ids))
        self._longest = np.array([max(map(len, row), default=0) for row in self._ids])
        self.set_epoch(0)

    @property
    def num_batches(self):
        return -(-len(self.images) // self.batch_size)

    def __len__(self):
        return self.num_batches

    def set_epoch(self, epoch):
        """Goes to epoch number `epoch`, e.g. when training is resumed."""
        self.epoch = epoch
        order = np.arange(len(self.images))
        rng = np.random.default_rng([self.seed, epoch])
        if self.shuffle:
            order = np.argsort(self._longest + rng.uniform(-1.5, 1.5, len(order)))
        plan = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        if self.shuffle:
            plan = [plan[i] for i in rng.permutation(len(plan))]
        # Keras looks at the first two to see which axes vary in length.
        widths = [self._longest[rows].max() for rows in plan]
        for place, extreme in enumerate((np.argmin(widths), np.argmax(widths))[: len(plan)]):
            plan[place], plan[extreme] = plan[extreme], plan[place]
            widths[place], widths[extreme] = widths[extreme], widths[place]
        self._plan = plan

    def on_epoch_end(self):
        self.set_epoch(self.epoch + 1)

    def __getitem__(self, index):
        if not 0 <= index < self.num_batches:
            raise IndexError(f"There is no batch {index}; there are {self.num_batches}.")
        rows = np.sort(self._plan[index])
        captions = [self._ids[row] for row in rows]
        shape = len(rows), self._most, self._longest[rows].max() + 1
        labels = np.zeros(shape, "int32")
        for i, several in enumerate(captions):
            for j, ids in enumerate(several):
                labels[i, j, : len(ids)] = ids
                labels[i, j, len(ids)] = END
        if self.image_converter is None and hasattr(self.images, "shape"):
            images = np.asarray(self.images[rows])
        elif self.image_converter is None:
            images = np.stack([self.images[row] for row in rows])
        else:
            images = np.asarray(self.image_converter([self.images[row] for row in rows]))
        x = {"images": images, "decoder_token_ids": decoder_inputs(labels)}
        return x, labels, (labels != PAD).astype("float32")

    def as_tf_dataset(self):
        """Returns a `tf.data.Dataset` of the batches. Each pass over it is one more epoch."""
        tf = import_tensorflow()

        def one_epoch():
            yield from (self[i] for i in range(len(self)))
            self.on_epoch_end()

        def spec(array):
            shape = (None, None, None) if array.ndim == 3 else (None, *array.shape[1:])
            return tf.TensorSpec(shape, array.dtype)

        signature = keras.tree.map_structure(spec, self[0])
        dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        return dataset.prefetch(2)


def _ids(ids, name):
    """One caption as a list of integers."""
    values = np.asarray(ids)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise TypeError(
            f"`{name}` must hold lists of token ids, such as `tokenizer.encode(captions)` gives "
            f"them. Received {describe(ids)}."
        )
    return values.tolist()
