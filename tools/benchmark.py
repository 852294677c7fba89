"""Measures speed, in rounds that take every case in turn, so that all see the same machine.

    python tools/benchmark.py --output now.json
    python tools/benchmark.py --data DATA --cases gemm,greedy,beam-5 --rounds 5 --output now.json
    python tools/benchmark.py --data DATA --peers PEERS --peer opennmt-tf --output now.json
    python tools/benchmark.py --batch-size 64,512 --dtype float32,mixed_bfloat16
    python tools/benchmark.py --compare before.json now.json

Without --data the sentences are made up, of the lengths of Multi30k's. The models have the sizes
that peers are measured with: bidirectional GRU of 512, decoder of 512, embeddings of 256, 8,000
pieces; but a readout of 256 before the vocabulary, where peers have 512.
Figures are medians; the spread is how much longer the slowest window took than the fastest.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import keras

from benchmarks import corpus, report
from benchmarks.cases import CASES, Decode, Setting
from benchmarks.processes import Worker, WorkerError, run_peer


def measure(cases, rounds, data, settings, peers=None, names=()):
    """Measures all cases, interleaved: `{name: [window, ...]}`, one window for each round.

    `settings` is a dict from suffixes for the names of cases to arguments of
    `benchmarks.cases.Setting`. An interruption or a failure ends it; the windows measured by then
    are returned.
    """
    found = {}
    with tempfile.TemporaryDirectory() as workspace:
        if any(CASES[case].needs_corpus for case in cases):
            corpus.prepare(Path(workspace), data)
        workers = {}
        try:
            for label, options in settings.items():
                for case in cases:
                    workers[case + label] = Worker(case, Setting(workspace, **options))
            for name, worker in workers.items():
                worker.ready()
                print("prepared", name, file=sys.stderr, flush=True)
            for i in range(rounds):
                for name, worker in workers.items():
                    window = worker.measure()
                    found.setdefault(name, []).append(window)
                    seconds = f"{window['seconds']:.3g} s"
                    print(f"{i + 1}/{rounds} {name}: {seconds}", file=sys.stderr, flush=True)
                for name in names:
                    for title, window in run_peer(peers, name).items():
                        found.setdefault(title, []).append(window)
        except KeyboardInterrupt:
            print("benchmark: interrupted", file=sys.stderr)
        except WorkerError as error:
            print(f"benchmark: {error}", file=sys.stderr)
        finally:
            for worker in workers.values():
                worker.stop()
    return found


def read_settings(batch_sizes, dtypes, max_buckets=None):
    """Every batch size with every dtype, by a suffix for the names of cases; "" if it is only one.

    Raises:
        ValueError: If a number is below 1 or a dtype is unknown.
    """
    sizes, dtypes = [int(size) for size in batch_sizes.split(",")], dtypes.split(",")
    if min(sizes) < 1 or (max_buckets is not None and max_buckets < 1):
        raise ValueError("--batch-size and --max-buckets must be at least 1")
    for dtype in dtypes:
        if dtype != "int8":
            keras.dtype_policies.get(dtype)
    settings = {
        f", {size}, {dtype}": {"batch_size": size, "dtype": dtype, "max_buckets": max_buckets}
        for dtype in dtypes
        for size in sizes
    }
    return {"": next(iter(settings.values()))} if len(settings) == 1 else settings


def compare(files):
    """Prints the ratios of two outputs. Raises a ValueError if they cannot be compared."""
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in files)
    for key in ("corpus", "backend", "gpus", "settings"):
        old, new = (found["run"][key] for found in (before, after))
        if old != new:
            raise ValueError(f"these cannot be compared: the {key} of one is {old}, else {new}")
    if not report.compare(before["results"], after["results"]):
        raise ValueError("these have no case in common")


def check(arguments):
    """The cases and settings that the arguments ask for. Raises a ValueError if they are wrong."""
    cases = list(dict.fromkeys(case for case in arguments.cases.split(",") if case))
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        raise ValueError(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    if arguments.rounds < 1:
        raise ValueError(f"--rounds must be at least 1. Received: {arguments.rounds}")
    if arguments.peer and not (arguments.peers and (arguments.peers / "run.sh").is_file()):
        raise ValueError("--peer needs --peers, the folder of a run.sh")
    settings = read_settings(arguments.batch_size, arguments.dtype, arguments.max_buckets)
    decoding = [case for case in CASES if isinstance(CASES[case], Decode)]
    if any(s["dtype"] == "int8" for s in settings.values()) and not set(cases) <= set(decoding):
        raise ValueError(f"int8 is for decoding: --cases {','.join(decoding)}")
    return cases, settings


def main():
    # The processes of all cases share a GPU: none may reserve its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", default="64", help="one or more, with commas")
    parser.add_argument("--dtype", default="float32", help="dtype policies of the models, or int8")
    parser.add_argument(
        "--max-buckets", type=int, help="most batch shapes; by default as ExamplesPerBatch has it"
    )
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--peers", type=Path, help="folder of the peers' run.sh")
    parser.add_argument("--peer", action="append", default=[], help="a name that run.sh knows")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    arguments = parser.parse_args()
    try:
        if arguments.compare:
            compare(arguments.compare)
            return
        cases, settings = check(arguments)
        run = {
            **report.machine(),
            "corpus": "multi30k" if arguments.data else "made up",
            "settings": settings,
        }
        if arguments.output:
            arguments.output.touch()  # If it cannot be written, fail before measuring.
        rounds = measure(
            cases, arguments.rounds, arguments.data, settings, arguments.peers, arguments.peer
        )
    except KeyError as error:
        sys.exit(f"benchmark: this is no output of a benchmark: it lacks {error}")
    except (OSError, ValueError) as error:
        sys.exit(f"benchmark: {error}")
    results = report.summarize(rounds)
    report.show(results)
    if arguments.output:
        text = json.dumps({"run": run, "results": results, "windows": rounds}, indent=1)
        arguments.output.write_text(text + "\n", encoding="utf-8")
    missing = {case + label for case in cases for label in settings} - set(rounds)
    if missing or any(len(w) < arguments.rounds for w in rounds.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
