"""Measures speed, in rounds that take every case in turn, so that all see the same machine.

    python tools/benchmark.py --output now.json
    python tools/benchmark.py --data DATA --cases gemm,greedy,beam-5 --rounds 5 --output now.json
    python tools/benchmark.py --data DATA --peers PEERS --peer opennmt-tf --output now.json
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
from benchmarks.cases import CASES
from benchmarks.processes import Worker, WorkerError, run_peer


def measure(cases, rounds, data, peers=None, names=()):
    """All cases, interleaved: `{case: [window, ...]}`, one window for each round.

    A failure ends it, and what was measured before is returned.
    """
    found = {}
    with tempfile.TemporaryDirectory() as workspace:
        if any(CASES[case].needs_corpus for case in cases):
            corpus.prepare(Path(workspace), data)
        workers = {}
        try:
            for case in cases:
                print("preparing", case, file=sys.stderr, flush=True)
                workers[case] = Worker(case, workspace)
            for i in range(rounds):
                for case, worker in workers.items():
                    window = worker.measure()
                    found.setdefault(case, []).append(window)
                    seconds = f"{window['seconds']:.3g} s"
                    print(f"{i + 1}/{rounds} {case}: {seconds}", file=sys.stderr, flush=True)
                for name in names:
                    for title, window in run_peer(peers, name).items():
                        found.setdefault(title, []).append(window)
        except WorkerError as error:
            print(f"benchmark: {error}", file=sys.stderr)
        finally:
            for worker in workers.values():
                worker.stop()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
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
    if arguments.rounds < 1:
        sys.exit(f"benchmark: --rounds must be at least 1. Received: {arguments.rounds}")
    try:
        if arguments.output:
            arguments.output.touch()  # Rather fail now.
        rounds = measure(cases, arguments.rounds, arguments.data, arguments.peers, arguments.peer)
    except OSError as error:
        sys.exit(f"benchmark: {error}")
    results = report.summarize(rounds)
    report.show(results)
    if arguments.output:
        run = {**report.machine(), "corpus": "multi30k" if arguments.data else "made up"}
        text = json.dumps({"run": run, "results": results, "windows": rounds}, indent=1)
        arguments.output.write_text(text + "\n")
    missing = set(cases) - set(rounds)
    if missing or any(len(w) < arguments.rounds for w in rounds.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
