"""Records the recipe of a training in its folder, so that no other recipe continues it."""

import dataclasses
import json

from keras_s2s.recipes import stages
from keras_s2s.recipes.recipe import Data, Model, Recipe, Stage, Tokenizer
from keras_s2s.recipes.typed_config import RecipeError

_FILE = "trained.json"
# Sections that a continued training may change: the trained weights do not depend on them.
_LATER = "decoding", "evaluation", "card", "tensorboard"


def begin(recipe, output):
    """Writes the values of the recipe that is trained in `output`.

    Args:
        recipe: A `keras_s2s.recipes.Recipe`.
        output: `pathlib.Path` of the folder.
    """
    text = json.dumps(_values(recipe), indent=1)
    (output / _FILE).write_text(f"{text}\n", encoding="utf-8")


def check(recipe, output):
    """Raises a `RecipeError` if `output` holds a training with other values."""
    if not (output / _FILE).exists():
        return
    before = json.loads((output / _FILE).read_text(encoding="utf-8"))
    is_done = any(stages.is_done(name, output) for name in before["stages"])
    if not is_done and not any(output.glob("**/state/epoch_*")):
        return
    before, now = _flat(before), _flat(json.loads(json.dumps(_values(recipe))))
    # Keys that recipes did not have when it began, and that change nothing.
    now = {key: value for key, value in now.items() if key in before or not _is_default(key, value)}
    others = [key for key in sorted(before | now) if before.get(key) != now.get(key)]
    if others:
        key, more = others[0], len(others) - 1
        raise RecipeError(
            f"{str(output)!r} holds a training of another recipe: {key} was {before.get(key)!r} "
            f"and is {now.get(key)!r}"
            + (f", and {more} more keys differ" if more else "")
            + ". Choose another folder, or remove this one."
        )


def _values(recipe):
    values = dataclasses.asdict(recipe)
    # A recipe with one stage has it in `stages`, too.
    return {key: value for key, value in values.items() if key not in (*_LATER, "training")}


def _is_default(key, value):
    """Whether a key of a section has its default, whatever the section."""
    *_, name = key.split(".")
    sections = Data, Model, Recipe, Stage, Tokenizer
    fields = (field for section in sections for field in dataclasses.fields(section))
    return any(field.name == name and _default(field) == value for field in fields)


def _default(field):
    has_factory = field.default_factory is not dataclasses.MISSING
    return field.default_factory() if has_factory else field.default


def _flat(values, name=""):
    """A nested dict as a flat one with dotted names."""
    if not isinstance(values, dict):
        return {name: values}
    parts = (_flat(value, f"{name}.{key}".lstrip(".")) for key, value in values.items())
    return {key: value for part in parts for key, value in part.items()}
