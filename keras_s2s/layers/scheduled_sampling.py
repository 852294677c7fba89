import keras
from keras import ops

from keras_s2s._backend.top_k import top_k
from keras_s2s.tokens import END, PAD


@keras.saving.register_keras_serializable("keras_s2s")
class ScheduledSampling(keras.layers.Layer):
    """Replaces some of the true tokens that a decoder reads by tokens of the model itself.

    The model sees in training what it will see in decoding: its own mistakes. `Seq2Seq` first
    decodes the true tokens, without dropout. Each token is then replaced, with probability `rate`,
    by the likeliest one after the true tokens before it, and the model is trained on the tokens
    that result. So all steps are still decoded at once; it costs one more pass without a gradient.
    The labels stay the true tokens.

    Args:
        rate: Probability, a float in [0, 1], or a schedule of Keras over training steps, such as
            `keras.optimizers.schedules.PolynomialDecay(0.0, steps, 0.25)`: rising, since early in
            training the model's own tokens are noise.
        seed: Integer or None.
        **kwargs: Keras's own layer arguments.

    Call arguments:
        token_ids: `(rows, target)` integers that enter the steps: the start token, then the target
            shifted by one; 0 is padding.
        logits: `(rows, target, vocabulary_size)`, what the decoder made of them.

    Returns:
        `(rows, target)` token ids. The first and padding stay, and so do tokens whose replacement
        would be padding or the end, after which nothing comes in decoding.

    Attributes:
        steps: Weight, the number of calls so far, which are batches of training.

    Raises:
        ValueError: If `rate` is neither a probability nor a schedule.

    References:
        Bengio et al., 2015, https://arxiv.org/abs/1506.03099 (one token at a time);
        Mihaylova and Martins, 2019, https://aclanthology.org/P19-2049 (in two passes).

    Example:
    ```python
    import keras_s2s

    translator = keras_s2s.models.Translator(
        keras_s2s.layers.RNNEncoder(16, vocabulary_size=100),
        keras_s2s.layers.RNNDecoder(90, 16),
        scheduled_sampling=keras_s2s.layers.ScheduledSampling(0.1),
    )
    ```
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(rate, dict):
            rate = keras.saving.deserialize_keras_object(rate)
        self._is_schedule = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
        is_number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not self._is_schedule and not (is_number and 0 <= rate <= 1):
            raise ValueError(f"`rate` must be a number in [0, 1] or a schedule. Received: {rate!r}")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, *shapes):
        self.steps = self.add_weight((), "zeros", dtype="int32", trainable=False, name="steps")

    def call(self, token_ids, logits):
        rate = self.rate(self.steps) if self._is_schedule else self.rate
        self.steps.assign_add(1)
        # Not `ops.argmax`, which is slow on a CPU.
        flat = ops.reshape(logits, (-1, logits.shape[-1]))
        likeliest = ops.reshape(top_k(flat, 1)[1], ops.shape(token_ids))
        likeliest = ops.cast(likeliest, token_ids.dtype)
        predicted = ops.concatenate([token_ids[:, :1], likeliest[:, :-1]], axis=1)
        draws = keras.random.uniform(
            ops.shape(predicted), dtype="float32", seed=self.seed_generator
        )
        is_replaceable = (predicted != PAD) & (predicted != END) & (token_ids != PAD)
        return ops.where((draws < rate) & is_replaceable, predicted, token_ids)

    def load_own_variables(self, store):
        # The file may hold the weights of a training without scheduled sampling.
        if store.keys():
            super().load_own_variables(store)

    def get_config(self):
        rate = keras.saving.serialize_keras_object(self.rate) if self._is_schedule else self.rate
        return {**super().get_config(), "rate": rate, "seed": self.seed}
