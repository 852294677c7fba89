"""JAX compiles for a second or more each time, so that there it gets fewer of the cases.

With ALL_CASES=1 in the environment it gets all.
"""

import os

import keras

FEWER = keras.backend.backend() == "jax" and not os.environ.get("ALL_CASES")


def fewer_on_jax(cases, every, first=0):
    """The cases; on JAX that at the place `first`, and from there on one of each `every`."""
    cases = list(cases)
    return cases[first::every] if FEWER else cases
