from keras_s2s.recipes import schedule
from keras_s2s.training import optimizers


def of_stage(stage, steps):
    """The optimizer of a stage.

    Args:
        stage: A `keras_s2s.recipes.recipe.Stage`.
        steps: Integer, batches of an epoch.

    Returns:
        A `keras_s2s.optimizers.Adam`.
    """
    accumulated = stage.gradient_accumulation_steps
    return optimizers.Adam(
        schedule.learning_rate(
            stage.schedule,
            stage.learning_rate,
            stage.warmup_steps,
            # Keras counts every batch as a step of the schedule, whether it updates or not.
            steps * stage.epochs,
        ),
        global_clipnorm=stage.clip_norm,
        use_ema=stage.ema_momentum > 0,
        ema_momentum=stage.ema_momentum,
        gradient_accumulation_steps=accumulated if accumulated > 1 else None,
    )
