"""Random numbers that depend on their place alone: the generator Threefry-2x32.

[Salmon et al., 2011](https://doi.org/10.1145/2063384.2063405), with 20 rounds. Generators of the
backends give a tensor of numbers for a seed, which change with its shape.
"""

from keras import ops

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def uniform(key, counter):
    """Random numbers from 0 to 1, without 1.

    Args:
        key: Pair of int32 tensors.
        counter: Pair of int32 tensors; all four broadcast.

    Returns:
        A float32 tensor, the same numbers on every backend and device.
    """
    bits = _shift_right(threefry(key, counter)[0], 8)
    return ops.cast(bits, "float32") * 2.0**-24


def threefry(key, counter):
    """Encrypts `counter` with `key`: pairs of int32 tensors, for the bits of unsigned numbers.

    Sums overflow, which drops the carry on every backend.
    """
    keys = (*key, ops.bitwise_xor(ops.bitwise_xor(key[0], key[1]), _PARITY))
    first, second = counter[0] + keys[0], counter[1] + keys[1]
    for part in range(5):
        for bits in _ROTATIONS[part % 2]:
            first = first + second
            second = ops.bitwise_xor(_rotate(second, bits), first)
        first = first + keys[(part + 1) % 3]
        second = second + keys[(part + 2) % 3] + (part + 1)
    return first, second


def _rotate(x, bits):
    return ops.bitwise_or(ops.left_shift(x, bits), _shift_right(x, 32 - bits))


def _shift_right(x, bits):
    # The bits that enter on the left are zero, whatever the sign was.
    return ops.bitwise_and(ops.right_shift(x, bits), 2 ** (32 - bits) - 1)
