"""Runs code in processes of its own, of which only the first has to import TensorFlow.

That takes longer than most of what they do. So a process that has imported TensorFlow, and done
nothing else, waits for code and forks another one for each.
"""

import atexit
import contextlib
import functools
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path


def run(code, *arguments, cwd=None, environment=()):
    """As `subprocess.run([sys.executable, "-c", code, *arguments], ...)`, with texts for outputs.

    Args:
        code: Python code, as a string.
        *arguments: Strings, for `sys.argv`.
        cwd: The current folder of the code, if not that of the caller.
        environment: Environment variables besides those of the caller, as a dict.
    """
    environment = {**os.environ, **dict(environment)}
    command = [sys.executable, "-c", code, *arguments]
    if not hasattr(os, "fork"):
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        process = _forking()
        pickle.dump((command[2:], str(cwd or os.getcwd()), environment, folder), process.stdin)
        process.stdin.flush()
        status = pickle.load(process.stdout)
        outputs = [(Path(folder) / name).read_text() for name in ("stdout", "stderr")]
    return subprocess.CompletedProcess(command, status, *outputs)


@functools.cache
def _forking():
    command = [sys.executable, __file__]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    # It ends when its input does.
    atexit.register(process.communicate)
    return process


def _fork_for_each(requests, answers):
    import tensorflow  # noqa: F401

    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        child = os.fork()
        if not child:
            os._exit(_execute(*request))
        _, status = os.waitpid(child, 0)
        pickle.dump(os.waitstatus_to_exitcode(status), answers)
        answers.flush()


def _execute(argv, cwd, environment, folder):
    """Does in this process what `python -c` does in a new one; returns its exit status."""
    for number, name in enumerate(["stdout", "stderr"], start=1):
        os.dup2(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = ["", *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    code, *sys.argv[1:] = argv
    status = 0
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        status = 1
    with contextlib.suppress(ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    return status


if __name__ == "__main__":
    # The code of the requests does not see the folder of this file.
    del sys.path[0]
    # What prints, such as TensorFlow, does not print between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _fork_for_each(sys.stdin.buffer, answers)
