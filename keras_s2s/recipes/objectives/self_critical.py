"""Rewards sampled texts by how far their score exceeds the other samples of the same input.

Rennie et al., 2017, https://arxiv.org/abs/1612.00563, with the mean of the other samples of the
input as the baseline (Luo, 2020, https://arxiv.org/abs/2003.09971). The score is the stage's
`reward`. A `temperature` below 1 sharpens the distribution, so that samples are nearer to what a
search finds; it is the sharpened distribution that is trained. With `cross_entropy_weight`, the
references are learnt beside the samples, so that the model keeps what the score does not see
(Paulus et al., 2018, https://arxiv.org/abs/1705.04304).
"""

import keras
import numpy as np
from keras import ops

from keras_s2s import decoding, evaluation
from keras_s2s.preprocessing.text import as_references
from keras_s2s.recipes.objectives import optimizer
from keras_s2s.tokens import PAD, decoder_inputs


def train(recipe, stage, model, examples, callbacks, verbose):
    """Trains a model in a loop of its own; see `keras_s2s.recipes.objectives`.

    Callbacks are told of epochs, not of batches; the logs of `on_epoch_end` have the mean `reward`.
    """
    references, seed = examples.references, recipe.seed
    examples_per_epoch = min(stage.examples_per_epoch or len(references), len(references))
    kept = model.sampler
    # A sampler made with `seed` would draw the same numbers for each batch.
    sampler = decoding.Random(stage.temperature, num_return_sequences=stage.samples)
    sampler.seed_generator = keras.random.SeedGenerator(seed)
    model.compile(
        optimizer.of_stage(stage, -(-examples_per_epoch // stage.batch_size)),
        SampledCrossentropy(stage.samples, stage.temperature),
        weighted_metrics=None,
        sampler=sampler,  # As part of the model, so that `Resume` saves its state.
    )
    lengths = _lengths(model.preprocessor.target_tokenizer, references)
    weights = {stage.reward: 1} if isinstance(stage.reward, str) else stage.reward
    reward = evaluation.WeightedReward(weights, references, recipe.evaluation.tokenize)
    watching = keras.callbacks.CallbackList(callbacks, model=model, epochs=stage.epochs)
    watching.on_train_begin()
    for epoch in range(model._initial_epoch or 0, stage.epochs):
        watching.on_epoch_begin(epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(references))
        order = order[:examples_per_epoch]
        rewards = []
        bar = keras.utils.Progbar(len(order), verbose=verbose)
        for start in range(0, len(order), stage.batch_size):
            rows = np.sort(order[start : start + stage.batch_size])
            # Longer samples score low and take long. Each new length makes a new graph.
            length = min(-(-lengths[rows].max() // 8) * 8, model.preprocessor.target_length)
            rewards.append(_step(model, examples, rows, reward, stage, int(length)))
            bar.update(min(start + len(rows), len(order)), [("reward", rewards[-1])])
        watching.on_epoch_end(epoch, {"reward": float(np.mean(rewards))})
    # As `fit` does: with `ema_momentum` the weights become their moving average.
    model.optimizer.finalize_variable_values(model.trainable_weights)
    watching.on_train_end()
    model.sampler = kept


class SampledCrossentropy(keras.losses.Loss):
    """The weighted sum of minus the log-probabilities of samples, and of references after them.

    A sum and not a mean, since weights may be negative: Keras could not divide by their sum.

    Args:
        samples: Integer, how many texts of each input are samples; references follow them.
        temperature: Float, what the logits were divided by when the samples were drawn.
    """

    def __init__(self, samples, temperature):
        super().__init__(reduction="sum")
        self.samples, self.temperature = samples, temperature

    def call(self, labels, logits):
        is_sample = ops.arange(ops.shape(logits)[1]) < self.samples
        divisor = ops.where(is_sample, self.temperature, 1.0)[:, None, None]
        logits = logits / ops.cast(divisor, logits.dtype)
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _lengths(tokenizer, references):
    """Of each input, the tokens of its longest reference, the end included."""
    references = as_references(references)
    counts = [
        len(ids) + 1 for ids in tokenizer.encode([text for texts in references for text in texts])
    ]
    ends = np.cumsum([0, *map(len, references)])
    return np.maximum.reduceat(counts, ends[:-1])


def _step(model, examples, rows, reward, stage, length):
    """One update; returns the mean reward of its samples of at most `length` tokens."""
    x = examples.train.inputs(rows)
    labels = model.generate(x, max_length=length)["token_ids"]
    words = model.preprocessor.own_words([examples.inputs[row] for row in rows])
    texts = model.preprocessor.generate_postprocess(labels, words).ravel().tolist()
    rewards = reward(np.repeat(rows, stage.samples), texts).reshape(-1, stage.samples)
    others = rewards.sum(axis=1, keepdims=True) - rewards
    advantage = rewards - others / (stage.samples - 1)
    if stage.cross_entropy_weight:
        truth = examples.train.labels(rows, length)
        labels = np.pad(labels, [(0, 0), (0, 0), (0, length - labels.shape[-1])])
        labels = np.concatenate([labels, truth], axis=1)
        # Each example's references share its weight. Samples are divided by their number below.
        counts = np.sum(truth[..., 0] != PAD, axis=1, keepdims=True)
        weight = np.broadcast_to(
            stage.cross_entropy_weight * stage.samples / counts, truth.shape[:2]
        )
        advantage = np.concatenate([advantage, weight], axis=1)
    weights = (labels != PAD) * advantage[..., None] / rewards.size
    x = {**x, "decoder_token_ids": decoder_inputs(labels)}
    model.train_on_batch(x, labels, weights.astype("float32"))
    return float(rewards.mean())
