"""Recognizes the task of training data by their contents, not by their name."""

import itertools
import json
import statistics
from pathlib import Path
from typing import NamedTuple

from keras_s2s.data import tables, text_lines
from keras_s2s.data.caption_readers import is_image_name, is_json, is_token
from keras_s2s.data.readers import collapse, find_column
from keras_s2s.data.speech_readers import is_clip_name
from keras_s2s.data.summary_readers import parsed
from keras_s2s.recipes.typed_config import RecipeError

# Number of rows that are read to find out what the columns hold.
_SAMPLE = 200
# Characters of a text that has a summary.
_LONG = 200
_TEXT = frozenset(
    "caption captions comment comments description sentence text raw transcript transcripts".split()
)
#: Tasks, and what tells that a text names one of their inputs.
_NAMES = {"captioning": is_image_name, "speech": is_clip_name}


class Recognized(NamedTuple):
    """A task, and the columns of inputs and outputs: indices from 0, or names."""

    task: str
    columns: tuple = (0, 1)


def recognize(path, columns=None):
    """Tells what a file holds: captions, transcripts, texts and summaries, or else translations.

    Args:
        path: The file, or a folder of `.story` files.
        columns: The columns or keys of input and output, if they were chosen.

    Returns:
        A `Recognized`.

    Raises:
        RecipeError: If the file is empty, a table of one column, or JSON lines without the keys.
        ValueError: If it is no text, or has no such columns.
    """
    if Path(path).is_dir():
        return Recognized("summarization")
    if not Path(path).stat().st_size:
        raise RecipeError(f"{path} is empty.")
    _, first = next(text_lines.lines(path, "surrogateescape"), (1, ""))
    if _is_json_line(first):
        return _json_lines(path, columns or ("text", "summary"))
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
            "and its translation, or the name of an image or clip and its text."
        )
    if columns is not None:
        first = find_column(path, list(map(collapse, rows[0])), columns[0])
        for task, is_name in _NAMES.items():
            if _has(is_name, rows, first):
                return Recognized(task, tuple(columns))
        output = find_column(path, list(map(collapse, rows[0])), columns[1])
        return Recognized(_text_task(rows, first, output), tuple(columns))
    width = min(map(len, rows[:2]))
    for task, is_name in _NAMES.items():
        named = [column for column in range(width) if _has(is_name, rows, column)]
        if named:
            return Recognized(task, (named[0], _text_beside(rows, named[0], width)))
    return Recognized(_text_task(rows, 0, 1))


def _text_beside(rows, files, width):
    """The column of texts in a table with a column of names of files."""
    others = [column for column in range(width) if column != files]
    named = [column for column in others if collapse(rows[0][column]).lower() in _TEXT]
    longest = max(
        others, key=lambda column: sum(len(row[column]) for row in rows if row[width - 1 :])
    )
    return named[0] if named else longest


def _json_lines(path, keys):
    numbered = ((n, line) for n, line in text_lines.lines(path) if line.strip())
    numbered = itertools.islice(numbered, _SAMPLE)
    rows = [parsed(line, f"{path}, line {number}") for number, line in numbered]
    if any(not isinstance(key, str) or key not in rows[0] for key in keys):
        raise RecipeError(
            f"{path} holds a JSON object in each line, with the keys {', '.join(rows[0])}. Name "
            "those of the input and the output, such as --columns text,summary."
        )
    return Recognized(_text_task(rows, *keys), tuple(keys))


def _text_task(rows, source, target):
    """Summaries are far shorter than their texts, which are not short."""
    longer, shorter = [], []
    for row in rows[1:] or rows:
        try:
            cells = row[source], row[target]
        except (IndexError, KeyError):
            continue
        # A summary of several is as good.
        cells = [cell[0] if isinstance(cell, list) and cell else cell for cell in cells]
        if all(isinstance(cell, str) for cell in cells):
            longer.append(cells[0])
            shorter.append(cells[1])
    if not longer:
        return "translation"
    # Chinese has a third of the characters of English, Hindi three times its bytes.
    is_short = all(
        2 * statistics.median(map(size, shorter)) <= statistics.median(map(size, longer))
        for size in (len, lambda text: len(text.encode("utf-8", "surrogateescape")))
    )
    is_long = statistics.median(map(len, longer)) >= _LONG
    return "summarization" if is_short and is_long else "translation"


def _is_json_line(line):
    """Whether a line is a JSON object of texts, as COCO's, which holds lists, is not."""
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and any(isinstance(value, str) for value in row.values())


def _has(is_name, rows, column):
    """Whether a column holds names of files of a kind, apart from its first line."""
    cells = [row[column] for row in rows[1:] or rows if len(row) > column]
    return bool(cells) and sum(map(is_name, cells)) >= 0.9 * len(cells)
