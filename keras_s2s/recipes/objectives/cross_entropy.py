"""The cross-entropy of the true tokens."""

import keras
import numpy as np

from keras_s2s.recipes.objectives import optimizer
from keras_s2s.training import losses


def train(recipe, stage, model, examples, callbacks, verbose):
    """Trains by `fit`; see `keras_s2s.recipes.objectives`."""
    prepare(model, stage, len(examples.train))
    train, valid = examples.train, examples.valid
    if stage.r_drop:
        # Both, since the loss compares rows whatever they are.
        train, valid = Twice(train), Twice(valid)
    model.fit(
        train,
        epochs=stage.epochs,
        validation_data=valid,
        verbose=verbose,
        callbacks=callbacks,
    )


def prepare(model, stage, steps):
    """Compiles a model for a stage; `steps` is the number of batches in an epoch."""
    if model.scheduled_sampling is not None:
        model.scheduled_sampling.rate = keras.optimizers.schedules.PolynomialDecay(
            0.0, steps * stage.epochs, stage.scheduled_sampling
        )
        model.scheduled_sampling.steps.assign(0)
    loss = losses.TokenCrossentropy(stage.label_smoothing)
    if stage.r_drop:
        loss = losses.RDrop(stage.r_drop, stage.label_smoothing)
    model.compile(optimizer.of_stage(stage, steps), loss)


class Twice(keras.utils.PyDataset):
    """Batches with every example twice, in neighbouring rows.

    Args:
        batches: A `keras_s2s.data.Batches`.
    """

    def __init__(self, batches):
        super().__init__()
        self._batches = batches

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        return keras.tree.map_structure(lambda x: np.repeat(x, 2, axis=0), self._batches[index])

    @property
    def epoch(self):
        return self._batches.epoch

    def set_epoch(self, epoch):
        self._batches.set_epoch(epoch)

    def on_epoch_end(self):
        self._batches.on_epoch_end()
