"""Checks the files of a preset against the hashes in its card."""

import hashlib
from pathlib import Path

from keras_s2s.models import presets

# Files for people, not needed to build the model: a preset still loads after they were edited.
_FOR_PEOPLE = {".md", ".toml"}


def hashes(folder):
    """Computes the sha256 of every file of a preset but `card.json`, which holds the hashes.

    Args:
        folder: path of the preset.

    Returns:
        Dict from relative path, with forward slashes, to hexadecimal sha256; sorted.
    """
    folder = Path(folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return {
        name: _sha256(folder / name)
        for name in files
        if (folder / name).is_file() and name != "card.json"
    }


def shared_hashes(folder):
    """Computes the sha256 of the weights and tokenizers that a preset uses of another.

    Args:
        folder: path of the preset.

    Returns:
        Dict from path relative to the other preset to sha256; empty if the files are its own.
    """
    if not (Path(folder) / presets.CONFIG).is_file():
        return {}
    other = presets.folder_of_files(Path(folder))
    if other == Path(folder):
        return {}
    needed = presets.WEIGHTS, presets.ASSETS
    return {name: h for name, h in hashes(other).items() if name.split("/")[0] in needed}


def check_preset(folder, card, needed_only=False):
    """Compares the files of a preset, and those that it uses of another, with its card.

    Args:
        folder: path of the preset.
        card: its card, a dict with `files`.
        needed_only: as in `check`.

    Returns:
        Dict from relative path to sha256 of all of these files.
    """
    check(folder, card["files"], needed_only)
    shared = card.get("shared_files", {})
    if shared:
        check(presets.folder_of_files(Path(folder)), shared)
    return {**card["files"], **shared}


def check(folder, expected, needed_only=False):
    """Compares files with their hashes.

    Args:
        folder: path of the preset.
        expected: dict from relative path to sha256, `files` of the card.
        needed_only: leave out the files that no model is built from (README, recipe).

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is not the one that was hashed.
    """
    for name, right in expected.items():
        path = Path(folder) / name
        if needed_only and path.suffix in _FOR_PEOPLE:
            continue
        if not path.is_file():
            raise FileNotFoundError(f"Preset file {str(path)!r} is missing. {_fix(folder)}")
        actual = _sha256(path)
        if actual != right:
            raise ValueError(
                f"Preset file {str(path)!r} was truncated or changed: expected sha256 {right}, "
                f"actual {actual} ({path.stat().st_size:,} bytes). {_fix(folder)}"
            )


def _fix(folder):
    return (
        f"{presets.RESTORE} If you meant the change, call "
        f"`keras_s2s.zoo.write_card({str(folder)!r})`."
    )


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
