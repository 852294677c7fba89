"""How time grows with the source, the beam, the vocabulary and the batch: a table and a plot.

    python tools/benchmark_growth.py --output RUN
    python tools/benchmark_growth.py --output RUN --axes source,beam

Along each axis all else stays: 16 sentences (64 for the vocabulary) of 16 tokens, 16 tokens
of output, 8,000 pieces, 5 beams. The slope is taken on a log-log scale over the last two intervals:
1 where the time doubles with the size, 0 where it stays. RUN gets `growth.json` and `growth.png`.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from statistics import median

import keras
import numpy as np

import keras_s2s
from benchmarks import report

LENGTH = 16
AXES = {
    "source": (16, 32, 64, 125, 250, 500, 1000),
    "beam": (1, 2, 4, 8, 16),
    "vocabulary": (4000, 8000, 16000, 32000, 64000),
    "batch": (1, 4, 16, 64, 128, 256, 512),
}


def build(vocabulary):
    keras.utils.set_random_seed(1)
    encoder = keras_s2s.layers.RNNEncoder(512, vocabulary_size=vocabulary, embedding_dim=256)
    decoder = keras_s2s.layers.RNNDecoder(vocabulary, 512, embedding_dim=256)
    model = keras_s2s.models.Seq2Seq(encoder, decoder)
    model.compile(keras_s2s.optimizers.Adam(1e-3, global_clipnorm=5.0), weighted_metrics=None)
    return model


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def runs(model, axis, vocabulary, batch, source, beam):
    """The functions to time: a training step, unless only the beam differs, and decoding."""
    rng = np.random.default_rng(1)

    def ids(length):
        return rng.integers(4, vocabulary, (batch, length)).astype("int32")

    x = {"encoder_token_ids": ids(source), "decoder_token_ids": ids(LENGTH)}
    labels, weights = ids(LENGTH), np.ones((batch, LENGTH), "float32")
    sampler = keras_s2s.decoding.Beam(num_beams=beam, min_length=LENGTH - 1)
    sources = {"encoder_token_ids": x["encoder_token_ids"]}
    found = {"decode": lambda: model.generate(sources, max_length=LENGTH, sampler=sampler)}
    if axis != "beam":
        found["train"] = lambda: model.train_on_batch(x, labels, sample_weight=weights)
    return found


def along(axis, repeats):
    """Rows of one axis: `{"size", "decode", "train"}`, medians of rounds over all sizes."""
    todo, model = {}, None
    for size in AXES[axis]:
        setting = {"vocabulary": 8000, "batch": 16, "source": LENGTH, "beam": 5, axis: size}
        if axis == "vocabulary":
            setting["batch"] = 64
        if model is None or axis == "vocabulary":
            model = build(setting["vocabulary"])
        todo[size] = runs(model, axis, **setting)
    times = {size: {key: [] for key in found} for size, found in todo.items()}
    for i in range(repeats + 1):
        for size, found in todo.items():
            for key, function in found.items():
                times[size][key].append(seconds(function))
        print(f"{axis}: round {i} of {repeats}", file=sys.stderr, flush=True)
    # Without the first round, in which functions are traced.
    return [
        {"size": size, **{key: median(values[1:]) for key, values in found.items()}}
        for size, found in times.items()
    ]


def slope(rows, key):
    """The slope of log(seconds) over log(size), from the third last row to the last."""
    (a, x), (b, y) = ((math.log(r["size"]), math.log(r[key])) for r in (rows[-3], rows[-1]))
    return (y - x) / (b - a)


def draw(found, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, panels = pyplot.subplots(1, len(found), figsize=(4 * len(found), 3.6), squeeze=False)
    for panel, (axis, rows) in zip(panels[0], found.items()):
        for key in ("train", "decode"):
            if key in rows[0]:
                sizes, times = zip(*((r["size"], r[key]) for r in rows))
                label = f"{'training step' if key == 'train' else 'decoding'}, slope "
                panel.loglog(sizes, times, "o-", label=label + f"{slope(rows, key):.2f}")
        # Ticks are at the sizes; of many sizes, at every other one.
        shown = sizes[:: 1 + len(sizes) // 6]
        panel.set_xticks(shown, [f"{size:,}" for size in shown])
        panel.xaxis.set_minor_locator(ticker.NullLocator())
        panel.yaxis.set_minor_formatter(ticker.NullFormatter())
        panel.set_xlabel({"source": "source length"}.get(axis, axis))
        panel.set_ylabel("seconds")
        panel.legend()
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    parser.add_argument("--axes", default=",".join(AXES), help=f"of {', '.join(AXES)}")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    axes = [axis for axis in arguments.axes.split(",") if axis]
    unknown = sorted(set(axes) - set(AXES))
    if unknown:
        sys.exit(f"benchmark_growth: there is no axis {unknown[0]!r}; there are {', '.join(AXES)}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    found = {axis: along(axis, arguments.repeats) for axis in axes}
    text = json.dumps({"run": report.machine(), "growth": found}, indent=1)
    (arguments.output / "growth.json").write_text(text + "\n")
    report.show_growth(found, slope)
    draw(found, arguments.output / "growth.png")


if __name__ == "__main__":
    main()
