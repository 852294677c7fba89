"""A process of its own for a case, so that memory and compiled programs are its own too.

    python -m benchmarks.worker CASE WORKSPACE

It prepares the case, prints a line, and then measures one window for each line that it reads.
"""

import json
import resource
import sys

from benchmarks.cases import CASES


def main():
    name, workspace = sys.argv[1:]
    # What libraries print must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr

    def answer(result):
        print(json.dumps(result), file=answers, flush=True)

    case = CASES[name]
    case.prepare(workspace)
    answer("ready")
    for _ in sys.stdin:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
        answer({**case.window(), "peak_mib": round(peak)})


if __name__ == "__main__":
    main()
