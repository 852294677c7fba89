"""Recipes: what a preset is made of, in a TOML file, checked before any data is read."""

import dataclasses
import difflib
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path


class RecipeError(ValueError):
    """A recipe that cannot be run. The message is one line and says why."""


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
    vocabulary_size: int
    shared: bool = True
    """One vocabulary for both languages, and one embedding."""
    sample_alpha: float | None = None
    """Subword regularisation, see `SentencePieceTokenizer`."""
    length: int = 256
    """The most pieces of a sentence, including the end."""


@dataclass(kw_only=True)
class Model:
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
    epochs: int
    tokens_per_batch: int
    learning_rate: float
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
class Decoding:
    num_beams: int = 5
    length_penalty: float = 1.0


@dataclass(kw_only=True)
class Card:
    """What `keras_s2s.zoo.write_card` asks for and no program can measure."""

    title: str
    description: str
    task: str
    licence: str
    languages: list
    data: list
    examples: list
    """Inputs; the outputs are filled in."""
    limitations: str = ""
    samples: list = field(default_factory=list)
    """`{ input = file below the data folder, remark = what to say of the output }`."""


@dataclass(kw_only=True)
class Recipe:
    name: str
    seed: int
    card: Card
    data: Data
    tokenizer: Tokenizer
    model: Model
    training: Training
    decoding: Decoding = field(default_factory=Decoding)


def read(path, changes=()):
    """Reads a recipe.

    Args:
        path: The TOML file.
        changes: Strings such as `"model.dropout=0.0"`, in place of what the file says; without
            a value, the default.

    Raises:
        RecipeError: If it is no TOML, lacks a key, or has an unknown one or one of a wrong type.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        for change in changes:
            _change(values, change)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error
    return _typed(_kind(values), values, str(path))


def _kind(values):
    """The class of the recipe: what a recipe holds depends on the task."""
    card = values.get("card")
    if isinstance(card, dict) and card.get("task") == "captioning":
        import captioning_recipe

        return captioning_recipe.Recipe
    return Recipe


def _change(values, change):
    key, equals, value = change.partition("=")
    if not equals:
        raise ValueError(f"a change is written TABLE.KEY=VALUE, not {change!r}")
    table, _, key = key.rpartition(".")
    place = values.setdefault(table, {}) if table else values
    if not value:  # The default.
        place.pop(key, None)
        return
    try:
        value = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        pass  # Text may do without quotation marks.
    place[key] = value


def _typed(cls, values, where):
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(fields)}."
            raise RecipeError(f"{where}: unknown key {key!r}.{hint}")
        kind = _table(fields[key].type)
        if dataclasses.is_dataclass(kind):
            if not isinstance(value, dict):
                raise RecipeError(f"{where}: {key!r} must be a table.")
            values[key] = _typed(kind, value, f"{where} [{key}]")
            continue
        if isinstance(value, int) and not isinstance(value, bool) and kind in (float, float | None):
            values[key] = value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            name = getattr(kind, "__name__", kind)
            raise RecipeError(f"{where}: {key!r} must be of type {name}. Received: {value!r}")
    missing = [
        name
        for name, f in fields.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise RecipeError(f"{where}: missing {', '.join(map(repr, missing))}.")
    return cls(**values)


def _table(kind):
    """The dataclass that a table is read as, also where there may be none; or the type itself."""
    tables = [k for k in typing.get_args(kind) if dataclasses.is_dataclass(k)]
    return tables[0] if tables else kind


def read_pairs(files, columns, data):
    """The sources and targets of one split."""
    from keras_s2s.data import read_parallel, read_tsv

    if len(files) == 2:
        return read_parallel(data / files[0], data / files[1])
    return read_tsv(data / files[0], *columns)


def check_files(recipe, data):
    """Raises a RecipeError that names the first file that is not there."""
    for file in recipe.data.files():
        if not (data / file).is_file():
            raise RecipeError(f"There is no file {str(data / file)!r}. Is --data right?")
