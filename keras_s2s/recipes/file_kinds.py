"""Recognizes the task of a file of training data by its contents, not by its name."""

import itertools
import json
from pathlib import Path
from typing import NamedTuple

from keras_s2s.data import tables, text_lines
from keras_s2s.data.caption_readers import is_image_name, is_json, is_token
from keras_s2s.data.readers import collapse, find_column
from keras_s2s.recipes.typed_config import RecipeError

# Number of rows that are read to find out what the columns hold.
_SAMPLE = 200
_CAPTION = frozenset("caption captions comment comments description sentence text raw".split())


class Recognized(NamedTuple):
    """A task, and the columns of a table's inputs and outputs: indices from 0, or names."""

    task: str
    columns: tuple = (0, 1)


def recognize(path, columns=None):
    """Tells what a file holds: captions of images, or else pairs of text.

    Args:
        path: The file.
        columns: The columns of input and output, if they were chosen.

    Returns:
        A `Recognized`.

    Raises:
        RecipeError: If the file is empty, or a table of one column.
        ValueError: If it is no text, or has no such columns.
    """
    if not Path(path).stat().st_size:
        raise RecipeError(f"{path} is empty.")
    _, first = next(text_lines.lines(path, "surrogateescape"), (1, ""))
    if _is_json_line(first):
        raise RecipeError(
            f"{path} holds a JSON object in each line. Write a recipe of it: task = "
            '"summarization", with its keys as columns = ["text", "summary"] in [data].'
        )
    if is_json(path):
        return Recognized("captioning")
    if is_token(first):
        return Recognized("captioning")
    mark = tables.delimiter(path)
    rows = tables.rows(path, mark, "surrogateescape")
    rows = [row for _, row in itertools.islice(rows, _SAMPLE)]
    if not rows:
        raise RecipeError(f"{path} is empty.")
    if mark is None:
        raise RecipeError(
            f"{path} has one column. 2 columns are needed, separated by a tab or a comma: a text "
            "and its translation, or the name of an image and its caption."
        )
    if columns is not None:
        image = find_column(path, list(map(collapse, rows[0])), columns[0])
        is_captions = _has_images(rows, image)
        return Recognized("captioning" if is_captions else "translation", tuple(columns))
    width = min(map(len, rows[:2]))
    images = [column for column in range(width) if _has_images(rows, column)]
    if not images:
        return Recognized("translation")
    others = [column for column in range(width) if column != images[0]]
    named = [column for column in others if collapse(rows[0][column]).lower() in _CAPTION]
    longest = max(
        others, key=lambda column: sum(len(row[column]) for row in rows if row[width - 1 :])
    )
    return Recognized("captioning", (images[0], named[0] if named else longest))


def _is_json_line(line):
    """Whether a line is a JSON object of texts, as COCO's, which holds lists, is not."""
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and any(isinstance(value, str) for value in row.values())


def _has_images(rows, column):
    """Whether a column holds names of image files, apart from its first line."""
    cells = [row[column] for row in rows[1:] or rows if len(row) > column]
    return bool(cells) and sum(map(is_image_name, cells)) >= 0.9 * len(cells)
