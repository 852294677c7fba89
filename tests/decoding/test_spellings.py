import itertools

import numpy as np
from keras import ops

from keras_s2s.decoding import Spellings

TEXTS = [b"", b"", b"", b"", b" ", b"a", b" a", b"b", b"ab", "ä".encode(), b"\xc3", b"\xa4"]


def fingerprints(rows, more=0):
    spellings = Spellings(TEXTS, len(TEXTS) + more)
    found = spellings.start(len(rows))
    for column in np.array(rows, "int32").T:
        found = spellings.add(found, ops.convert_to_tensor(column))
    return [tuple(row) for row in ops.convert_to_numpy(found).tolist()]


def test_equal_texts_alone_have_equal_fingerprints():
    rows = list(itertools.product(range(len(TEXTS)), repeat=3))
    texts = [b"".join(TEXTS[i] for i in row).lstrip(b" ") for row in rows]
    found = fingerprints(rows)
    assert len(set(zip(texts, found))) == len(set(texts)) == len(set(found))


def test_long_texts_differ_by_one_piece():
    rng = np.random.default_rng(1)
    row = rng.integers(4, len(TEXTS), 100)
    rows = np.tile(row, (100, 1))
    rows[np.arange(100), np.arange(100)] = np.where(row == 5, 7, 5)
    texts = {b"".join(TEXTS[i] for i in r).lstrip(b" ") for r in [row, *rows]}
    assert len(set(fingerprints([row, *rows]))) == len(texts) > 90


def test_ids_beyond_the_texts_spell_nothing():
    assert fingerprints([[5, 12, 7], [8, 13, 0]], more=2) == fingerprints([[8]]) * 2
