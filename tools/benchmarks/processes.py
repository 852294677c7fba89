"""Runs workers and the programs of peers as processes."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

TOOLS = Path(__file__).parent.parent


class WorkerError(RuntimeError):
    """A case failed; the message ends with the last output of its process."""


class Worker:
    """A running case. Several prepare at once; wait for `ready()` before measuring.

    Args:
        case: A key of `benchmarks.cases.CASES`.
        setting: A `benchmarks.cases.Setting`, whose workspace `benchmarks.corpus.prepare` wrote.
    """

    def __init__(self, case, setting):
        self.case = case
        path = [str(TOOLS), str(TOOLS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", case, json.dumps(asdict(setting))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def ready(self):
        """Waits until the case is prepared."""
        self._read()

    def measure(self):
        """Measures one window, a dict."""
        # If the process has died, `_read` says why.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            message = self._errors.read()[-2000:]
            self.stop()
            raise WorkerError(f"{self.case} failed:\n{message}")
        return json.loads(line)

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


_RESULT = re.compile(r"^RESULT (.*?): (?:train )?median ([\d.]+) (s|tgt tok/s)", re.MULTILINE)
_MEMORY = re.compile(r"^RESULT ([^:\n]*).*? rss (\d+) MiB", re.MULTILINE)
_START = re.compile(r"^LOAD (.*?): ([\d.]+) s", re.MULTILINE)
_LATENCY = re.compile(r"^RESULT (.*?): batch-1 latency median ([\d.]+) ms", re.MULTILINE)


def run_peer(folder, name):
    """Runs a peer's script, which prints lines that begin with RESULT.

    Args:
        folder: The folder of the peers' `run.sh`.
        name: The name of the peer in `run.sh`.

    Returns:
        Dict from the peer's name of a measurement to a dict of `"seconds"`, of
        `"tokens_per_second"` or of `"peak_mib"`.
    """
    done = subprocess.run(
        ["bash", str(Path(folder) / "run.sh"), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = {}
    for title, value, unit in _RESULT.findall(done.stdout):
        key = "seconds" if unit == "s" else "tokens_per_second"
        found[title] = {key: float(value)}
    for title, value in _LATENCY.findall(done.stdout):
        found[f"{title} latency"] = {"seconds": float(value) / 1000}
    for title, mib in _MEMORY.findall(done.stdout):
        found[f"{title} memory"] = {"peak_mib": int(mib)}
    for title, seconds in _START.findall(done.stdout):
        found[f"{title} start"] = {"seconds": float(seconds)}
    if done.returncode or not found:
        raise WorkerError(f"The peer {name!r} failed or gave no result:\n{done.stdout[-2000:]}")
    return found
