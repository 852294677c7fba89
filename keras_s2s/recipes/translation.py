"""Recipes of translators: parallel text in, a `Translator` out."""

from dataclasses import dataclass, field
from importlib.util import find_spec

import keras

from keras_s2s import callbacks, data, decoding, layers, models, preprocessing
from keras_s2s.recipes import schema
from keras_s2s.recipes.schedule import warmup_cosine
from keras_s2s.training import losses, optimizers


@dataclass(kw_only=True)
class Data:
    """Files, relative to the data folder: `[source, target]` of parallel text, or one TSV."""

    train: list
    valid: list
    tests: dict
    columns: list = field(default_factory=lambda: [0, 1])
    """Columns of source and target in a TSV."""

    def files(self):
        splits = [self.train, self.valid, *self.tests.values()]
        return [file for split in splits for file in split]


@dataclass(kw_only=True)
class Tokenizer:
    """The SentencePiece model, trained on the training data."""

    vocabulary_size: int
    shared: bool = True
    """One vocabulary for both languages, and one embedding."""
    sample_alpha: float | None = None
    """Subword regularisation, see `SentencePieceTokenizer`."""
    length: int = 256
    """The most pieces of a sentence, including the end."""


@dataclass(kw_only=True)
class Model:
    """Arguments of `RNNEncoder` and `RNNDecoder`."""

    encoder_units: int
    decoder_units: int
    embedding_dim: int
    cell: str = "gru"
    encoder_layers: int = 1
    decoder_layers: int = 1
    attention: str = "bahdanau"
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
    """After the warm-up, then down to 0 along a cosine."""
    warmup_steps: int = 0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    max_buckets: int | None = None
    """The most batch shapes, each compiled once by JAX. By default as `BucketedBatches` has it."""
    dtype: str = "float32"
    """Dtype policy while it trains; the preset computes in float32."""
    average_last: int = 1
    """Number of last epochs whose weights are averaged."""


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
        train, valid = (self.read(split, folder) for split in (self.data.train, self.data.valid))
        model, training = build(self, *train), self.training
        options = {"tokens_per_batch": training.tokens_per_batch, "seed": self.seed}
        if training.max_buckets is not None:
            options["max_buckets"] = training.max_buckets
        batches, held_out = (
            data.BucketedBatches.from_text(model.preprocessor, *pairs, sample=sample, **options)
            for pairs, sample in ((train, True), (valid, False))
        )
        steps = len(batches)
        if verbose:
            print(
                f"{model.count_params():,} parameters, {len(train[0]):,} pairs, {steps} steps per "
                f"epoch, padding {batches.padding_share:.1%}",
                flush=True,
            )
        model.compile(
            optimizers.Adam(
                warmup_cosine(
                    training.learning_rate, training.warmup_steps, steps * training.epochs
                ),
                global_clipnorm=training.clip_norm,
            ),
            losses.TokenCrossentropy(training.label_smoothing),
        )
        resume = callbacks.Resume(output / "state")
        model.fit(
            batches,
            epochs=training.epochs,
            validation_data=held_out,
            verbose=verbose,
            callbacks=[
                *_scores(valid, verbose),
                keras.callbacks.CSVLogger(output / "log.csv", append=resume.interrupted),
                callbacks.StopOnNaN(batches, output / "nan_batch.npz"),
                callbacks.AverageCheckpoints(output / "last", training.average_last),
                resume,
            ],
        )
        return model


def _scores(pairs, verbose):
    """BLEU after each epoch, where text can be made."""
    if find_spec("tensorflow_text") and find_spec("sacrebleu"):
        return [callbacks.GenerationMetrics(*pairs, ["bleu"], limit=500, verbose=verbose)]
    if verbose:
        print("without TensorFlow Text or sacrebleu: no BLEU after each epoch", flush=True)
    return []


def build(recipe, sources, targets):
    """The untrained model of a recipe, with a tokenizer of these texts."""
    t, m = recipe.tokenizer, recipe.model
    train = preprocessing.SentencePieceTokenizer.train
    groups = [sources + targets] if t.shared else [sources, targets]
    tokenizers = [train(g, t.vocabulary_size, sample_alpha=t.sample_alpha) for g in groups]
    preprocessor = preprocessing.TextPairPreprocessor(
        *tokenizers, source_length=t.length, target_length=t.length
    )
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
        share_embedding=t.shared,
        sampler=decoding.Beam(
            recipe.decoding.num_beams, length_penalty=recipe.decoding.length_penalty
        ),
    )
