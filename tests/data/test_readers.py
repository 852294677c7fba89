import gzip

import pytest

from keras_s2s.data import read_parallel, read_tsv


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
    path = write("a.tsv", b'1\ta  dog\tein Hund\tx\r\n\n2\t\t\n3\t"two" dogs\tzwei Hunde')
    sources, targets = read_tsv(path, source_column=2, target_column=1)
    assert sources == ["ein Hund", "", "zwei Hunde"]
    assert targets == ["a dog", "", '"two" dogs']


def test_tsv_bad_row_names_the_line(write):
    path = write("a.tsv", b"a\tb\n\nonly one\n")
    with pytest.raises(ValueError, match=r"a.tsv', line 3: 2 tab-separated.*this line has 1"):
        read_tsv(path)
    with pytest.raises(ValueError, match="line 1: 6 tab-separated"):
        read_tsv(path, target_column=5)
    with pytest.raises(ValueError, match="`source_column` counts from 0"):
        read_tsv(path, source_column=-1)
