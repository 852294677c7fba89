"""Files of texts and summaries: what is read, and what is said of what is not."""

import gzip
import json

import pytest

from keras_s2s.data import read_jsonl, read_stories


def write(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_keys_and_white_space(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"body": " Ein\n Text ", "title": "Größe", "n": 1}])
    assert read_jsonl(path, "body", "title") == (["Ein Text"], ["Größe"])


def test_several_summaries_gzip_and_empty_lines(tmp_path):
    path = tmp_path / "a"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write('{"text": "a", "summary": ["b", " ", "c"]}\r\n\n{"text": "d", "summary": "e"}')
    assert read_jsonl(path) == (["a", "d"], [["b", "c"], "e"])


def test_rows_with_an_empty_side_are_told(tmp_path):
    rows = [("a", "b"), ("", "b"), ("a", " "), ("a", []), ("c", "d")]
    path = write(tmp_path / "a.jsonl", [{"text": a, "summary": b} for a, b in rows])
    with pytest.warns(UserWarning, match="3 rows with an empty side left out: lines 2, 3, 4"):
        assert read_jsonl(path) == (["a", "c"], ["b", "d"])


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"text": "a"', "line 2: no JSON"),
        ("[1, 2]", "line 2: no JSON object, but list"),
        ('{"text": "a", "title": "b"}', "no key 'summary'. The keys of the object are: 'text', 't"),
        ('{"text": 3, "summary": "b"}', "line 2: 'text' should be text, but is 3"),
        ('{"text": "a", "summary": [3]}', "line 2: 'summary' should be text, but is"),
        ("\xff", "no JSON"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "summary": "b"}\n' + line, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_jsonl(path)


def test_not_utf_8(tmp_path):
    (tmp_path / "a").write_bytes(b'{"text": "\xff", "summary": "b"}')
    with pytest.raises(ValueError, match="line 1: not UTF-8"):
        read_jsonl(tmp_path / "a")


def test_stories(tmp_path):
    story = "A dog\n\nran.\n\n@highlight\n\nDog  runs\n\n@highlight\n\nNobody was hurt!\n"
    (tmp_path / "b.story").write_text(story.replace("A dog", "A @highlights dog"))
    (tmp_path / "a.story").write_text("Text.\r\n\r\n@highlight\r\n\r\nOne\r\n")
    (tmp_path / "c.story").write_text("No highlights.")
    (tmp_path / "notes.txt").write_text("no story")
    with pytest.warns(UserWarning, match="1 of 3 stories .* left out, the first: c.story"):
        texts, summaries = read_stories(tmp_path)
    assert texts == ["Text.", "A @highlights dog ran."]
    assert summaries == ["One.", "Dog runs. Nobody was hurt!"]


def test_no_stories(tmp_path):
    with pytest.raises(ValueError, match="no .story files"):
        read_stories(tmp_path)
