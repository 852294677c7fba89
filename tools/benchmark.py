"""Measures speed, in rounds that take every case in turn, so that all see the same machine.

    python tools/benchmark.py --output now.json
    python tools/benchmark.py --data DATA --cases gemm,greedy,beam-5 --rounds 5 --output now.json
    python tools/benchmark.py --data DATA --peers PEERS --peer opennmt-tf --output now.json
    python tools/benchmark.py --batch-size 64,512 --dtype float32,mixed_bfloat16
    python tools/benchmark.py --compare before.json now.json

Without --data the sentences are made up, as long as those of Multi30k. The models are what the
peers are measured with: bidirectional GRU of 512, decoder of 512, embeddings of 256, 8,000 pieces.
Figures are medians; the spread is that of the slowest over the fastest window.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import corpus, report
from benchmarks.cases import CASES, Setting
from benchmarks.processes import Worker, WorkerError, run_peer


def measure(cases, rounds, data, settings, peers=None, names=()):
    """All cases, interleaved: `{name: [window, ...]}`, one window for each round.

    `settings` has the arguments of `benchmarks.cases.Setting`, by what they add to the names of
    cases. An interruption or a failure ends it, and what was measured before is returned.
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
        except (WorkerError, KeyboardInterrupt) as error:
            print(f"benchmark: {error!r}", file=sys.stderr)
        finally:
            for worker in workers.values():
                worker.stop()
    return found


def read_settings(batch_sizes, dtypes, **options):
    """Every batch size with every dtype, by what tells them apart: nothing where there is one."""
    pairs = [(int(size), dtype) for dtype in dtypes.split(",") for size in batch_sizes.split(",")]
    settings = [{"batch_size": size, "dtype": dtype, **options} for size, dtype in pairs]
    if len(pairs) == 1:
        return {"": settings[0]}
    return {f", {size}, {dtype}": setting for (size, dtype), setting in zip(pairs, settings)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", default="64", help="one or more, with commas")
    parser.add_argument("--dtype", default="float32", help="dtype policies of the models")
    parser.add_argument("--max-buckets", type=int, help="batch shapes in training")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--peers", type=Path, help="folder of the peers' run.sh")
    parser.add_argument("--peer", action="append", default=[], help="a name that run.sh knows")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    arguments = parser.parse_args()
    if arguments.compare:
        before, after = (json.loads(path.read_text()) for path in arguments.compare)
        for key in ("corpus", "backend"):
            if before["run"][key] != after["run"][key]:
                sys.exit(
                    f"benchmark: these cannot be compared: the {key} of one is "
                    f"{before['run'][key]}, of the other {after['run'][key]}"
                )
        report.compare(before["results"], after["results"])
        return
    cases = [case for case in arguments.cases.split(",") if case]
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        sys.exit(f"benchmark: there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    if arguments.peer and not arguments.peers:
        sys.exit("benchmark: --peer needs --peers, the folder of run.sh")
    try:
        settings = read_settings(
            arguments.batch_size, arguments.dtype, max_buckets=arguments.max_buckets
        )
    except ValueError as error:
        sys.exit(f"benchmark: --batch-size: {error}")
    if arguments.rounds < 1:
        sys.exit(f"benchmark: --rounds must be at least 1. Received: {arguments.rounds}")
    try:
        if arguments.output:
            arguments.output.touch()  # Rather fail now.
        rounds = measure(
            cases, arguments.rounds, arguments.data, settings, arguments.peers, arguments.peer
        )
    except OSError as error:
        sys.exit(f"benchmark: {error}")
    results = report.summarize(rounds)
    report.show(results)
    if arguments.output:
        run = {
            **report.machine(),
            "corpus": "multi30k" if arguments.data else "made up",
            "settings": settings,
        }
        text = json.dumps({"run": run, "results": results, "windows": rounds}, indent=1)
        arguments.output.write_text(text + "\n")
    missing = {case + label for case in cases for label in settings} - set(rounds)
    if missing or any(len(w) < arguments.rounds for w in rounds.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
