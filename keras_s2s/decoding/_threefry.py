"""Random numbers that depend only on a key and a counter: the generator Threefry-2x32.

[Salmon et al., 2011](https://doi.org/10.1145/2063384.2063405), with 20 rounds. The backends'
generators draw a whole tensor from a seed, and its numbers change with its shape.
"""

from keras import ops

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def uniform(key, counter):
    """Random numbers in [0, 1).

    Args:
        key: Pair of int32 tensors.
        counter: Pair of int32 tensors; all four broadcast.

    Returns:
        A float32 tensor, the same numbers on every backend and device.
    """
    bits = _shift_right(threefry(key, counter)[0], 8)
    return ops.cast(bits, "float32") * 2.0**-24


def threefry(key, counter):
    """Encrypts `counter` with `key`: pairs of int32 tensors, taken as unsigned 32-bit numbers.

    Sums may overflow; every backend drops the carry.
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
    # Clear the bits on the left, which are ones after the shift of a negative number.
    return ops.bitwise_and(ops.right_shift(x, bits), 2 ** (32 - bits) - 1)
