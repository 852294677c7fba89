"""Recipes of captioners: pictures with captions in, an `ImageCaptioner` out."""

from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from keras_s2s import callbacks, data, decoding, layers, models, preprocessing
from keras_s2s.recipes import backbones, schema
from keras_s2s.recipes.schedule import warmup_cosine
from keras_s2s.recipes.self_critical import SelfCritical
from keras_s2s.recipes.tokenizer import TokenizerTable
from keras_s2s.training import losses, optimizers


@dataclass(kw_only=True)
class Data:
    """Files, relative to the data folder: `[images in a tar, captions in JSON lines]`."""

    train: list
    valid: list
    tests: dict
    backbone_weights: str
    """An .npz of `<layer>/<weight>`, the backbone's at the beginning."""

    def files(self):
        splits = [self.train, self.valid, *self.tests.values()]
        return [self.backbone_weights, *(file for split in splits for file in split)]


@dataclass(kw_only=True)
class Tokenizer(TokenizerTable):
    """The SentencePiece model, trained on the captions."""

    length: int = 64


@dataclass(kw_only=True)
class Model:
    """Arguments of `ImageEncoder` and `RNNDecoder`."""

    backbone: str
    image_size: int
    encoder_units: int
    decoder_units: int
    embedding_dim: int
    attention_units: int
    cell: Literal["rnn", "gru", "lstm"] = "gru"
    tie_embeddings: bool = True
    dropout: float = 0.0
    doubly_stochastic: float = 0.0
    flip: bool = True
    """Whether images are mirrored at random."""


@dataclass(kw_only=True)
class Stage:
    """One stage of training, with cross-entropy."""

    epochs: int
    batch_size: int
    learning_rate: float
    """After the warm-up, then down to 0 along a cosine."""
    warmup_steps: int = 0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    average_last: int = 1
    """Number of last epochs whose weights are averaged."""


@dataclass(kw_only=True)
class Recipe(schema.Recipe):
    """A recipe with `task = "captioning"`."""

    data: Data
    tokenizer: Tokenizer
    model: Model
    frozen: Stage
    """The first stage, with a backbone that stays as it was."""
    fine_tuning: Stage | None = None
    """The second, with all of the model."""
    self_critical: SelfCritical | None = None
    """The third, with CIDEr as reward, and the backbone as it is then."""
    dtype: str = "float32"
    """Dtype policy while it trains; the preset computes in float32."""

    metrics = ("coco_bleu", "meteor", "coco_rouge", "cider")
    bootstrap = 200  # BLEU of pycocoevalcap takes its time.
    unit = "images"

    def read(self, files, folder):
        return data.read_caption_tar(*(folder / file for file in files))

    def train(self, folder, output, verbose):
        keras.config.set_dtype_policy(self.dtype)
        splits = {name: self.read(getattr(self.data, name), folder) for name in ("train", "valid")}
        images, captions = splits["train"]
        model = build(self, captions, verbose)
        if verbose:
            print(f"{model.count_params():,} parameters, {len(images):,} images", flush=True)
        backbone = model.encoder.backbone
        backbones.load(backbone, folder / self.data.backbone_weights)
        some = model.preprocessor.image_converter(images[:500])
        backbones.measure_batch_normalization(backbone, np.asarray(model.encoder.scale(some)))
        run = _Run(self, model, splits, output, verbose)
        run.stage("frozen", trainable=False)
        if self.fine_tuning:
            run.stage("fine_tuning", trainable=True)
        if self.self_critical:
            run.stage("self_critical", trainable=False)
        return model


def build(recipe, captions, verbose=0):
    """The untrained model of a recipe, with a tokenizer of these captions."""
    m, length = recipe.model, recipe.tokenizer.length
    texts = [caption for several in captions for caption in several]
    tokenizer = recipe.tokenizer.train(texts, "caption", verbose)
    size = (m.image_size, m.image_size)
    encoder = layers.ImageEncoder(
        m.encoder_units,
        m.backbone,
        weights=None,
        image_size=size,
        dropout=m.dropout,
        augmentation=keras.layers.RandomFlip("horizontal") if m.flip else None,
        batch_statistics=False,
    )
    decoder = layers.RNNDecoder(
        tokenizer.vocabulary_size,
        m.decoder_units,
        embedding_dim=m.embedding_dim,
        cell=m.cell,
        attention=layers.BahdanauAttention(m.attention_units, name="attention"),
        dropout=m.dropout,
        tie_embeddings=m.tie_embeddings,
        doubly_stochastic=m.doubly_stochastic,
    )
    return models.ImageCaptioner(
        encoder,
        decoder,
        preprocessing.ImageTextPreprocessor(tokenizer, size, target_length=length),
        sampler=decoding.Beam(
            recipe.decoding.num_beams, length_penalty=recipe.decoding.length_penalty
        ),
    )


