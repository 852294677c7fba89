"""Runs a case in its own process, with its own memory and compiled programs.

    python -m benchmarks.worker CASE '{"workspace": "FOLDER", "batch_size": 64}'

It prepares the case, prints a line, and then measures one window for each line that it reads.
"""

import json
import sys

import keras

from benchmarks.cases import CASES, NewProcess, Setting
from benchmarks.memory import peak_mib


def main():
    name, setting = sys.argv[1], Setting(**json.loads(sys.argv[2]))
    # What libraries print must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr

    def answer(result):
        print(json.dumps(result), file=answers, flush=True)

    case = CASES[name]
    keras.config.set_dtype_policy("float32" if setting.dtype == "int8" else setting.dtype)
    case.prepare(setting)
    answer("ready")
    for _ in sys.stdin:
        window = case.window()
        peak = {} if isinstance(case, NewProcess) else {"peak_mib": peak_mib()}
        answer({**window, **{key: mib for key, mib in peak.items() if mib is not None}})


if __name__ == "__main__":
    main()
