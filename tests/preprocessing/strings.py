"""Strings that tokenizers stumble over."""

import random

BLANKS = ["", " ", "   ", " a", "a ", "a  b", "  a   b  ", "\t", "\n", "\r\n", "a\tb\nc", "\u3000"]
CONTROLS = ["\x00", "a\x00b", "\x00a", "".join(map(chr, range(32))), "\x7f\x80\x85\x9f"]
INVISIBLE = [
    "a\u200bb",  # Zero-width space,
    "\u200cb\u200da",  # non-joiner and joiner,
    "\ufeff",  # byte order mark, at the start and within,
    "\ufeffa\ufeffb",
    "a\u00adb\u2060\u180e\u034f\u115f\u3164",  # and others.
    "\u202eabc\u202c\u2066a\u2069",
]
COMBINING = ["e\u0301", "\u0301", "\u0301a", "a\u0308\u0323", "\u1e9b\u0323", "각한", "ﾊﾞｶﾞﾞ"]
COMPATIBLE = ["ﬁ①Ａ㍿½m²", "ﷺ", "İßẞǄſÅ", "１２３４", "a\u00a0b\u2028c\u2029d"]
OTHERS = [
    "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪",
    "שלום עולם",
    "مرحبا بالعالم",
    "日本語 ☃",
    "\ufffe\uffff\ue000\U0010ffff",
]
LIKE_PIECES = [
    *["▁", "▁▁", "▁a", "a▁", "a▁b", " ▁ ", "▁ ▁", "\ufffd", "a\ufffd\ufffdb", "<0x41>", "<0x00>"],
    *["<s>", "</s>", "<pad>", "<unk>", "<s></s>", "a<s>b </s>", "<2de> a", "<2de>"],
]
SURROGATES = ["\ud800", "a\udc80b", "\ud83d\ude00", "\udfff\ud800"]
INVALID = [
    *[b"\xff", b"a\xffb", b"\xfe\xff", b"\xff\xfea"],
    *[b"\xc3", b"\xc3(", b"\xe4\xbd", b"\xe4\xbda", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98a"],  # Cut,
    *[b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf"],  # overlong,
    *[b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80"],  # beyond Unicode,
    *[b"\x80", b"\xbf\xbf", b"a\x80b"],  # stray,
    *[b"\xed\xa0\x80", b"\xed\xa0", b"\xed\xa0\x80\xed\xb0\x80"],  # and surrogates.
]
LONG = ["a" * 20_000, "ein Hund " * 2_500, " " * 20_000, "\u0301" * 20_000, "日本" * 10_000]
#: Each has several segmentations into the same pieces.
TIES = [
    *[sign * length for sign in "0a.!" for length in (3, 5, 7, 11, 64)],
    *["$1,000", "50.000.000 Euro", "haha ha hahaha", "lol" * 9, "aaa bbb aaabbb " * 40],
]
NASTY = [
    *[*BLANKS, *CONTROLS, *INVISIBLE, *COMBINING, *COMPATIBLE, *OTHERS],
    *[*LIKE_PIECES, *SURROGATES, *INVALID, *LONG, *TIES],
]


def random_strings(count, seed):
    """`str` and `bytes`, most of them neither text nor UTF-8."""
    rng = random.Random(seed)
    words = [" ", "▁", "a", "n", "de", "1", "00", "\t", "\u0301", "é", "\u200b", "\ufffd", "Hund"]
    pieces = [b"a", b" ", b"\xc3", b"\xa9", b"\xe2\x96\x81", b"\xf0\x9f", b"\x98\x80", b"\xed\xa0"]
    kinds = [
        lambda: chr(rng.randrange(0x110000)),
        lambda: chr(rng.randrange(0x3000)),
        lambda: rng.choice(words),
        lambda: bytes([rng.randrange(256)]),
        lambda: rng.choice(pieces),
    ]
    strings = []
    for _ in range(count):
        kind = rng.choice(kinds)
        parts = [kind() for _ in range(rng.randint(1, 16))]
        strings.append(type(parts[0])().join(parts))
    return strings
