"""Readers of long texts and their summaries, in the usual layouts."""

import json
import os
import re
import warnings
from pathlib import Path

from keras_s2s.data.lines_told import Lines
from keras_s2s.data.readers import collapse
from keras_s2s.data.text_lines import lines

_HIGHLIGHT = "@highlight"
_ENDS = ".!?\"'\u2019\u201d)`"


def read_jsonl(path, text="text", summary="summary"):
    r"""Reads texts and their summaries from a file with a JSON object on each line.

    White space becomes single blanks. The file may be gzipped, whatever its name. A warning with
    line numbers tells of rows with an empty side, which are left out.

    Args:
        path: Path of the file, UTF-8.
        text: Key of the texts.
        summary: Key of the summaries: a string, or a list of several for one text.

    Returns:
        `(texts, summaries)`: two lists of the same length. Where a row of the file has a list of
        summaries, so has the second list.

    Raises:
        ValueError: If a line is no JSON object, lacks a key, or has no strings there. The message
            names the line.

    Example:
    ```python
    import json
    from keras_s2s.data import read_jsonl

    with open("papers.jsonl", "w") as file:
        print(json.dumps({"id": 1, "text": "A long  text.", "summary": "A text"}), file=file)
    assert read_jsonl("papers.jsonl") == (["A long text."], ["A text"])
    ```
    """
    name, texts, summaries, empty = repr(os.fspath(path)), [], [], Lines()
    for number, line in lines(path):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        row = parsed(line, place)
        one = _string(row, text, place)
        given = row.get(summary)
        if isinstance(given, list) and all(isinstance(item, str) for item in given):
            given = [item for item in map(collapse, given) if item]
        else:
            given = _string(row, summary, place)
        if one and given:
            texts.append(one)
            summaries.append(given)
        else:
            empty.add(number)
    if empty.count:
        message = f"{name}: {empty.rows()} with an empty side left out: {empty}."
        warnings.warn(message, stacklevel=2)
    return texts, summaries


def is_jsonl(path):
    """Whether the first line of a file begins as a JSON object does."""
    first = next((line for _, line in lines(path) if line.strip()), "")
    return re.match(r'\s*\{\s*["}]', first) is not None


def read_stories(folder):
    r"""Reads articles and their highlights in the layout of CNN/DailyMail: a file for each article.

    The text of a `.story` file comes first, then each highlight after a line `@highlight`. The
    highlights become one summary, each a sentence with a full stop. White space becomes single
    blanks. A warning counts the files without text or highlights, which are left out.

    Args:
        folder: Folder of the `.story` files, which are read in the order of their names.

    Returns:
        `(texts, summaries)`: two lists of `str` of the same length.

    Raises:
        ValueError: If there are no such files, or one is not UTF-8.

    Example:
    ```python
    from pathlib import Path
    from keras_s2s.data import read_stories

    Path("stories").mkdir()
    story = "A dog ran.\n\n@highlight\n\nDog runs\n\n@highlight\n\nNobody hurt"
    Path("stories/1.story").write_text(story)
    assert read_stories("stories") == (["A dog ran."], ["Dog runs. Nobody hurt."])
    ```
    """
    paths = sorted(Path(folder).glob("*.story"))
    if not paths:
        raise ValueError(f"There are no .story files in {os.fspath(folder)!r}.")
    texts, summaries, empty = [], [], []
    for path in paths:
        parts = [[]]
        for _, line in lines(path):
            if line.strip() == _HIGHLIGHT:
                parts.append([])
            else:
                parts[-1].append(line)
        text, *highlights = (collapse(" ".join(part)) for part in parts)
        highlights = [highlight for highlight in highlights if highlight]
        if text and highlights:
            texts.append(text)
            ended = (h if h.endswith(tuple(_ENDS)) else f"{h}." for h in highlights)
            summaries.append(" ".join(ended))
        else:
            empty.append(path.name)
    if empty:
        warnings.warn(
            f"{os.fspath(folder)!r}: {len(empty):,} of {len(paths):,} stories without text or "
            f"highlights left out, the first: {empty[0]}.",
            stacklevel=2,
        )
    return texts, summaries


def parsed(line, place):
    """The object of a JSON line, as a dict; `place` names the line in errors."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"{place}: no JSON ({error}). Each line must hold one object, such as "
            '{"text": "...", "summary": "..."}.'
        ) from error
    if not isinstance(row, dict):
        raise ValueError(f"{place}: no JSON object, but {type(row).__name__}.")
    return row


def text_at(key, line, place):
    """The text of a JSON line at a key, as `read_jsonl` reads it."""
    return _string(parsed(line, place), key, place)


def _string(row, key, place):
    if key not in row:
        keys = ", ".join(map(repr, row)) or "none"
        raise ValueError(f"{place}: there is no key {key!r}. The keys of the object are: {keys}.")
    if not isinstance(row[key], str):
        raise ValueError(f"{place}: {key!r} should be text, but is {row[key]!r:.60}.")
    return collapse(row[key])
