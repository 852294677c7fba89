"""Checks of arguments, each with an error that names the argument and what it takes."""

import numbers


def check_int(name, value, minimum):
    """`value` as a Python int, or a ValueError that names the argument."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"`{name}` must be an int, at least {minimum}. Received: {value!r}")
    return int(value)


def check_sizes(**sizes):
    """Raises a ValueError for the first size that is not an int of at least 1."""
    for name, value in sizes.items():
        check_int(name, value, 1)


def check_image_size(value):
    """`value` as a tuple of height and width, or a ValueError."""
    size = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(size) != 2 or not all(isinstance(s, int) and s > 0 for s in size):
        raise ValueError(
            f"`image_size` must be two positive integers, height and width. Received: {value!r}"
        )
    return size


def check_number(name, value, allowed, description):
    """`value` as a Python float, or a ValueError that names the argument.

    Args:
        name: The argument's name.
        value: What was given.
        allowed: Function from a number to whether it may be given.
        description: What may be given, such as `"a number in (0, 1]"`.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not allowed(value):
        raise ValueError(f"`{name}` must be {description}. Received: {value!r}")
    return float(value)


def check_rate(name, value):
    """`value` as a Python float, or a ValueError if it is not a valid dropout rate."""
    return check_number(name, value, lambda x: 0 <= x < 1, "a number in [0, 1)")


def check_choice(name, value, choices):
    """`value`, or a ValueError that lists the choices."""
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {listed}. Received: {value!r}")
    return value
