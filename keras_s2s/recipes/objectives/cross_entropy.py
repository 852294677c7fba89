"""The cross-entropy of the true tokens."""

import keras

from keras_s2s.recipes.objectives import optimizer
from keras_s2s.training import losses


def train(recipe, stage, model, examples, callbacks, verbose):
    """Trains by `fit`; see `keras_s2s.recipes.objectives`."""
    prepare(model, stage, len(examples.train))
    model.fit(
        examples.train,
        epochs=stage.epochs,
        validation_data=examples.valid,
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
    model.compile(optimizer.of_stage(stage, steps), losses.TokenCrossentropy(stage.label_smoothing))
