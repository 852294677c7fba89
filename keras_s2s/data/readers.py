"""Readers of files of parallel text."""

import collections
import os
import re
import warnings

from keras_s2s.data import tables
from keras_s2s.data.header import is_header
from keras_s2s.data.lines_told import Lines
from keras_s2s.data.text_lines import lines


def read_parallel(source_file, target_file):
    r"""Reads two files whose lines correspond, the layout of WMT and Multi30k.

    Lines end at `"\n"` or `"\r\n"`, in files of old Macs at `"\r"`, and nowhere else, so that other
    separators inside a sentence cannot shift the pairing. White space at the ends is removed, and
    inside a line collapsed to single blanks. Empty lines are kept, as empty strings. Files may be
    gzipped, whatever their names.

    Args:
        source_file: Path of the file of inputs, UTF-8.
        target_file: Path of the file of outputs, UTF-8.

    Returns:
        `(sources, targets)`: two lists of `str` of the same length, as `model.fit(sources,
        targets)` takes them.

    Raises:
        ValueError: If the files differ in their number of lines, or a line is not UTF-8.

    Example:
    ```python
    import gzip, os, tempfile
    from keras_s2s.data import read_parallel

    folder = tempfile.mkdtemp()
    with gzip.open(os.path.join(folder, "train.de.gz"), "wt", encoding="utf-8") as file:
        file.write("ein Hund\nzwei  Hunde\n")
    with open(os.path.join(folder, "train.en"), "w") as file:
        file.write("a dog\ntwo dogs\n")
    sources, targets = read_parallel(
        os.path.join(folder, "train.de.gz"), os.path.join(folder, "train.en")
    )
    assert list(zip(sources, targets)) == [("ein Hund", "a dog"), ("zwei Hunde", "two dogs")]
    ```
    """
    sources = [collapse(line) for _, line in lines(source_file)]
    targets = [collapse(line) for _, line in lines(target_file)]
    if len(sources) != len(targets):
        raise ValueError(
            "Parallel files must have the same number of lines: "
            f"{os.fspath(source_file)!r} has {len(sources)}, "
            f"{os.fspath(target_file)!r} has {len(targets)}."
        )
    return sources, targets


def read_tsv(path, source_column=0, target_column=1):
    r"""Reads pairs from a file of tab-separated columns, the layout of Tatoeba exports.

    There is no quoting. White space and line ends are treated as by `read_parallel`; lines without
    any character are skipped. The file may be gzipped.

    Warnings with line numbers tell what was changed or looks wrong: rows with an empty side,
    which are left out; a header, which is left out if it is surely one (`source` and `target`, or
    two languages above sentences); rows with another number of columns than most; a column of
    nothing but numbers.

    Args:
        path: Path of the file, UTF-8.
        source_column: Column of the inputs: its index, from 0, or its name in the first line.
        target_column: Column of the outputs, likewise.

    Returns:
        `(sources, targets)`: two lists of `str` of the same length, none of them empty.

    Raises:
        ValueError: If a row lacks one of the columns or is not UTF-8 (the message has its line
            number), or if no column has the name.

    Example:
    ```python
    import os, tempfile
    from keras_s2s.data import read_tsv

    path = os.path.join(tempfile.mkdtemp(), "pairs.tsv")
    with open(path, "w") as file:
        file.write("id\ten\tde\n77\ta dog\tein Hund\n")
    assert read_tsv(path, source_column="de", target_column="en") == (["ein Hund"], ["a dog"])
    ```
    """
    return _pairs(path, "\t", source_column, target_column)


def read_pairs(path, source_column=0, target_column=1):
    r"""Reads pairs from a table, tab-separated or CSV, whichever the file is.

    A file with tabs in its lines is read as by `read_tsv`. In others `","`, `";"` or `"|"`
    separates the columns, and texts may stand in quotation marks, as spreadsheets write them.

    Args:
        path: Path of the file, UTF-8, may be gzipped.
        source_column: As in `read_tsv`.
        target_column: As in `read_tsv`.

    Returns:
        As `read_tsv`, which also says what warnings tell.

    Raises:
        ValueError: If the file is empty or has one column, or as in `read_tsv`.

    Example:
    ```python
    from keras_s2s.data import read_pairs

    with open("pairs.csv", "w") as file:
        file.write('de,en\n"ja, ein Hund","yes, a dog"\nein Hund,a dog\n')
    sources, targets = read_pairs("pairs.csv", "de", "en")
    assert sources == ["ja, ein Hund", "ein Hund"] and targets == ["yes, a dog", "a dog"]
    ```
    """
    return _pairs(path, tables.delimiter(path) or "\t", source_column, target_column)


