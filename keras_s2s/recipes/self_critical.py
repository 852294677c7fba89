"""Self-critical training: what is sampled is as good as its CIDEr exceeds that of the others."""

from dataclasses import dataclass

import keras
import numpy as np

from keras_s2s import decoding, evaluation
from keras_s2s.tokens import PAD, decoder_inputs
from keras_s2s.training import optimizers


@dataclass(kw_only=True)
class SelfCritical:
    """A stage with the CIDEr of sampled captions as reward.

    Rennie et al., 2017, https://arxiv.org/abs/1612.00563, with the mean of the other samples of
    the image as the baseline (Luo, 2020, https://arxiv.org/abs/2003.09971).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    samples: int = 5
    """Captions sampled of each image."""
    clip_norm: float = 1.0

    def train(self, model, images, captions, max_length, seed, callbacks, verbose, tokenize="auto"):
        """Trains an `ImageCaptioner`.

        Args:
            model: The captioner.
            images: Sequence of what its encoder takes, indexed by arrays of rows.
            captions: For each a list of captions.
            max_length: Integer, the most pieces of a sample.
            seed: Integer.
            callbacks: List, of which `on_epoch_end` matters.
            verbose: As Keras's.
            tokenize: As of `keras_s2s.evaluation.score`.
        """
        own, model.scheduled_sampling = model.sampler, None
        # With a seed as its argument it would draw by the same numbers for each batch.
        sampler = decoding.Random(num_return_sequences=self.samples)
        sampler.seed_generator = keras.random.SeedGenerator(seed)
        model.compile(
            optimizers.Adam(self.learning_rate, global_clipnorm=self.clip_norm),
            # The sum: rewards may be negative, so their own sum normalises nothing.
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
            weighted_metrics=None,
            sampler=sampler,  # The model's, so that `Resume` keeps its state.
        )
        reward = evaluation.CiderReward(captions, with_end=True, tokenize=tokenize)
        watching = keras.callbacks.CallbackList(callbacks, model=model, epochs=self.epochs)
        watching.on_train_begin()
        for epoch in range(model._initial_epoch or 0, self.epochs):
            watching.on_epoch_begin(epoch)
            order = np.random.default_rng([seed, epoch]).permutation(len(captions))
            rewards = []
            bar = keras.utils.Progbar(len(order), verbose=verbose)
            for start in range(0, len(order), self.batch_size):
                rows = np.sort(order[start : start + self.batch_size])
                rewards.append(self._step(model, images[rows], rows, reward, max_length))
                bar.update(min(start + len(rows), len(order)), [("reward", rewards[-1])])
            watching.on_epoch_end(epoch, {"reward": float(np.mean(rewards))})
        watching.on_train_end()
        model.sampler = own

    def _step(self, model, images, rows, reward, max_length):
        """One update; returns the mean reward of its samples."""
        count, x = self.samples, {"images": np.asarray(images)}
        labels = model.generate(x, max_length=max_length)["token_ids"]
        texts = model.preprocessor.generate_postprocess(labels).ravel().tolist()
        found = reward(np.repeat(rows, count), texts).reshape(-1, count)
        advantage = (found - found.mean(axis=1, keepdims=True)) * count / (count - 1)
        weights = (labels != PAD) * advantage[..., None] / advantage.size
        x["decoder_token_ids"] = decoder_inputs(labels)
        model.train_on_batch(x, labels, weights.astype("float32"))
        return float(found.mean())
