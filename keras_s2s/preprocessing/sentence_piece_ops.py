"""The SentencePiece ops of TensorFlow Text. Imported only where they are used."""

import hashlib

from keras_s2s._optional import import_tensorflow, import_tensorflow_text

tf = import_tensorflow()
import_tensorflow_text()

from tensorflow_text.python.ops.sentencepiece_tokenizer import (  # noqa: E402
    gen_sentencepiece_tokenizer as ops,
)


class SentencePieceResource(tf.saved_model.experimental.TrackableResource):
    """A SentencePiece model inside TensorFlow, which SavedModels can hold.

    Unlike the resource of `tensorflow_text.SentencepieceTokenizer`, this one has a name: a resource
    without one belongs to an op kernel of TensorFlow's cache, and is lost when
    `keras.utils.set_random_seed` clears that cache.

    Args:
        proto: `bytes` of the model.
    """

    def __init__(self, proto):
        super().__init__()
        name = "keras_s2s_" + hashlib.sha256(proto).hexdigest()
        try:
            # Outside of any graph being traced, so that all graphs can use it.
            with tf.init_scope():
                # A SavedModel holds this function, and with it the model, once. Without a function,
                # it would hold the model twice: where it is used, and where it is made on loading.
                self._create_resource = tf.function(
                    lambda: ops.sentencepiece_op(model=proto, shared_name=name), autograph=False
                ).get_concrete_function()
                self.resource_handle  # noqa: B018 (reading it creates the resource)
        except tf.errors.OpError as error:
            raise ValueError(f"The SentencePiece model is damaged: {error.message}") from error

    def tokenize(self, strings, alpha=None):
        """`tf.string` tensor `(batch,)` to a ragged int32 tensor `(batch, None)`.

        The best segmentations, or ones drawn with the inverse temperature `alpha`.
        """
        sampling = (0, 1.0) if alpha is None else (-1, alpha)
        values, splits = ops.sentencepiece_tokenize_op(
            self.resource_handle, strings, *sampling, False, False, False, tf.int32
        )
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False)

    def detokenize(self, ids, lengths):
        """int32 ids `(tokens,)` of all rows, int64 `lengths (batch,)`: `tf.string` `(batch,)`."""
        splits = tf.concat([tf.zeros((1,), tf.int64), tf.cumsum(lengths)], axis=0)
        return ops.sentencepiece_detokenize_op(
            self.resource_handle, ids, splits, False, False, False
        )

    def id_to_token(self, ids):
        """int32 tensor `(batch,)` to a `tf.string` tensor `(batch,)`."""
        return ops.sentencepiece_id_to_string_op(self.resource_handle, ids)
