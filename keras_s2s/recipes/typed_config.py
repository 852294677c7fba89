"""Turns the values of a TOML file into dataclasses, with checks of their types."""

import dataclasses
import difflib
import types
import typing


class RecipeError(ValueError):
    """A recipe that cannot be run. The message is one line and says why."""


def typed(cls, values, where):
    """Makes an object of a dataclass from a TOML table.

    Args:
        cls: The dataclass; fields that are dataclasses, or one or None, or dicts of one, are
            tables themselves.
        values: Dict.
        where: The beginning of error messages.

    Raises:
        RecipeError: If a key is missing, unknown (naming the nearest) or of a wrong type.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(fields)}."
            raise RecipeError(f"{where}: unknown key {key!r}.{hint}")
    missing = [
        name
        for name, f in fields.items()
        if name not in values
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise RecipeError(f"{where}: missing {', '.join(map(repr, missing))}.")
    values = {key: _value(fields[key].type, key, value, where) for key, value in values.items()}
    try:
        return cls(**values)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _value(kind, key, value, where):
    if typing.get_origin(kind) is types.UnionType:
        kinds = [k for k in typing.get_args(kind) if k is not types.NoneType]
        kind = kinds[0] if len(kinds) == 1 else tuple(kinds)
    if typing.get_origin(kind) is dict:
        _check_table(key, value, where)
        _, of_each = typing.get_args(kind)
        return {name: _value(of_each, f"{key}.{name}", v, where) for name, v in value.items()}
    if dataclasses.is_dataclass(kind):
        _check_table(key, value, where)
        return typed(kind, value, f"{where} [{key}]")
    if typing.get_origin(kind) is typing.Literal:
        known = typing.get_args(kind)
        if value not in known:
            raise RecipeError(
                f"{where}: {key!r} must be one of {', '.join(map(repr, known))}. "
                f"Received: {value!r}"
            )
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        name = " or ".join(k.__name__ for k in kinds)
        raise RecipeError(f"{where}: {key!r} must be of type {name}. Received: {value!r}")
    return value


def _check_table(key, value, where):
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: {key!r} must be a table.")
