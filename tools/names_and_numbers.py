"""In how many sentences a translator keeps all names, and all numbers.

    python tools/names_and_numbers.py tools/names_and_numbers.dev.tsv --preset translation \
        --from de --to en

The table has a column for each language, and brackets around names and numbers: `[Novak] weighs
[82] kilos.` A translation is right if it has what stands in the brackets of its language; where
there are several spellings, `[6|six]`, the first is that of the sentence, and any will do. Choices
are made with `names_and_numbers.dev.tsv`; `names_and_numbers.test.tsv` is for figures.
"""

import argparse
import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_s2s import zoo

_BRACKET = re.compile(r"\[([^\]]+)\]")


def read(path):
    """A dict from languages to their sentences, with brackets."""
    lines = Path(path).read_text(encoding="utf-8").split("\n")[:-1]
    header, *rows = [line.split("\t") for line in lines]
    return {language: list(column) for language, column in zip(header, zip(*rows, strict=True))}


def plain(sentence):
    """The sentence without brackets and other spellings."""
    return _BRACKET.sub(lambda match: match[1].split("|")[0], sentence)


def missing(sentence, translation):
    """The names and the numbers in brackets that a translation lacks."""
    names, numbers = [], []
    for spellings in _BRACKET.findall(sentence):
        several = spellings.split("|")
        kind = numbers if re.search(r"\d", several[0]) else names
        if not any(_contains(translation, spelling) for spelling in several):
            kind.append(several[0])
    return names, numbers


def _contains(text, spelling):
    # Not a part of a longer number, but also "14th", "€5" and "3mal".
    before, after = (r"(?<!\d)(?<!\d[.,:])", r"(?!\d|[.,:]\d)")
    if not re.search(r"\d", spelling):
        before, after = r"(?<!\w)", ""
    pattern = f"{before}{re.escape(spelling)}{after}"
    return re.search(pattern, text, re.IGNORECASE * spelling.islower()) is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", help="table of sentences")
    parser.add_argument("--preset", required=True, help="name or folder of a preset")
    parser.add_argument("--from", dest="source", default="de", help="language of the inputs")
    parser.add_argument("--to", dest="target", default="en", help="language of the outputs")
    arguments = parser.parse_args()
    sentences = read(arguments.file)
    for language in (arguments.source, arguments.target):
        if language not in sentences:
            parser.error(f"{arguments.file} has {', '.join(sentences)}, not {language!r}.")
    model = zoo.load(arguments.preset)
    outputs = model.generate([plain(sentence) for sentence in sentences[arguments.source]])
    lacking = [missing(*pair) for pair in zip(sentences[arguments.target], outputs)]
    table = Table("lacks", "output", box=None)
    for (names, numbers), output in zip(lacking, outputs):
        if names or numbers:
            table.add_row(", ".join(names + numbers), output)
    Console(width=110).print(table)
    for kind, rows in zip(("names", "numbers"), zip(*lacking)):
        print(f"all {kind} right: {rows.count([])} of {len(outputs)} sentences")


if __name__ == "__main__":
    main()
