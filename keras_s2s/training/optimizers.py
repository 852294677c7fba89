import keras
from keras import ops

from keras_s2s._backend.replicas import sums


@keras.saving.register_keras_serializable("keras_s2s")
class Adam(keras.optimizers.Adam):
    """Keras's Adam, which on TensorFlow updates each variable in one operation.

    Keras's own goes through the memory of a variable and its two moments about ten times, and with
    `global_clipnorm` once more through gradients that need no clipping. The result is the same,
    except for rounding and for embeddings: where a token occurs several times in a batch, Keras on
    TensorFlow adds the squares of its gradients, in the update and in clipping; this class squares
    their sum, as on the other backends. On several replicas of a `tf.distribute` strategy, Keras
    clips each replica's gradients; this class clips their sum.

    Args:
        *args: See `keras.optimizers.Adam`.
        **kwargs: See `keras.optimizers.Adam`. With `amsgrad=True`, and for variables that are
            not float32, updates are Keras's own.

    Attributes:
        gradient_norm: Variable, the norm of all gradients in the last step, before they were
            clipped. `keras_s2s.callbacks.TensorBoard` shows it.

    Example:
    ```python
    import keras_s2s

    optimizer = keras_s2s.optimizers.Adam(1e-3, global_clipnorm=1.0)
    assert optimizer.get_config()["beta_1"] == 0.9
    ```

    Reference:
        Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980
    """

    _common = None

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.gradient_norm = self.add_variable((), initializer="zeros", name="gradient_norm")

    def apply(self, grads, trainable_variables=None):
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Add up the slices of a row before clipping: their norm is not the norm of their sum.
            grads = [
                tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads
            ]
        return super().apply(grads, trainable_variables)

    def _backend_apply_gradients(self, grads, trainable_variables):
        # Add up the replicas' gradients first, so that their sum is clipped.
        super()._backend_apply_gradients(sums(grads), trainable_variables)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars  # `_backend_apply_gradients` has added them up.

    def _clip_gradients(self, grads):
        norm = _norm(grads)
        self.gradient_norm.assign(norm)
        limit = self.global_clipnorm or 0
        is_own = limit > 0 and keras.backend.backend() == "tensorflow"
        if not is_own or any(g.dtype.name != "float32" for g in grads):
            return super()._clip_gradients(grads)
        import tensorflow as tf

        # Keras rewrites each gradient even if the norm is within the limit.
        # For an infinite norm, which leaves no direction, `norm - norm` is NaN.
        factor = limit / norm + (norm - norm)
        return tf.cond(norm <= limit, lambda: grads, lambda: [g * factor for g in grads])

    def _distributed_tf_update_step(self, distribution, grads_and_vars, learning_rate):
        if distribution.num_replicas_in_sync == 1:
            self._common = self._common_arguments()
        try:
            super()._distributed_tf_update_step(distribution, grads_and_vars, learning_rate)
        finally:
            self._common = None

    def _common_arguments(self):
        """The arguments of the operation that are the same for all variables of a step."""
        import tensorflow as tf

        updates = tf.cast(self.iterations + 1, tf.float32)
        return {
            "beta1_power": tf.pow(self.beta_1, updates),
            "beta2_power": tf.pow(self.beta_2, updates),
            "beta1": tf.constant(self.beta_1, tf.float32),
            "beta2": tf.constant(self.beta_2, tf.float32),
            "epsilon": tf.constant(self.epsilon, tf.float32),
        }

    def update_step(self, gradient, variable, learning_rate):
        one_operation = keras.backend.backend() == "tensorflow" and variable.dtype == "float32"
        if self.amsgrad or not one_operation:
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf

        index = self._get_variable_index(variable)
        moments = [slots[index].value.handle for slots in (self._momentums, self._velocities)]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0],
            v=moments[1],
            lr=tf.cast(learning_rate, tf.float32),
            grad=tf.cast(gradient, tf.float32),
            **(self._common or self._common_arguments()),
        )


def _norm(grads):
    grads = [ops.cast(g, "float32") for g in grads if g is not None]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.linalg.global_norm(grads)
    return ops.sqrt(sum(ops.sum(ops.square(g)) for g in grads))
