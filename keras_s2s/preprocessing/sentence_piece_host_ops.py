"""The `sentencepiece` library inside TensorFlow graphs, for machines without TensorFlow Text."""

from itertools import chain

import numpy as np

from keras_s2s._optional import import_tensorflow


class SentencePieceHostOps:
    """Has the methods of `SentencePieceResource`, for graphs that are run where they were traced.

    The graph calls back into this Python process. So it works eagerly, in a `tf.function` and in
    `tf.data`, and cannot be exported.

    Args:
        library: `SentencePieceLibrary`.
    """

    def __init__(self, library):
        self._library = library

    def tokenize(self, strings, alpha=None):
        """`tf.string` tensor `(batch,)` to a ragged int32 tensor `(batch, None)`."""
        tf = import_tensorflow()

        def encode(strings):
            texts = [string.decode("utf-8") for string in strings]
            if alpha is None:
                rows = self._library.encode(texts)
            else:
                rows = self._library.sample(texts, alpha)
            splits = np.cumsum([0, *map(len, rows)], dtype="int64")
            return np.fromiter(chain.from_iterable(rows), "int32", splits[-1]), splits

        values, splits = tf.numpy_function(encode, [strings], [tf.int32, tf.int64])
        values = tf.ensure_shape(values, [None])
        size = strings.shape[0]
        splits = tf.ensure_shape(splits, [None if size is None else size + 1])
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False)

    def detokenize(self, ids, lengths):
        """int32 ids `(tokens,)` of all rows, int64 `lengths (batch,)`: `tf.string` `(batch,)`."""
        tf = import_tensorflow()

        def decode(ids, lengths):
            ids, ends = ids.tolist(), np.cumsum(lengths).tolist()
            rows = [ids[start:end] for start, end in zip([0, *ends], ends)]
            return np.array([text.encode("utf-8") for text in self._library.decode(rows)], object)

        texts = tf.numpy_function(decode, [ids, lengths], tf.string)
        return tf.ensure_shape(texts, lengths.shape)

    def id_to_token(self, ids):
        """int32 tensor `(batch,)` to a `tf.string` tensor `(batch,)`."""
        tf = import_tensorflow()
        return tf.gather(tf.constant(self._library.pieces), ids)
