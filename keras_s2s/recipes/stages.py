"""The training loop of all recipes: stage after stage, each with its objective."""

import keras
import numpy as np

from keras_s2s import callbacks
from keras_s2s.layers import CoverageLoss
from keras_s2s.recipes.batch_lines import BatchLines
from keras_s2s.recipes.objectives import OBJECTIVES
from keras_s2s.recipes.objectives.examples import Examples
from keras_s2s.recipes.typed_config import RecipeError


def run(recipe, model, splits, output, verbose=0):
    """Trains a model in the stages of its recipe.

    Each stage is trained once, even if it is interrupted: a stage that was begun continues after
    its last full epoch, and the weights of a finished stage are loaded.

    Args:
        recipe: A `keras_s2s.recipes.Recipe`.
        model: The model that it built.
        splits: As in `recipe.splits`.
        output: `pathlib.Path` of the folder of this training. Where a recipe has several stages,
            each has a folder in it.
        verbose: As Keras's.
    """
    sampling = model.scheduled_sampling
    for name, stage in recipe.stages.items():
        recipe.freeze(model, stage.freeze)
        _set_coverage_loss(model.decoder, stage.coverage_loss)
        model.scheduled_sampling = sampling if stage.scheduled_sampling else None
        done = _weights(name, output)
        if is_done(name, output):
            with np.load(done, allow_pickle=False) as weights:
                model.set_weights([weights[key] for key in weights.files])
            continue
        part = recipe.trained_part(model, stage.part)
        _train(recipe, name, stage, model, part, splits, output, verbose)
        unfinished = done.with_suffix(".tmp.npz")
        np.savez(unfinished, *model.get_weights())
        unfinished.replace(done)
    model.scheduled_sampling = None


def _set_coverage_loss(decoder, factor):
    """Whatever the stage before it had, a stage has its own."""
    if not hasattr(decoder, "attention_losses") or not decoder.attends:
        if factor:
            raise RecipeError(
                "'coverage_loss' needs a decoder that takes attention losses, such as an "
                f"RNNDecoder with an attention. This one is a {type(decoder).__name__}"
                f"{'' if decoder.attends else ' without attention'}. Set coverage_loss = 0."
            )
        return
    losses = [loss for loss in decoder.attention_losses if not isinstance(loss, CoverageLoss)]
    decoder.attention_losses = (*losses, *([CoverageLoss(factor)] if factor else []))


def is_done(name, output):
    """Whether a stage has been trained to its end."""
    return _weights(name, output).exists()


def _weights(name, output):
    return output / f"{name}.npz"


def _train(recipe, name, stage, model, part, splits, output, verbose):
    """Trains `part`, the model or a part of it, which is a model too."""
    folder = output / name if recipe.is_staged else output
    folder.mkdir(exist_ok=True)
    if verbose and recipe.is_staged:
        print(f"stage {name}", flush=True)
    train, valid = splits.get(f"train.{name}", splits["train"]), splits["valid"]
    of_texts = stage.texts_only or part is not model
    if of_texts:
        train = (None, splits["texts"])
    cache = output / "features"
    batches = recipe.batches(stage, model, train, True, cache, verbose)
    held_out = recipe.batches(stage, model, valid, False, cache, verbose)
    if verbose:
        count = len(train[1])
        summary = [
            f"{part.count_params():,} parameters",
            f"{count:,} {'texts' if of_texts else recipe.examples}",
        ]
        summary.append(f"{len(batches)} steps per epoch")
        if hasattr(batches, "padding_share"):
            summary.append(f"padding {batches.padding_share:.1%}")
        if getattr(batches, "num_cut", 0):
            summary.append(f"{batches.cut_share:.1%} of the {recipe.examples} cut")
        print(*summary, sep=", ", flush=True)
    if recipe.is_staged:
        seed_draws(part, [recipe.seed, *name.encode()])
    OBJECTIVES[stage.objective](
        recipe,
        stage,
        part,
        Examples(batches, held_out, *train),
        _callbacks(recipe, stage, valid, batches, held_out, folder, verbose),
        verbose,
    )


def _callbacks(recipe, stage, pairs, batches, held_out, folder, verbose):
    """The callbacks of a stage. `Resume` is the last, so that it saves what the others changed."""
    chosen = []
    if stage.objective == "cross_entropy":
        chosen.append(callbacks.StopOnNaN(batches, folder / "nan_batch.npz"))
        if verbose == 2:
            chosen.append(BatchLines(len(batches)))
    if stage.ema_momentum:
        average = keras.callbacks.SwapEMAWeights()
    else:
        average = callbacks.AverageCheckpoints(folder / "last", stage.average_last)
    inputs = recipe.generated_from(stage, pairs, held_out)
    for scores in _scores(recipe, inputs, pairs[1], verbose) if inputs is not None else ():
        chosen.append(_OfTheAverage(average, scores) if stage.ema_momentum else scores)
    lower = []
    if stage.schedule == "plateau":
        lower = [keras.callbacks.ReduceLROnPlateau("val_perplexity", factor=0.5, patience=1)]
    resume = callbacks.Resume(folder / "state", callbacks=lower)
    log = keras.callbacks.CSVLogger(folder / "log.csv", append=resume.interrupted)
    chosen += [*lower, log, average]
    if recipe.tensorboard:
        examples = [[column[i] for i in range(min(len(column), 4))] for column in pairs]
        # TensorBoard's examples must be raw inputs, which features are not.
        examples = [] if inputs is None or isinstance(inputs, dict) else examples
        chosen.append(callbacks.TensorBoard(folder / "tensorboard", *examples))
    return [*chosen, resume]


def _scores(recipe, inputs, references, verbose):
    """The callback that scores texts after each epoch; none if the libraries are missing."""
    try:
        return [
            callbacks.GenerationMetrics(
                inputs,
                references,
                recipe.watched,
                limit=500,
                verbose=verbose,
                tokenize=recipe.evaluation.tokenize,
            )
        ]
    except ImportError as error:
        if verbose:
            print(f"No scores after each epoch: {error}", flush=True)
        return []


class _OfTheAverage(keras.callbacks.Callback):
    """Calls a callback while the model has the averaged weights, as in Keras's evaluation."""

    def __init__(self, average, callback):
        super().__init__()
        self.average, self.callback = average, callback

    def set_model(self, model):
        super().set_model(model)
        self.callback.set_model(model)

    def on_train_begin(self, logs=None):
        self.callback.on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        self.average.on_test_begin()
        self.callback.on_epoch_end(epoch, logs)
        self.average.on_test_end()


def seed_draws(model, seed):
    """Makes all further random numbers depend on `seed`, not on those drawn before.

    So a stage gives the same weights whether the stages before it were trained now or loaded.

    Args:
        model: Keras model.
        seed: List of integers from 0.
    """
    draw = np.random.default_rng(seed)
    keras.utils.set_random_seed(int(draw.integers(2**31)))
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(draw.integers(2**31, size=2).astype("uint32"))
