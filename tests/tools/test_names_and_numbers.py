from pathlib import Path

import pytest

import names_and_numbers
from keras_s2s import zoo

TABLES = sorted((Path(__file__).parents[2] / "tools").glob("names_and_numbers.*.tsv"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_tables(path):
    sentences = names_and_numbers.read(path)
    assert list(sentences) == ["en", "de", "fr", "es"]
    for column in sentences.values():
        assert len(column) == len(set(column)) == 50
        for sentence in column:
            text = names_and_numbers.plain(sentence)
            assert not set(text) & set("[]|")
            # Each has a name and a number, and they are in the sentence itself.
            assert names_and_numbers.missing(sentence, text) == ([], [])
            assert all(names_and_numbers.missing(sentence, ""))


def test_the_halves_have_no_name_in_common():
    names = [
        {name for row in names_and_numbers.read(path)["en"] for name in missing_names(row)}
        for path in TABLES
    ]
    assert len(TABLES) == 2 and not names[0] & names[1]


def missing_names(sentence):
    return names_and_numbers.missing(sentence, "")[0]


@pytest.mark.parametrize(
    "sentence, translation, names, numbers",
    [
        ("[Novak] is [82].", "Novak ist 82.", [], []),
        ("[Novak] is [82].", "Nowak ist 82.", ["Novak"], []),
        ("[Novak] is [82].", "Novak ist 827.", [], ["82"]),
        ("[Novak] is [82].", "Novak ist 3,82.", [], ["82"]),
        ("It costs [12,50] euros.", "€12,50.", [], []),
        ("It is [18:35|6:35].", "6:35 p.m.", [], []),
        ("On the [14] floor.", "The 14th floor.", [], []),
        ("[3|three] cats.", "Three cats.", [], []),
        ("[Anna]s Haus [9].", "Annas Haus 9", [], []),
    ],
)
def test_missing(sentence, translation, names, numbers):
    assert names_and_numbers.missing(sentence, translation) == (names, numbers)


def test_command(monkeypatch, capsys, tmp_path):
    class Parrot:
        def generate(self, inputs):
            return [text.replace("82", "28") for text in inputs]

    path = tmp_path / "rows.tsv"
    path.write_text(
        "en\tde\n[Novak] is [82].\t[Novak] ist [82].\n[Yu] has [9|nine].\t[Yu] hat [9].\n"
    )
    monkeypatch.setattr(zoo, "load", lambda name: Parrot())
    monkeypatch.setattr("sys.argv", ["names_and_numbers.py", str(path), "--preset", "any"])
    names_and_numbers.main()
    out = capsys.readouterr().out
    assert (
        "Novak ist 28." in out and "names right: 2 of 2" in out and "numbers right: 1 of 2" in out
    )
    monkeypatch.setattr("sys.argv", ["", str(path), "--preset", "any", "--to", "fr"])
    with pytest.raises(SystemExit):
        names_and_numbers.main()
    assert "has en, de, not 'fr'" in capsys.readouterr().err
