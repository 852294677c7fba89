"""The lines of text files, whatever program wrote them."""

import gzip
import os
import zlib

_UTF_16 = b"\xff\xfe", b"\xfe\xff"
_ZIP = b"PK\x03\x04"


def open_bytes(path):
    """Opens a plain or gzipped file, whatever its name, to read its bytes."""
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return (gzip.open if is_gzip else open)(path, "rb")


def split_lines(file):
    r"""Yields the lines of a binary file as bytes, without their ends.

    A line ends at `"\n"` or `"\r\n"`; in a file without any `"\n"`, at `"\r"`. No other character
    ends a line, so that separators inside a sentence cannot shift the pairing of parallel files.
    """
    for number, line in enumerate(file):
        if number == 0 and not line.endswith(b"\n"):
            yield from line.removesuffix(b"\r").split(b"\r")
        else:
            yield line.rstrip(b"\r\n")


def lines(path, errors="strict"):
    """Yields `(number from 1, line)` of a plain or gzipped UTF-8 file.

    Args:
        path: The file.
        errors: What to do with bytes that are not UTF-8, as in `bytes.decode`.

    Raises:
        ValueError: If the file is damaged or not UTF-8 text. The message names the line and
            how to convert the file.
    """
    number, name = 0, repr(os.fspath(path))
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(split_lines(file), 1):
                if number == 1:
                    _check_start(name, line)
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if b"\0" in line:
                    raise ValueError(
                        f"{name}, line {number}: NUL bytes. Text in UTF-16 has them: convert it "
                        "with `iconv -f UTF-16 -t UTF-8`. Remove stray ones with `tr -d '\\000'`."
                    )
                yield number, line.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, line {number}: not UTF-8 ({error}). Convert the file first, e.g. with iconv."
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name} is damaged or cut short after line {number}: {error}.") from error


def _check_start(name, line):
    if line.startswith(_UTF_16):
        raise ValueError(
            f"{name} is UTF-16, not UTF-8. Convert it with `iconv -f UTF-16 -t UTF-8`, or save it "
            "as UTF-8."
        )
    if line.startswith(_ZIP):
        raise ValueError(
            f"{name} is a zip archive or a spreadsheet, not text. Unpack it, or save the table as "
            "tab-separated text in UTF-8."
        )
