"""What all recipes have, and how the values of a TOML file become typed tables."""

import dataclasses
import difflib
import typing
from dataclasses import dataclass, field

from keras_s2s import evaluation


class RecipeError(ValueError):
    """A recipe that cannot be run. The message is one line and says why."""


@dataclass(kw_only=True)
class Decoding:
    """How the trained model decodes."""

    num_beams: int = 5
    length_penalty: float = 1.0


@dataclass(kw_only=True)
class Evaluation:
    """How generated texts are scored, while it trains and on the test sets."""

    tokenize: typing.Literal["auto", *evaluation.TOKENIZERS] = "auto"
    """As of `keras_s2s.evaluation.score`."""


@dataclass(kw_only=True)
class Card:
    """What `keras_s2s.zoo.write_card` asks for and no program can measure."""

    title: str
    description: str
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
    """What recipes of all tasks have. A task adds its tables and says how it reads and trains."""

    name: str
    task: str
    seed: int = 1
    decoding: Decoding = field(default_factory=Decoding)
    evaluation: Evaluation = field(default_factory=Evaluation)
    card: Card | None = None

    #: What `keras_s2s.evaluation.score` computes for the task.
    metrics = ()
    #: Resamplings for the spread of a metric.
    bootstrap = 1000
    #: What one example is called.
    unit = "examples"

    def check_files(self, data):
        """Raises a `RecipeError` that names the first file that is not there."""
        for file in self.data.files():
            if not (data / file).is_file():
                raise RecipeError(
                    f"There is no file {str(data / file)!r}. Files of a recipe are relative to "
                    "--data, by default the folder of the recipe."
                )

    def read(self, files, data):
        """`(inputs, references)` of one split."""
        raise NotImplementedError

    def train(self, data, output, verbose):
        """The trained model; called again after an interruption, it goes on."""
        raise NotImplementedError


def typed(cls, values, where):
    """An object of a dataclass from a table.

    Args:
        cls: The dataclass; fields that are dataclasses, or one or None, are tables themselves.
        values: Dict.
        where: What messages begin with.

    Raises:
        RecipeError: If a key is missing, unknown (naming the nearest) or of a wrong type.
    """
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
            values[key] = typed(kind, value, f"{where} [{key}]")
            continue
        if isinstance(value, int) and not isinstance(value, bool) and kind in (float, float | None):
            values[key] = value = float(value)
        if typing.get_origin(kind) is typing.Literal:
            known = typing.get_args(kind)
            if value not in known:
                raise RecipeError(
                    f"{where}: {key!r} must be one of {', '.join(map(repr, known))}. "
                    f"Received: {value!r}"
                )
            continue
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
    try:
        return cls(**values)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _table(kind):
    """The dataclass that a table is read as, also where there may be none; or the type itself."""
    tables = [k for k in typing.get_args(kind) if dataclasses.is_dataclass(k)]
    return tables[0] if tables else kind