class _Run:
    """The stages, each of which is done once, whatever interrupts it."""

    def __init__(self, recipe, model, splits, folder, verbose):
        self.recipe, self.model, self.splits = recipe, model, splits
        self.folder, self.verbose = folder, verbose
        tokenizer = model.preprocessor.target_tokenizer
        self.ids = {
            name: [tokenizer.encode(several) for several in captions]
            for name, (_, captions) in splits.items()
        }

    def stage(self, name, trainable):
        """Trains, or loads what was trained before an interruption."""
        self.model.encoder.backbone.trainable = trainable
        done = self.folder / f"{name}.npz"
        if done.exists():
            with np.load(done, allow_pickle=False) as weights:
                self.model.set_weights([weights[key] for key in weights.files])
            return
        if self.verbose:
            print(f"stage {name}", flush=True)
        images = self._images() if trainable else self._features()
        settings, length = getattr(self.recipe, name), self.recipe.tokenizer.length
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        seed_draws(self.model, [self.recipe.seed, *name.encode()])
        resume = callbacks.Resume(folder / "state")
        shared = [
            callbacks.GenerationMetrics(
                images["valid"] if trainable else {"images": images["valid"]},
                self.splits["valid"][1],
                ["coco_bleu", "cider"],
                max_length=length,
                limit=500,
                verbose=self.verbose,
                tokenize=self.recipe.evaluation.tokenize,
            ),
            keras.callbacks.CSVLogger(folder / "log.csv", append=resume.interrupted),
            resume,
        ]
        if name == "self_critical":
            pairs, seed = (images["train"], self.splits["train"][1]), self.recipe.seed
            tokenize = self.recipe.evaluation.tokenize
            settings.train(self.model, *pairs, length, seed, shared, self.verbose, tokenize)
        else:
            self._cross_entropy(settings, images, folder, shared)
        unfinished = done.with_suffix(".tmp.npz")
        np.savez(unfinished, *self.model.get_weights())
        unfinished.replace(done)

    def _images(self):
        return {name: images for name, (images, _) in self.splits.items()}

    def _features(self):
        """For each split what the backbone makes of the images now."""
        found = {name: self._cached(images) for name, images in self._images().items()}
        if self.recipe.model.flip:
            images = self.splits["train"][0]
            mirrored = self._cached(_Mirrored(images, self.model.preprocessor.image_converter))
            found["train"] = _EitherOf(found["train"], mirrored, self.recipe.seed)
        return found

    def _cached(self, images):
        return data.cached_features(
            self.model.encoder, images, self.folder / "features", verbose=self.verbose
        )

    def _cross_entropy(self, settings, images, folder, shared):
        converter = self.model.preprocessor.image_converter
        train, valid = (
            data.Batches(
                {"images": data.Features(images[name]), "decoder_token_ids": self.ids[name]},
                data.SimilarLengths(settings.batch_size),
                lengths={"decoder_token_ids": self.recipe.tokenizer.length},
                shuffle=name == "train",
                seed=self.recipe.seed,
                image_converter=converter if self.model.encoder.backbone.trainable else None,
            )
            for name in ("train", "valid")
        )
        steps = settings.epochs * len(train)
        self.model.compile(
            optimizers.Adam(
                warmup_cosine(settings.learning_rate, settings.warmup_steps, steps),
                global_clipnorm=settings.clip_norm,
            ),
            losses.TokenCrossentropy(settings.label_smoothing),
        )
        self.model.fit(
            train,
            epochs=settings.epochs,
            validation_data=valid,
            verbose=self.verbose,
            callbacks=[
                callbacks.StopOnNaN(train, folder / "nan_batch.npz"),
                callbacks.AverageCheckpoints(folder / "last", settings.average_last),
                *shared,
            ],
        )


def seed_draws(model, seed):
    """What is drawn from now on depends on `seed`, and not on what was drawn before.

    So a stage is the same whether those before it were trained just now or loaded.

    Args:
        model: Keras model.
        seed: List of integers from 0.
    """
    draw = np.random.default_rng(seed)
    keras.utils.set_random_seed(int(draw.integers(2**31)))
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(draw.integers(2**31, size=2).astype("uint32"))


class _EitherOf:
    """Rows of one array or of another, by the toss of a coin, the same for the same rows."""

    def __init__(self, first, second, seed):
        self.arrays, self.seed = (first, second), seed
        self.shape = first.shape

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, rows):
        first, second = (array[rows] for array in self.arrays)
        coin = np.random.default_rng([self.seed, *map(int, rows)]).random(len(first)) < 0.5
        return np.where(coin[:, None, None, None], first, second)


class _Mirrored:
    """Images, converted when they are asked for, with left and right exchanged."""

    def __init__(self, images, converter):
        self.images, self.converter = images, converter

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        if isinstance(rows, int):
            return self[[rows]][0]
        rows = range(len(self))[rows] if isinstance(rows, slice) else rows
        return np.asarray(self.converter([self.images[row] for row in rows]))[:, :, ::-1]
