"""What the recipe of a captioner says; see `recipe.read`."""

from dataclasses import dataclass, field

from recipe import Card, Decoding


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
class Tokenizer:
    vocabulary_size: int
    length: int = 64
    """The most pieces of a caption, including the end."""


@dataclass(kw_only=True)
class Model:
    backbone: str
    image_size: int
    encoder_units: int
    decoder_units: int
    embedding_dim: int
    attention_units: int
    cell: str = "gru"
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
    warmup_steps: int = 0
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    average_last: int = 1
    """Number of last epochs whose weights are averaged."""


@dataclass(kw_only=True)
class SelfCritical:
    """A stage with the CIDEr of sampled captions as reward."""

    epochs: int
    batch_size: int
    learning_rate: float
    samples: int = 5
    """Captions sampled of each image."""
    clip_norm: float = 1.0


@dataclass(kw_only=True)
class Recipe:
    name: str
    seed: int
    card: Card
    data: Data
    tokenizer: Tokenizer
    model: Model
    frozen: Stage
    """The first stage, with a backbone that stays as it was."""
    fine_tuning: Stage | None = None
    """The second, with all of the model."""
    self_critical: SelfCritical | None = None
    decoding: Decoding = field(default_factory=Decoding)
    dtype: str = "float32"
    """Dtype policy while it trains; the preset computes in float32."""
