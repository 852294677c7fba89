"""Recipes of translators: parallel text in, a `Translator` out."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

import keras

from keras_s2s import callbacks, data, decoding, layers, models, preprocessing
from keras_s2s.data import number_language
from keras_s2s.recipes import schedule, schema
from keras_s2s.recipes.from_pairs import pair_for_people
from keras_s2s.recipes.tokenizer import TokenizerTable
from keras_s2s.training import losses, optimizers


@dataclass(kw_only=True)
class Data:
    """Files, relative to the data folder: `[source, target]` of parallel text, or one TSV."""

    train: list
    valid: list
    tests: dict
    columns: list = field(default_factory=lambda: [0, 1])
    """Columns of source and target in a TSV: indices from 0, or names in its first line."""
    languages: list = field(default_factory=list)
    """The codes of the source's and the target's language, for `number_copies`."""
    number_copies: int = 0
    """How many pairs with other numbers to add for each training pair that has a number, see
    `keras_s2s.data.substitute_numbers`."""

    def __post_init__(self):
        if self.number_copies and not (
            len(self.languages) == 2 and set(self.languages) <= set(number_language.LANGUAGES)
        ):
            raise schema.RecipeError(
                f"'number_copies' needs 'languages', two of "
                f"{', '.join(number_language.LANGUAGES)}. Received: {self.languages}"
            )

    def files(self):
        splits = [self.train, self.valid, *self.tests.values()]
        return [file for split in splits for file in split]


@dataclass(kw_only=True)
class Tokenizer(TokenizerTable):
    """The SentencePiece model, trained on the training data."""

    shared: bool = True
    """One vocabulary for both languages, and one embedding."""
    sample_alpha: float | None = None
    """Subword regularisation, see `SentencePieceTokenizer`."""


@dataclass(kw_only=True)
class Model:
    """Arguments of `RNNEncoder` and `RNNDecoder`."""

    encoder_units: int
    decoder_units: int
    embedding_dim: int
    cell: Literal["rnn", "gru", "lstm"] = "gru"
    encoder_layers: int = 1
    decoder_layers: int = 1
    attention: Literal["bahdanau", "luong", "multi_head", "coverage", "location_aware", "local"] = (
        "bahdanau"
    )
    input_feeding: bool = False
    tie_embeddings: bool = True
    """Whether the decoder's output embedding is its input embedding."""
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    variational_dropout: bool = False


