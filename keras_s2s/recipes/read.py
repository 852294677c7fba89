import tomllib
from pathlib import Path

from keras_s2s.recipes import captioning, translation
from keras_s2s.recipes.schema import RecipeError, typed

TASKS = {"translation": translation.Recipe, "captioning": captioning.Recipe}


def read(path, changes=()):
    """Reads a recipe.

    Args:
        path: The TOML file.
        changes: Strings such as `"model.dropout=0.0"`, in place of what the file says; without
            a value, the default.

    Returns:
        A `keras_s2s.recipes.schema.Recipe`, by its `task`.

    Raises:
        RecipeError: If it is no TOML, lacks a key, or has an unknown one or one of a wrong type.
            Nothing that the recipe is about has been read then.

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
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        for change in changes:
            _change(values, change)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error
    task = values.get("task")
    if task not in TASKS:
        raise RecipeError(f"{path}: 'task' must be one of {', '.join(TASKS)}. Received: {task!r}")
    return typed(TASKS[task], values, str(path))


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
