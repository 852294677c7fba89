"""JAX compiles for a second or more each time, so that there it gets fewer of the cases."""

import keras


def fewer_on_jax(cases, every):
    """The cases; on JAX the first of each `every`."""
    cases = list(cases)
    return cases[::every] if keras.backend.backend() == "jax" else cases


def one_of_two(cases):
    """The cases; on JAX one of each two side by side, the first and the second in turn."""
    cases = list(cases)
    if keras.backend.backend() != "jax":
        return cases
    return [cases[i : i + 2][(i // 2) % 2 - 1] for i in range(0, len(cases), 2)]
