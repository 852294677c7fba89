"""Tells whether hypotheses spell the same text, in whatever pieces."""

import numpy as np
from keras import ops

from keras_s2s._backend.gather import take_rows

# The largest primes whose squares fit into int32. A text is a number in each base, modulo a prime.
_PRIMES = (46337, 46327, 46309, 46307)
_BASES = (31547, 20983, 38873, 27611)
_BLANK = ord(" ")


class Spellings:
    """Fingerprints of texts, which a search computes piece by piece to tell texts apart.

    A fingerprint is the number whose digits are the bytes of the text, modulo four primes. The
    chance that two texts of 200 bytes share one is below 1e-9. The blank is the digit 0, because
    tokenizers drop blanks at the start of a text.

    Args:
        texts: List of bytes, what each piece spells within a text; empty for padding, the end and
            all that is not part of a text. Ids beyond the list spell nothing.
        vocabulary_size: Int, at least `len(texts)`, the number of ids.

    Example:
    ```python
    import numpy as np
    from keras_s2s.decoding.spellings import Spellings

    spellings = Spellings([b"", b"", b"", b"", b"a", b"b", b"ab"], vocabulary_size=7)
    start = spellings.start(1)
    apart = spellings.add(spellings.add(start, [4]), [5])
    print(np.all(apart == spellings.add(start, [6])))
    ```
    """

    def __init__(self, texts, vocabulary_size):
        lengths = np.zeros(vocabulary_size, "int32")
        lengths[: len(texts)] = [len(text) for text in texts]
        longest = max(1, lengths.max(initial=0))
        digits = np.frombuffer(b"".join(t.ljust(longest, b" ") for t in texts), "uint8")
        digits = digits.reshape(len(texts), longest).astype("int64") ^ _BLANK
        numbers = np.zeros((vocabulary_size, len(_PRIMES)), "int64")
        powers = np.ones((longest + 1, len(_PRIMES)), "int64")
        for i in range(longest):
            powers[i + 1] = powers[i] * _BASES % _PRIMES
            within = np.flatnonzero(lengths > i)
            numbers[within] = (numbers[within] * _BASES + digits[within, i, None]) % _PRIMES
        self._powers = powers.astype("int32")
        # One table, so that one look-up returns both.
        self._pieces = np.concatenate([lengths[:, None], numbers], axis=1).astype("int32")

    def start(self, *shape):
        """The fingerprints of empty texts, `shape + (4,)`."""
        return ops.zeros((*shape, len(_PRIMES)), dtype="int32")

    def add(self, fingerprints, token_ids):
        """Fingerprints of the texts `(..., 4)` with one more piece each, `token_ids (...)`."""
        pieces = take_rows(ops.convert_to_tensor(self._pieces), token_ids)
        shift = take_rows(ops.convert_to_tensor(self._powers), pieces[..., 0])
        primes = ops.convert_to_tensor(np.array(_PRIMES, "int32"))
        return (fingerprints * shift + pieces[..., 1:]) % primes
