"""Runs a case in its own process, with its own memory and compiled programs.

    python -m benchmarks.worker CASE '{"workspace": "FOLDER", "batch_size": 64}'

It prepares the case, prints a line, and then measures one window for each line that it reads.
"""

import json
import re
import sys
from pathlib import Path

import keras

from benchmarks.cases import CASES, NewProcess, Setting


def main():
    name, setting = sys.argv[1], Setting(**json.loads(sys.argv[2]))
    # What libraries print must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr

    def answer(result):
        print(json.dumps(result), file=answers, flush=True)

    case = CASES[name]
    keras.config.set_dtype_policy(setting.dtype)
    case.prepare(setting)
    answer("ready")
    for _ in sys.stdin:
        window = case.window()
        answer(window if isinstance(case, NewProcess) else {**window, **_memory()})


def _memory():
    """The peak memory of this process; `getrusage` would begin with its parent's peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    return {"peak_mib": round(int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]) / 1024)}


if __name__ == "__main__":
    main()
