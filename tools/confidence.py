"""How well a translator's confidence tells its bad translations from the others.

    python tools/confidence.py translation_de_en newstest2012.de newstest2012.en
    python tools/confidence.py translation_de_en test.tsv --columns 1,0

A translation is bad whose chrF (sacreBLEU's, of the sentence) is below --bad. The threshold is the
confidence, a mean log-probability, below which half of the bad ones are.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from keras_s2s import data, zoo


def sentence_chrf(outputs, references):
    from sacrebleu import sentence_chrf

    pairs = zip(outputs, references, strict=True)
    return np.array([sentence_chrf(output, [reference]).score for output, reference in pairs])


def threshold(confidences, is_bad):
    """`(threshold, share of the bad below it, of the others, and of the bad among those below)`."""
    confidences, is_bad = np.asarray(confidences), np.asarray(is_bad)
    value = float(np.median(confidences[is_bad]))
    below = confidences <= value
    return value, below[is_bad].mean(), below[~is_bad].mean(), is_bad[below].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", help="name or folder of a translator")
    parser.add_argument("files", nargs="+", help="a table of pairs, or two files")
    parser.add_argument("--columns", default="0,1", help="of input and reference in a table")
    parser.add_argument("--bad", type=float, default=30.0, help="chrF of a bad translation is less")
    arguments = parser.parse_args()
    if len(arguments.files) == 2:
        sources, references = data.read_parallel(*arguments.files)
    else:
        columns = map(int, arguments.columns.split(","))
        sources, references = data.read_pairs(arguments.files[0], *columns)
    outputs, confidences = zoo.load(arguments.preset).generate(sources, return_confidence=True)
    chrf = sentence_chrf(outputs, references)
    is_bad = chrf < arguments.bad
    table = Table(box=None, show_header=False)
    table.add_row("sentences", f"{len(sources):,}")
    table.add_row(f"bad (chrF below {arguments.bad:g})", f"{is_bad.mean():.1%}")
    if np.ptp(chrf) and np.ptp(confidences):
        table.add_row("correlation with chrF", f"{np.corrcoef(confidences, chrf)[0, 1]:.2f}")
    if is_bad.any() and not is_bad.all():
        value, caught, others, precision = threshold(confidences, is_bad)
        table.add_row("threshold", f"{value:.2f}")
        table.add_row("bad ones below it", f"{caught:.1%}")
        table.add_row("others below it", f"{others:.1%}")
        table.add_row("bad among those below it", f"{precision:.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
