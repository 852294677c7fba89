"""Readers of the files in which parallel text comes."""

import gzip
import os
import zlib


def read_parallel(source_file, target_file):
    r"""Reads two files whose lines correspond, the layout of WMT and Multi30k.

    Lines end at `"\n"` only, so that other separators inside a sentence cannot shift the pairing.
    White space at the ends is removed, and inside a line collapsed to single blanks. Empty lines
    are kept, as empty strings. Files may be gzipped, whatever their names.

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

    There is no quoting. White space is treated as by `read_parallel`; lines without any
    character are skipped. The file may be gzipped.

    Args:
        path: Path of the file, UTF-8, without a header.
        source_column: Index of the column of inputs, from 0.
        target_column: Index of the column of outputs, from 0.

    Returns:
        `(sources, targets)`: two lists of `str` of the same length.

    Raises:
        ValueError: If a row lacks one of the columns or is not UTF-8; the message has its line
            number.

    Example:
    ```python
    import os, tempfile
    from keras_s2s.data import read_tsv

    path = os.path.join(tempfile.mkdtemp(), "pairs.tsv")
    with open(path, "w") as file:
        file.write("77\ta dog\tein Hund\n")
    assert read_tsv(path, source_column=2, target_column=1) == (["ein Hund"], ["a dog"])
    ```
    """
    for name, column in (("source_column", source_column), ("target_column", target_column)):
        if column < 0:
            raise ValueError(f"`{name}` counts from 0. Received {column}.")
    needed = max(source_column, target_column) + 1
    sources, targets = [], []
    for number, line in lines(path):
        if not line.strip("\r"):
            continue
        row = line.split("\t")
        if len(row) < needed:
            raise ValueError(
                f"{os.fspath(path)!r}, line {number}: {needed} tab-separated columns are needed "
                f"(source_column={source_column}, target_column={target_column}), "
                f"this line has {len(row)}."
            )
        sources.append(collapse(row[source_column]))
        targets.append(collapse(row[target_column]))
    return sources, targets


def lines(path, errors="strict"):
    """Yields `(number from 1, line)` of a plain or gzipped UTF-8 file.

    Args:
        path: The file.
        errors: What becomes of other bytes, as in `bytes.decode`.
    """
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    with (gzip.open if is_gzip else open)(path, "rb") as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):  # Binary files split at "\n" only.
                text = line.removesuffix(b"\n").decode("utf-8", errors)
                yield number, text.removeprefix("\ufeff") if number == 1 else text
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{os.fspath(path)!r}, line {number}: not UTF-8 ({error}). "
                "Convert the file first, e.g. with iconv."
            ) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{os.fspath(path)!r} is damaged or cut short after line {number}: {error}."
            ) from error


def collapse(text):
    """Makes all white space single blanks."""
    return " ".join(text.split())
