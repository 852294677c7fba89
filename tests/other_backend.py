"""The environment of a process that runs tests on another backend."""

import functools
import os
import subprocess
import sys

# Without loops of its own for fused operations XLA compiles in two thirds of the time.
_NO_FUSED_LOOPS = "--xla_cpu_use_fusion_emitters=false"


def environment(backend, fused_loops=True):
    """Environment variables with which Keras uses `backend`, and JAX compiles soon.

    What tests compile runs once or twice. Without `fused_loops` it is compiled sooner still, and
    rounded a little differently.
    """
    # Unknown to the other backends.
    variables = {"KERAS_BACKEND": backend, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    if backend == "jax" and not fused_loops:
        variables["XLA_FLAGS"] = _xla_flags()
    return os.environ | variables


@functools.cache
def _xla_flags():
    flags = f"{os.environ.get('XLA_FLAGS', '')} {_NO_FUSED_LOOPS}".strip()
    # XLA ends a process that gives it a flag it does not know, as another version may not.
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    known = subprocess.run(command, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True)
    return flags if known.returncode == 0 else os.environ.get("XLA_FLAGS", "")
