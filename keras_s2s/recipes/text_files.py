"""The layouts of files of paired texts that the recipes for text know."""

from pathlib import Path

from keras_s2s import data
from keras_s2s.data import readers, text_lines
from keras_s2s.preprocessing.text import as_references
from keras_s2s.recipes.show import pair_for_people
from keras_s2s.recipes.typed_config import RecipeError


def read(paths, columns):
    """Reads inputs and outputs.

    Args:
        paths: List of paths: two files whose lines correspond, or one table of pairs, file of JSON
            objects in each line, or folder of `.story` files.
        columns: Columns of inputs and outputs in a table: indices from 0, or names in its first
            line; the keys in JSON lines.

    Returns:
        `(inputs, outputs)`: two lists. Where a text has several outputs, they are a list.

    Raises:
        RecipeError: If the file holds JSON lines, and the columns are no names.
        ValueError: If a file is not what it should be.
    """
    if len(paths) == 2:
        return data.read_parallel(*paths)
    [path] = map(Path, paths)
    if path.is_dir():
        return data.read_stories(path)
    if not data.summary_readers.is_jsonl(path):
        return data.read_pairs(path, *columns)
    if not all(isinstance(column, str) for column in columns):
        raise RecipeError(
            f'{path} holds JSON, whose keys are names: set columns = ["text", "summary"], or '
            f"what they are called. Received: {columns}"
        )
    return data.read_jsonl(path, *columns)


def read_lines(paths):
    """The texts of files, one on each line; in lines with tabs, what comes after the last.

    Raises:
        ValueError: If a file is no text.
    """
    texts = (line.rpartition("\t")[2] for path in paths for _, line in text_lines.lines(path))
    return [text for text in map(readers.collapse, texts) if text]


def single(inputs, outputs):
    """A pair for each output of an input."""
    outputs = as_references(outputs, "outputs")
    inputs = [text for text, texts in zip(inputs, outputs) for _ in texts]
    return inputs, [text for texts in outputs for text in texts]


def read_targets(path, columns, show):
    """Reads pairs of which a recipe is made, and shows how many there are, and the first.

    Args:
        path: `pathlib.Path` of the file or folder.
        columns: As in `read`.
        show: Function that is called with lines for people.

    Returns:
        Dict from each source to its targets, without repetitions.

    Raises:
        RecipeError: If there are fewer than 40 sources.
        ValueError: As in `read`.
    """
    pairs, (sources, targets) = {}, single(*read([path], columns))
    for source, target in zip(sources, targets):
        pairs.setdefault(source, {})[target] = None
    repeated = len(sources) - sum(map(len, pairs.values()))
    again = f", {repeated:,} of them repetitions, which do not count" if repeated else ""
    show(f"{len(sources):,} pairs in {path}{again}")
    if sources:
        show("first pair: " + pair_for_people(sources[0], targets[0]))
    if len(pairs) < 40:
        raise RecipeError(f"{path}: {len(pairs)} different sources; 40 are needed at least.")
    return {source: list(targets) for source, targets in pairs.items()}
