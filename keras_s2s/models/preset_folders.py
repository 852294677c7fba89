"""The folders and names of presets."""

import difflib
import os
import re
from pathlib import Path

# The name of a task stands for its default preset.
ALIASES = {
    "captioning": "captioning_flickr8k",
    "summarization": "summarization_arxiv_titles",
    "translation": "translation_de_en",
}


def root():
    """Returns the folder of the shipped presets: in the installed package or the checkout."""
    installed = Path(__file__).parents[1] / "zoo" / "presets"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "zoo"


def names():
    """Returns the names of the shipped presets, sorted."""
    return sorted(card.parent.name for card in root().glob("*/card.json"))


def find(name_or_path):
    """Finds the folder of a preset.

    Args:
        name_or_path: name or alias of a shipped preset, or the path of a preset's folder. A
            shipped name wins over a folder of the same name; write `./name` for the folder.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        TypeError: if `name_or_path` is neither a string nor a path.
        ValueError: if there is no preset of that name; the message lists near matches.
        FileNotFoundError: if `name_or_path` is a path and there is no folder.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise TypeError(
            "`name_or_path` must be the name of a preset or the path of its folder, a string or "
            f"`os.PathLike`. Received: {name_or_path!r}"
        )
    name = ALIASES.get(name_or_path, name_or_path)
    if name in names():
        return root() / name
    path = Path(name_or_path).expanduser()
    # Path("") is the working directory, which nobody means by an empty name.
    if name_or_path != "" and path.is_dir():
        return path
    if isinstance(name_or_path, str) and not set(name_or_path) & {"/", os.sep}:
        raise ValueError(_unknown(name_or_path))
    raise FileNotFoundError(
        f"There is no preset folder at {str(path)!r}. `model.save_to_preset(path)` writes one; "
        "`keras_s2s.zoo.list()` names the shipped presets."
    )


def of_files(folder, name):
    """Finds the preset whose weights and tokenizers another preset uses.

    Args:
        folder: `pathlib.Path` of the other preset.
        name: `files_of` in its config: the name of a folder beside it, or of a shipped preset.

    Returns:
        The folder as a `pathlib.Path`.

    Raises:
        ValueError: If `name` is no name of a folder.
        FileNotFoundError: If there is neither.
    """
    # Never a path, with which a preset could have other files of a machine read.
    if not (isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name)):
        raise ValueError(
            f"The preset {str(folder)!r} is damaged: `files_of` in its config must be the name of "
            f"a preset. Received: {name!r}"
        )
    beside = folder.resolve().parent / name
    if (beside / "config.json").is_file():
        return beside
    if name in names():
        return root() / name
    raise FileNotFoundError(
        f"The preset {str(folder)!r} uses the weights and tokenizers of the preset {name!r}, which "
        "is neither beside it nor among the shipped ones. Copy that folder, too. Or load the "
        "preset where both are, and write a folder of its own: `model.save_to_preset(path)`."
    )


def _unknown(name):
    known = [*(alias for alias, target in ALIASES.items() if target in names()), *names()]
    near = difflib.get_close_matches(name.lower(), known, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"Unknown preset {name!r}.{hint} Shipped presets: {', '.join(known) or 'none'}. The path "
        "of a folder written by `model.save_to_preset` will do, too."
    )
