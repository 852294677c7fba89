"""What JAX compiles for each test although no test is about it."""

import functools

import jax
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lax import lax
from keras.src.backend.jax import random


def apply():
    # JAX makes an MLIR context for each operation that it compiles, which takes longer than
    # compiling most of them. One serves all.
    mlir.make_ir_context = functools.cache(mlir.make_ir_context)
    # It compiles how arrays of NumPy become its own, for each shape.
    lax.stage_p.def_impl(functools.partial(_stage, lax.stage_p.impl))
    # And how initial weights are drawn.
    random.uniform = _drawing(_uniform, random.uniform)
    random.normal = _drawing(_normal, random.normal)


def _stage(of_jax, value):
    return jax.device_put(value.copy()) if isinstance(value, np.ndarray) else of_jax(value)


def _drawing(draw, of_jax):
    def drawn(shape, *limits, dtype=None, seed=None, **named_limits):
        if not jax._src.core.trace_state_clean():
            return of_jax(shape, *limits, dtype=dtype, seed=seed, **named_limits)
        rng = np.random.default_rng(np.asarray(random.jax_draw_seed(seed)))
        values = draw(rng, shape, *limits, **named_limits)
        return jax.device_put(values.astype(dtype or random.floatx()))

    return drawn


def _uniform(rng, shape, minval=0.0, maxval=1.0):
    return rng.uniform(minval, maxval, shape)


def _normal(rng, shape, mean=0.0, stddev=1.0):
    return rng.normal(mean, stddev, shape)