def _pairs(path, mark, source_column, target_column):
    rows = tables.rows(path, mark)
    columns = {"source_column": source_column, "target_column": target_column}
    named = [column for column in columns.values() if isinstance(column, str)]
    if named:
        header = [collapse(cell) for cell in next(rows, (1, []))[1]]
        columns = {key: find_column(path, header, column) for key, column in columns.items()}
    for key, column in columns.items():
        if column < 0:
            raise ValueError(f"`{key}` counts from 0. Received {column}.")
    source, target = columns.values()
    needed = max(source, target) + 1
    sources, targets, empty, widths = [], [], Lines(), collections.defaultdict(Lines)
    is_first, may_be_header = True, False
    for number, row in rows:
        if len(row) < needed:
            raise ValueError(_too_few(path, mark, number, row, needed, columns))
        widths[len(row)].add(number)
        pair = collapse(row[source]), collapse(row[target])
        if not all(pair):
            empty.add(number)
        else:
            may_be_header |= is_first and not named
            sources.append(pair[0])
            targets.append(pair[1])
        is_first = False

    def tell(message):
        warnings.warn(f"{os.fspath(path)!r}: {message}", stacklevel=4)

    if empty.count:
        tell(f"{empty.rows()} with an empty side left out: {empty}.")
    if may_be_header:
        pair = f"{sources[0]!r} and {targets[0]!r}"
        header = is_header((sources[0], targets[0]), sources[1:], targets[1:])
        if header:
            del sources[0], targets[0]
            tell(f"the first line names the columns, {pair}, and is left out.")
        elif header is None:
            tell(
                f"the first line, {pair}, may name the columns, but is read as a pair. If it is a "
                "header, choose the columns by these names."
            )
    if len(widths) > 1:
        usual = max(widths, key=lambda width: widths[width].count)
        others = Lines()
        for width, numbers in widths.items():
            if width != usual:
                others.merge(numbers)
        tell(
            f"{others.rows()} not of {usual} columns like the others: {others}. "
            f"{_MARKS.get(mark, repr(mark))} inside a text shifts its columns."
        )
    for column, texts in ((source, sources), (target, targets)):
        if len(texts) > 1 and all(map(_NUMBER.fullmatch, texts)):
            tell(f"column {column + 1} holds nothing but numbers. Choose the columns of the texts.")
    return sources, targets


_MARKS = {"\t": "A tab", ",": "A comma without quotation marks around it"}
_NUMBER = re.compile(r"[\d.,:/ +-]+")


def without_empty(sources, targets, name):
    """The pairs with text on both sides, to train on; a warning tells how many were left out.

    Args:
        sources: List of strings.
        targets: List of strings, as many.
        name: What the warning calls the pairs.

    Returns:
        `(sources, targets)`.

    Raises:
        ValueError: If no pair is left.
    """
    empty, kept = Lines(), []
    for number, pair in enumerate(zip(sources, targets), 1):
        if all(pair):
            kept.append(pair)
        else:
            empty.add(number)
    if empty.count:
        message = f"{name}: {empty.rows()} with an empty side left out: {empty}."
        warnings.warn(message, stacklevel=2)
    if not kept:
        raise ValueError(f"{name}: there are no pairs.")
    return [source for source, _ in kept], [target for _, target in kept]


def find_column(path, header, column):
    """The index of a column by its name."""
    if not isinstance(column, str):
        return column
    names = [name.lower() for name in header]
    if names.count(column.strip().lower()) != 1:
        raise ValueError(
            f"{os.fspath(path)!r}: the first line names no column {column!r}, or more than one. "
            f"It has: {', '.join(map(repr, header)) or 'nothing'}."
        )
    return names.index(column.strip().lower())


def _too_few(path, mark, number, row, needed, columns):
    chosen = ", ".join(f"{key}={column}" for key, column in columns.items())
    separated = "tab-separated columns" if mark == "\t" else f"columns, separated by {mark!r},"
    message = (
        f"{os.fspath(path)!r}, line {number}: {needed} {separated} are needed "
        f"({chosen}), this line has {len(row)}."
    )
    if len(row) == 1 and mark == "\t":
        for mark in (",", ";", "|"):
            if mark in row[0]:
                return message + (
                    f" If {mark!r} separates its columns, save the table with tabs in its place "
                    "and without quotation marks around the texts."
                )
    return message


def collapse(text):
    """Makes all white space single blanks."""
    return " ".join(text.split())
