import gzip
import warnings

import pytest

from keras_s2s.data import read_parallel, read_tsv
from keras_s2s.data.readers import without_empty


@pytest.fixture(params=["plain", "gzip"])
def write(request, tmp_path):
    def write(name, content):
        path = tmp_path / name  # Named the same in both cases: the content tells.
        path.write_bytes(content if request.param == "plain" else gzip.compress(content))
        return path

    return write


def test_parallel(write):
    source = write("a.de", "\ufeff ein  Hund \n\nzwei\u00a0\tHunde\r\n".encode())
    target = write("a.en", b"a dog\n\ntwo dogs")
    assert read_parallel(source, str(target)) == (
        ["ein Hund", "", "zwei Hunde"],
        ["a dog", "", "two dogs"],
    )


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("last", [True, False])
def test_lines_of_every_system(write, end, last):
    content = end.join([b"\xef\xbb\xbfein Hund\ta dog", b"", b"zwei\ttwo"]) + end * last
    assert read_tsv(write("a.tsv", content)) == (["ein Hund", "zwei"], ["a dog", "two"])
    sources, _ = read_parallel(*[write("a.de", content)] * 2)
    assert sources == ["ein Hund a dog", "", "zwei two"]


def test_only_newlines_end_lines(write):
    source = write("a.de", "eins\u2028zwei\x0bdrei\x85vier\rfünf\nsechs\n".encode())
    target = write("a.en", b"one\ntwo\n")
    assert read_parallel(source, target)[0] == ["eins zwei drei vier fünf", "sechs"]


def test_parallel_without_lines(write):
    assert read_parallel(write("a", b""), write("b", b"")) == ([], [])


def test_line_counts_differ(write):
    with pytest.raises(ValueError, match="a.de' has 2, .*a.en' has 1"):
        read_parallel(write("a.de", b"a\nb\n"), write("a.en", b"a\n"))


@pytest.mark.parametrize("read", [lambda path: read_parallel(path, path), read_tsv])
def test_not_utf8_names_the_line(write, read):
    with pytest.raises(ValueError, match="a.de', line 3: not UTF-8"):
        read(write("a.de", b"a\tb\nc\td\n\xff\te\n"))


@pytest.mark.parametrize(
    ["content", "message"],
    [
        ("eins\tone\n".encode("utf-16"), "a.tsv' is UTF-16, not UTF-8.*iconv"),
        ("eins\tone\n".encode("utf-16-be"), "a.tsv', line 1: NUL bytes.*UTF-16.*iconv"),
        (b"eins\tone\nzw\0ei\ttwo\n", r"a.tsv', line 2: NUL bytes.*tr -d"),
        (b"PK\x03\x04abc\n", "a.tsv' is a zip archive or a spreadsheet"),
        (b"de,en\neins,one\n", "line 1: 2 tab-.*If ',' separates its columns.*with tabs"),
    ],
)
def test_what_is_no_tsv_says_how_to_make_one(write, content, message):
    with pytest.raises(ValueError, match=message):
        read_tsv(write("a.tsv", content))


def test_damaged_gzip_file(tmp_path):
    path = tmp_path / "a.gz"
    content = bytearray(gzip.compress(b"".join(b"line %d\n" % i for i in range(5000))))
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a.gz' is damaged or cut short|not UTF-8"):
        read_parallel(path, path)


