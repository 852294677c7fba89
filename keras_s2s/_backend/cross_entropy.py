"""Cross-entropy of ids and logits, with few passes over memory of the size of the logits."""

import keras
from keras import ops

from keras_s2s._backend.top_k import Groups


def cross_entropy(labels, logits, label_smoothing=0.0):
    """`-sum(target * log softmax(logits))`, with targets smoothed towards the uniform distribution.

    Large vocabularies make the logits the largest tensor of a training step. On TensorFlow the
    gradient is a custom one, so that it needs only one more tensor of that size.

    Args:
        labels: `(...,)` integer ids.
        logits: `(..., vocabulary)`, computed with in float32.
        label_smoothing: Share of the target that is spread evenly over the vocabulary.

    Returns:
        `(...,)`, float32.
    """
    logits = ops.cast(logits, "float32")
    if keras.backend.backend() == "tensorflow":
        shape = ops.shape(logits)[:-1]
        flat = ops.reshape(logits, (-1, logits.shape[-1]))
        labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
        return ops.reshape(_tensorflow(labels, flat, label_smoothing), shape)
    value = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    if label_smoothing:
        even = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        value = (1 - label_smoothing) * value + label_smoothing * even
    return value


def _tensorflow(labels, logits, label_smoothing):
    import tensorflow as tf

    @tf.custom_gradient
    def run(logits):
        # Not `SparseSoftmaxCrossEntropyWithLogits`, which runs on one thread of a CPU.
        probabilities = tf.nn.softmax(logits)
        normalizer = tf.squeeze(Groups(logits).log_sum_exp(probabilities), 1)
        label_logits = tf.gather(logits, labels, axis=1, batch_dims=1)
        value = normalizer - (1 - label_smoothing) * label_logits
        if label_smoothing:
            value -= label_smoothing * tf.reduce_mean(logits, axis=1)

        def gradient(upstream):
            # Each operation can overwrite its input, so that no more memory is needed.
            total = probabilities
            if label_smoothing:
                total -= label_smoothing / tf.cast(tf.shape(logits)[1], logits.dtype)
            total *= tf.expand_dims(upstream, 1)
            rows = tf.range(tf.shape(labels)[0], dtype=labels.dtype)
            places = tf.stack([rows, labels], axis=1)
            return tf.tensor_scatter_nd_sub(total, places, (1 - label_smoothing) * upstream)

        return value, gradient

    return run(logits)
