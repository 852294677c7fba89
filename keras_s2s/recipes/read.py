import tomllib
from pathlib import Path

from keras_s2s.recipes import old_keys
from keras_s2s.recipes.tasks import TASKS
from keras_s2s.recipes.typed_config import RecipeError, typed

# A stage that has one of these keys does not take the other from [training].
_BATCHES = {"batch_size", "tokens_per_batch"}


def read(path, changes=()):
    """Reads a recipe.

    Args:
        path: The TOML file.
        changes: Strings such as `"model.dropout=0.0"`, in place of what the file says; without
            a value, the default.

    Returns:
        A `keras_s2s.recipes.Recipe`, by its `task`.

    Raises:
        RecipeError: If it is no TOML, lacks a key, or has an unknown one or one of a wrong type.
            No data has been read by then.

    Example:
    ```python
    from pathlib import Path
    import keras_s2s

    recipe = keras_s2s.recipes.read(
        keras_s2s.models.preset_folders.find("translation") / "recipe.toml", ["model.dropout=0.1"]
    )
    assert recipe.task == "translation" and recipe.model.dropout == 0.1
    ```
    """
    try:
        values = old_keys.renamed(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        for change in changes:
            _change(values, change)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error
    task = values.get("task")
    if task not in TASKS:
        raise RecipeError(f"{path}: 'task' must be one of {', '.join(TASKS)}. Received: {task!r}")
    return typed(TASKS[task], _inherited(values), str(path))


def _change(values, change):
    key, equals, value = change.partition("=")
    if not equals:
        raise ValueError(f"a change is written TABLE.KEY=VALUE, not {change!r}")
    *tables, key = old_keys.path(key.strip()).split(".")
    place = values
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            raise ValueError(f"{table!r} is no table, as the change {change!r} has it")
    if not value:  # Restores the default.
        place.pop(key, None)
        return
    try:
        value = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        pass  # Text without quotation marks.
    place[key] = value


def _inherited(values):
    """The values, where each stage also has the keys of `[training]` that it does not set."""
    stages, shared = values.get("stages"), values.get("training", {})
    if not stages or not isinstance(stages, dict) or not isinstance(shared, dict):
        return values
    values = {key: value for key, value in values.items() if key != "training"}
    values["stages"] = {}
    for name, stage in stages.items():
        if isinstance(stage, dict):
            other = _BATCHES if _BATCHES & set(stage) else set()
            stage = {**{k: v for k, v in shared.items() if k not in other}, **stage}
        values["stages"][name] = stage
    return values