def test_cut_gzip_file(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a line\n" * 1000)[:-12])
    with pytest.raises(ValueError, match="a.gz' is damaged or cut short"):
        read_parallel(path, path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.de"):
        read_parallel(tmp_path / "nothing.de", tmp_path / "nothing.en")


def test_tsv(write):
    path = write("a.tsv", b'1\ta  dog\tein Hund\tx\r\n\n3\t"two" dogs\tzwei Hunde\ty')
    sources, targets = read_tsv(path, source_column=2, target_column=1)
    assert sources == ["ein Hund", "zwei Hunde"]
    assert targets == ["a dog", '"two" dogs']


ROWS = "".join(f"das ist Satz {i}\tthis is {i}\n" for i in range(20))


def told(path, *columns):
    """The pairs of a file, and the warnings, without the name of the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs = list(zip(*read_tsv(path, *columns)))
    assert all(str(warning.message).startswith(repr(str(path))) for warning in caught)
    return pairs, [str(warning.message).removeprefix(f"{str(path)!r}: ") for warning in caught]


def test_rows_with_an_empty_side_are_left_out_and_told(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(ROWS + "\tb\n\na\t\n \t\u2003\n" + "x\t\n" * 5, encoding="utf-8")
    pairs, messages = told(path)
    assert len(pairs) == 20 and all(map(all, pairs))
    rows = "lines 21, 23, 24, 25, 26 and 3 more"
    assert messages == [f"8 rows with an empty side left out: {rows}."]
    path.write_text("\tb\n" + ROWS)
    assert told(path)[1] == ["1 row with an empty side left out: line 1."]
    path.write_text(ROWS)
    assert told(path) == (pairs, [])


def test_other_columns_are_told(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(ROWS + "a\tb\tc\n")
    pairs, (message,) = told(path)
    assert pairs[-1] == ("a", "b") and message.startswith("1 row not of 2 columns like the others")
    assert "line 21" in message
    numbered = "".join(f"{i}\t{row}\n" for i, row in enumerate(ROWS.splitlines()))
    path.write_text(numbered)
    assert told(path)[1] == ["column 1 holds nothing but numbers. Choose the columns of the texts."]
    assert told(path, 1, 2)[1] == []
    path.write_text("id\tDE\ten\n" + numbered)
    assert told(path, "en", "de") == ([(b, a) for a, b in told(path, 1, 2)[0]], [])
    for name in ("fr", "", "d"):
        with pytest.raises(ValueError, match="no column.*It has: 'id', 'DE', 'en'"):
            read_tsv(path, name, 1)


@pytest.mark.parametrize(
    ["first", "rows", "is_left_out", "message"],
    [
        ("de\ten", ROWS, True, "the first line names the columns, 'de' and 'en', and is left out."),
        ("Source\tTARGET", "eins\tone\n" * 5, True, "the first line names the columns"),
        ("German\tEnglish", ROWS, True, "the first line names the columns"),
        # They may be words: these rows are ones, and those are in no list.
        ("es\tit", "eins\tone\n" * 5, False, "the first line, 'es' and 'it', may name the columns"),
        ("Quelle\tZiel", ROWS, False, "may name the columns, but is read as a pair"),
        ("Satz\tthis", ROWS, False, None),
        ("Hallo!\tHello!", ROWS, False, None),
        ("de\tde", ROWS, False, None),
        ("das ist\tsource", ROWS, False, None),
        ("zehn\tten", "eins\tone\n" * 5, False, None),
    ],
)
def test_header(first, rows, is_left_out, message, tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(f"{first}\n{rows}")
    pairs, messages = told(path)
    assert pairs == [tuple(row.split("\t")) for row in (first, *rows.splitlines())][is_left_out:]
    assert len(messages) == (message is not None) and (message or "") in "".join(messages)


def test_pairs_to_train_on_have_two_sides():
    with pytest.warns(UserWarning, match="train.de: 2 rows with .* left out: lines 2, 3"):
        kept = without_empty(["a", "", "b", "c"], ["x", "y", "", "z"], "train.de")
    assert kept == (["a", "c"], ["x", "z"])
    with pytest.raises(ValueError, match="none: there are no pairs"):
        without_empty([], [], "none")


def test_tsv_bad_row_names_the_line(write):
    path = write("a.tsv", b"a\tb\n\nonly one\n")
    with pytest.raises(ValueError, match=r"a.tsv', line 3: 2 tab-separated.*this line has 1"):
        read_tsv(path)
    with pytest.raises(ValueError, match="line 1: 6 tab-separated"):
        read_tsv(path, target_column=5)
    with pytest.raises(ValueError, match="`source_column` counts from 0"):
        read_tsv(path, source_column=-1)