@dataclass(kw_only=True)
class Training:
    """One training with Adam."""

    epochs: int
    tokens_per_batch: int
    learning_rate: float
    """The highest, after the warm-up."""
    warmup_steps: int = 0
    """Batches."""
    schedule: Literal["cosine", "inverse_sqrt", "plateau"] = "cosine"
    """After the warm-up: down to 0 along a cosine; as 1 / sqrt(batch); or, without warm-up, by half
    after each epoch that does not lower the perplexity of the validation data."""
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    max_buckets: int | None = None
    """The most batch shapes, each compiled once by JAX. By default as `TokensPerBatch` has it."""
    dtype: str = "float32"
    """Dtype policy while it trains; the preset computes in float32."""
    gradient_accumulation_steps: int = 1
    """Batches whose gradients are averaged for one update."""
    scheduled_sampling: float = 0.0
    """The probability at the end of training, rising from 0, see `ScheduledSampling`."""
    average_last: int = 1
    """Number of last epochs whose weights are averaged."""
    ema_momentum: float = 0.0
    """Of a moving average of the weights after every step; 0 for none."""

    def __post_init__(self):
        for name, low, high in (
            ("gradient_accumulation_steps", 1, float("inf")),
            ("scheduled_sampling", 0, 1),
            ("ema_momentum", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise schema.RecipeError(
                    f"{name!r} must be from {low} to {high}. Received: {getattr(self, name)}"
                )
        if self.schedule == "plateau" and self.warmup_steps:
            raise schema.RecipeError("'plateau' has no warm-up. Set warmup_steps = 0.")
        if self.ema_momentum and self.average_last > 1:
            raise schema.RecipeError(
                "'ema_momentum' and 'average_last' are two averages. Set average_last = 1, or "
                "ema_momentum = 0."
            )


@dataclass(kw_only=True)
class Recipe(schema.Recipe):
    """A recipe with `task = "translation"`."""

    data: Data
    tokenizer: Tokenizer
    model: Model
    training: Training

    metrics = ("bleu", "chrf")
    unit = "sentences"

    def read(self, files, folder):
        if len(files) == 2:
            return data.read_parallel(folder / files[0], folder / files[1])
        return data.read_tsv(folder / files[0], *self.data.columns)

    def train(self, folder, output, verbose):
        keras.config.set_dtype_policy(self.training.dtype)
        train, valid = (
            data.readers.without_empty(*self.read(split, folder), ", ".join(split))
            for split in (self.data.train, self.data.valid)
        )
        if verbose:
            first = pair_for_people(train[0][0], train[1][0])
            print(f"{len(train[0]):,} training pairs, the first: {first}", flush=True)
        training = self.training
        train = with_other_numbers(self, train, verbose)
        preprocessor = make_preprocessor(self, *train, verbose)
        max_buckets = "auto" if training.max_buckets is None else training.max_buckets
        plan = data.TokensPerBatch(training.tokens_per_batch, max_buckets)
        batches, held_out = (
            data.Batches.from_raw(
                preprocessor, *pairs, plan, sample=is_train, shuffle=is_train, seed=self.seed
            )
            for pairs, is_train in ((train, True), (valid, False))
        )
        steps = len(batches)
        model = build(self, preprocessor, steps * training.epochs)
        if verbose:
            print(
                f"{model.count_params():,} parameters, {len(train[0]):,} pairs, {steps} steps per "
                f"epoch, padding {batches.padding_share:.1%}",
                flush=True,
            )
        model.compile(
            make_optimizer(training, steps), losses.TokenCrossentropy(training.label_smoothing)
        )
        lower = []
        if training.schedule == "plateau":
            lower = [keras.callbacks.ReduceLROnPlateau("val_perplexity", factor=0.5, patience=1)]
        if training.ema_momentum:
            average = keras.callbacks.SwapEMAWeights()
        else:
            average = callbacks.AverageCheckpoints(output / "last", training.average_last)
        scores = _scores(valid, self.evaluation.tokenize, verbose)
        if training.ema_momentum:
            scores = [_OfTheAverage(average, score) for score in scores]
        resume = callbacks.Resume(output / "state", callbacks=lower)
        model.fit(
            batches,
            epochs=training.epochs,
            validation_data=held_out,
            verbose=verbose,
            callbacks=[
                *scores,
                *lower,
                keras.callbacks.CSVLogger(output / "log.csv", append=resume.interrupted),
                callbacks.StopOnNaN(batches, output / "nan_batch.npz"),
                average,
                resume,
            ],
        )
        return model


def _scores(pairs, tokenize, verbose):
    """BLEU after each epoch, where text can be made."""
    if find_spec("tensorflow_text") and find_spec("sacrebleu"):
        return [
            callbacks.GenerationMetrics(
                *pairs, ["bleu"], limit=500, verbose=verbose, tokenize=tokenize
            )
        ]
    if verbose:
        print("without TensorFlow Text or sacrebleu: no BLEU after each epoch", flush=True)
    return []


class _OfTheAverage(keras.callbacks.Callback):
    """Shows a callback the average of the weights, as Keras's evaluation sees it."""

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


def make_optimizer(training, steps):
    """The optimizer of a recipe, for epochs of so many batches."""
    accumulated = training.gradient_accumulation_steps
    return optimizers.Adam(
        schedule.learning_rate(
            training.schedule,
            training.learning_rate,
            training.warmup_steps,
            # Keras asks a schedule for each batch, whether it updates or not.
            steps * training.epochs,
        ),
        global_clipnorm=training.clip_norm,
        use_ema=training.ema_momentum > 0,
        ema_momentum=training.ema_momentum,
        gradient_accumulation_steps=accumulated if accumulated > 1 else None,
    )


def make_preprocessor(recipe, sources, targets, verbose=0):
    """The preprocessor of a recipe, with tokenizers of these texts."""
    settings = recipe.tokenizer
    texts = {"source": sources, "target": targets}
    if settings.shared:
        texts = {"training": sources + targets}
    tokenizers = [
        settings.train(some, name, verbose, sample_alpha=settings.sample_alpha)
        for name, some in texts.items()
    ]
    return preprocessing.TextPairPreprocessor(
        *tokenizers, source_length=settings.length, target_length=settings.length
    )


def with_other_numbers(recipe, pairs, verbose):
    """The training pairs, and those with other numbers that the recipe asks for."""
    if not recipe.data.number_copies:
        return pairs
    others = data.substitute_numbers(
        *pairs, recipe.data.languages, recipe.data.number_copies, recipe.seed
    )
    if verbose:
        print(f"{len(others[0]):,} pairs with other numbers added", flush=True)
    return [texts + new for texts, new in zip(pairs, others)]


def build(recipe, preprocessor, total_steps):
    """The untrained model of a recipe."""
    m, sampled = recipe.model, recipe.training.scheduled_sampling
    common = {
        "cell": m.cell,
        "embedding_dim": m.embedding_dim,
        "dropout": m.dropout,
        "recurrent_dropout": m.recurrent_dropout,
        "variational_dropout": m.variational_dropout,
    }
    encoder = layers.RNNEncoder(
        m.encoder_units,
        num_layers=m.encoder_layers,
        vocabulary_size=preprocessor.source_tokenizer.vocabulary_size,
        **common,
    )
    decoder = layers.RNNDecoder(
        preprocessor.target_tokenizer.vocabulary_size,
        m.decoder_units,
        num_layers=m.decoder_layers,
        attention=m.attention,
        input_feeding=m.input_feeding,
        tie_embeddings=m.tie_embeddings,
        **common,
    )
    return models.Translator(
        encoder,
        decoder,
        preprocessor,
        share_embedding=recipe.tokenizer.shared,
        sampler=decoding.Beam(
            recipe.decoding.num_beams, length_penalty=recipe.decoding.length_penalty
        ),
        scheduled_sampling=layers.ScheduledSampling(
            keras.optimizers.schedules.PolynomialDecay(0.0, total_steps, sampled)
        )
        if sampled
        else None,
    )
