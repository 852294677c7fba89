"""The environment of a process that runs tests on another backend."""

import functools
import importlib.util
import os
import subprocess
import sys

import pytest

# Without threads of its own, of which it waits for each, XLA compiles in seven eighths of the time,
# and without loops of its own for fused operations in two thirds.
_SOON_COMPILED = "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false"


def skip_unless_installed(backend):
    """Skips a test, and says what is missing."""
    if importlib.util.find_spec(backend) is None:
        name = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}[backend]
        pytest.skip(f"{name} is not installed; `pip install {backend}` lets this test run")


def environment(backend):
    """Environment variables with which Keras uses `backend`, and JAX compiles soon.

    What tests compile runs once or twice.
    """
    # Unknown to the other backends.
    variables = {"KERAS_BACKEND": backend, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    if backend == "jax":
        variables["XLA_FLAGS"] = _known(_SOON_COMPILED)
    return os.environ | variables


@functools.cache
def _known(flags):
    """What XLA is told already, and the flags if it knows them."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    # XLA ends a process that gives it a flag it does not know, as another version may not.
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    known = subprocess.run(command, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True)
    return flags if known.returncode == 0 else os.environ.get("XLA_FLAGS", "")
