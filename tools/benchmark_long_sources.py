"""What long inputs cost, by attention: seconds and memory from 250 to 2,000 tokens.

    python tools/benchmark_long_sources.py --output RUN

8 inputs, 20 tokens of output, 8,000 pieces, small GRU layers, 5 beams. The attentions take turns,
so that all of them have the same machine. Memory is what a training step of the longest input adds
to a process, at its peak. RUN gets `long_sources.json`.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_s2s
from benchmarks import report
from benchmarks.memory import peak_mib

LENGTHS = (250, 500, 1000, 2000)
BATCH, OUTPUT, VOCABULARY = 8, 20, 8000
EMBEDDING, ENCODER, DECODER = 192, 192, 320
KINDS = {
    "luong": {"attention": "luong"},
    "luong, copying": {"attention": "luong", "copy": True},
    "bahdanau": {"attention": "bahdanau"},
    "coverage": {"attention": "coverage"},
    "coverage, copying": {"attention": "coverage", "copy": True},
    "multi_head": {"attention": "multi_head"},
    "local": {"attention": "local"},
}


def build(attention, copy=False):
    keras.utils.set_random_seed(1)
    encoder = keras_s2s.layers.RNNEncoder(
        ENCODER, vocabulary_size=VOCABULARY, embedding_dim=EMBEDDING
    )
    decoder = keras_s2s.layers.RNNDecoder(
        VOCABULARY,
        DECODER,
        embedding_dim=EMBEDDING,
        attention=attention,
        head=keras_s2s.layers.CopyHead() if copy else None,
    )
    model = keras_s2s.models.Seq2Seq(encoder, decoder)
    model.compile(keras_s2s.optimizers.Adam(1e-3, global_clipnorm=1.0), weighted_metrics=None)
    return model


def runs(model, length):
    """The functions to time."""
    rng = np.random.default_rng(1)
    ids = rng.integers(4, VOCABULARY, (BATCH, length + 2 * OUTPUT)).astype("int32")
    source, targets, labels = np.split(ids, [length, length + OUTPUT], axis=1)
    x = {"encoder_token_ids": source, "decoder_token_ids": targets}
    weights = np.ones(labels.shape, "float32")
    sampler = keras_s2s.decoding.Beam(num_beams=5, min_length=OUTPUT - 1)
    source = {"encoder_token_ids": source}
    return {
        "train": lambda: model.train_on_batch(x, labels, sample_weight=weights),
        "decode": lambda: model.generate(source, max_length=OUTPUT, sampler=sampler),
    }


def measure(repeats):
    """From kinds to lengths to `{"train", "decode"}`: medians of seconds."""
    models = {kind: build(**options) for kind, options in KINDS.items()}
    todo = {(kind, n): runs(model, n) for kind, model in models.items() for n in LENGTHS}
    times = {key: {name: [] for name in functions} for key, functions in todo.items()}
    for i in range(repeats + 1):
        for key, functions in todo.items():
            for name, function in functions.items():
                start = time.perf_counter()
                function()
                times[key][name].append(time.perf_counter() - start)
        print(f"round {i} of {repeats}", file=sys.stderr, flush=True)
    found = {kind: {} for kind in KINDS}
    for (kind, length), values in times.items():
        # Without the first round, in which functions are traced.
        found[kind][length] = {name: median(seconds[1:]) for name, seconds in values.items()}
    return found


def memory(kind):
    """MiB that training steps of the longest input add to a process of their own."""
    command = [sys.executable, __file__, "--memory-of", kind]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(result.stdout.split()[-1])


def show(found, memories):
    table = Table("attention", *(f"{n:,}" for n in LENGTHS), "MiB", box=None)
    for name, title in (("train", "training step"), ("decode", "decoding")):
        table.add_section()
        table.add_row(title)
        for kind, rows in found.items():
            seconds = (f"{rows[n][name]:.2f}" for n in LENGTHS)
            table.add_row(kind, *seconds, f"{memories[kind]:.0f}" if name == "train" else "")
    Console(width=100).print(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, help="folder to write into")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-of", choices=KINDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        model = build(**KINDS[arguments.memory_of])
        runs(model, 1)["train"]()
        before = peak_mib()
        runs(model, LENGTHS[-1])["train"]()
        print(peak_mib() - before)
        return
    if arguments.output is None:
        parser.error("--output is needed")
    arguments.output.mkdir(parents=True, exist_ok=True)
    found = measure(arguments.repeats)
    memories = {kind: memory(kind) for kind in KINDS}
    values = {"run": report.machine(), "seconds": found, "mib": memories}
    text = json.dumps(values, indent=1)
    (arguments.output / "long_sources.json").write_text(text + "\n")
    show(found, memories)


if __name__ == "__main__":
    main()
