"""In how many pictures a captioner names the thing that all references name.

    python tools/things_named.py tools/things.txt coco4k/test.images.tar \
        coco4k/test.captions.jsonl.gz --preset NAME

A line of the list has the words for one thing, such as `cat cats kitten`. A picture counts for
each thing of which every reference has a word; the caption names it with any of these words.
"""

import argparse
import re
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_s2s import data, zoo

_SHOWN = 20


def read_things(path):
    """A dict from the first word of each line to the set of its words."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    lines = [line.split() for line in lines if line and not line.startswith("#")]
    return {words[0]: set(words) for words in lines}


def words_of(text):
    return set(re.findall(r"[a-z]+", text.lower()))


def count(things, captions, references):
    """Counters of the things that all references of a picture name, and of those named again."""
    asked, named = Counter(), Counter()
    for caption, several in zip(captions, references):
        for thing, words in things.items():
            if all(words & words_of(reference) for reference in several):
                asked[thing] += 1
                named[thing] += bool(words & words_of(caption))
    return asked, named


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("things", help="list of things")
    parser.add_argument("images", help="tar archive of the pictures")
    parser.add_argument("captions", help="their captions, as `keras_s2s.data.read_caption_tar`")
    parser.add_argument("--preset", action="append", required=True, help="name or folder")
    arguments = parser.parse_args()
    things = read_things(arguments.things)
    images, references = data.read_caption_tar(arguments.images, arguments.captions)
    for name in arguments.preset:
        asked, named = count(things, zoo.load(name).generate(images), references)
        table = Table("thing", "pictures", "named", title=name, box=None)
        table.add_row("all", f"{asked.total()}", f"{named.total() / max(asked.total(), 1):.1%}")
        for thing, pictures in asked.most_common(_SHOWN):
            table.add_row(thing, f"{pictures}", f"{named[thing]}")
        Console().print(table)


if __name__ == "__main__":
    main()
