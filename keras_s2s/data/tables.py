"""Tables in text files, whether tabs or commas separate their columns."""

import csv
import itertools
import os

from keras_s2s.data.text_lines import lines

# Number of lines that are read to find out what separates the columns.
_SAMPLE = 200
# A cell has at most this many lines; with more, its quotation mark is taken for unclosed.
_MOST_LINES = 20


def delimiter(path):
    """The mark between the columns of a table: a tab, `","`, `";"` or `"|"`; None for one column.

    The first lines decide, not the name of the file.

    Args:
        path: Path of the file, UTF-8, may be gzipped.

    Raises:
        ValueError: If it is no text.
    """
    start = itertools.islice((line for _, line in lines(path, "surrogateescape") if line), _SAMPLE)
    start = list(start)
    if start and sum("\t" in line for line in start) >= len(start) / 2:
        return "\t"
    # Rarest in texts first: the rarer a mark is in texts, the more surely it separates columns.
    for mark in ("|", ";", ","):
        cells = [len(row) > 1 for row in _csv(start, mark)]
        if cells and sum(cells) >= 0.95 * len(cells):
            return mark
    return None


def rows(path, mark, errors="strict"):
    r"""Yields `(number from 1, cells)` of the rows of a table; empty lines are skipped.

    Where `","` or `";"` separates the columns, a cell may stand in quotation marks, as in
    RFC 4180, and then hold line ends too.

    Args:
        path: Path of the file, UTF-8, may be gzipped.
        mark: As `delimiter` returns it.
        errors: What to do with bytes that are not UTF-8, as in `bytes.decode`.

    Raises:
        ValueError: If the file is no text, or a quotation mark is not closed. The message names
            the line.
    """
    if mark is None or mark == "\t":
        for number, line in lines(path, errors):
            if line:
                yield number, line.split("\t") if mark else [line]
        return
    taken = []

    def take():
        for number, line in lines(path, errors):
            taken.append((number, line))
            if len(taken) > _MOST_LINES:
                raise ValueError(_unclosed(path, taken))
            yield line

    for row in _csv(take(), mark):
        if len(taken) > 1 and sum(line.count('"') for _, line in taken) % 2:
            raise ValueError(_unclosed(path, taken))
        if row:
            yield taken[0][0], row
        taken.clear()


def _csv(lines, mark):
    # Only with these marks are cells quoted. A lone "\r" does not end a line.
    quoting = csv.QUOTE_MINIMAL if mark in ",;" else csv.QUOTE_NONE
    texts = (line.replace("\r", " ") + "\n" for line in lines)
    return csv.reader(texts, delimiter=mark, skipinitialspace=True, quoting=quoting)


def _unclosed(path, taken):
    return (
        f"{os.fspath(path)!r}, line {taken[0][0]}: a quotation mark opens here that nothing "
        "closes. Write marks inside a text twice, and put the text in marks."
    )
