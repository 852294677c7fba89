import random
import re

import pytest

from keras_s2s.preprocessing import split_sentences
from keras_s2s.preprocessing.sentences import join, split_long


@pytest.mark.parametrize(
    "marked",
    [
        "Hallo!| Wie geht es?| Gut.",
        "Am 3. Mai kam Dr. Weiß.| Wir aßen um 3.30 Uhr.| Es war 2021.| Dann kam der Regen.",
        "Das kostet 3 Mio. Euro, d. h. viel, z.B. für J. S. Bach.| Nr. 5 bzw. Abs. 2 gilt.",
        "Mr. and Mrs. Smith came, e.g. from the U.S. or so.| See no. 512.| He said no.| He left.",
        "„Komm!“ rief er.| „Nein.“| Sie kam nicht ... heute.| Oder doch …| Ja?!",
        'He said "Stop."| Then he left. (Why?)| Nobody knows.'.replace(". (", ".| ("),
        "¿Qué tal?| ¡Bien!| Vale.",
        "你好。|我叫小明！|你呢？|很好……|再见。".replace("……|", "……"),
        "「はい。」|そうです。| 終わり",
        "नमस्ते।| आप कैसे हैं?| ठीक।",
        "See www.example.org/a.b or v1.2.| OK",
        "Erste Zeile|\nZweite Zeile\nund weiter.|\n\nEin Absatz.|\r\nEnde",
        "ohne ende",
    ],
)
def test_sentences(marked):
    sentences = split_sentences(marked.replace("|", ""))
    assert [s for s, _ in sentences] == [part.strip() for part in marked.split("|")]
    assert "".join(s + separator for s, separator in sentences) == marked.replace("|", "")


def test_nothing_is_lost():
    rng = random.Random(1)
    for _ in range(300):
        text = "".join(rng.choices('ab Z3.!,;\n\r。、…"„) –', k=rng.randint(0, 60)))
        for most in (2, 3, 9):
            parts = split_long(text, lambda texts: [len(t) + 1 for t in texts], most)
            assert "".join(part + separator for part, separator in parts) == text
            assert all(len(part) + 1 <= most for part, _ in parts if part.strip())
        assert "".join(map("".join, split_sentences(text))) == text


def test_long_sentences_are_split_at_the_coarsest_marks_that_do():
    text = "Kurz. Eins zwei drei, vier fünf, sechs; sieben acht neun zehn elf zwölf. Ende."

    def parts(most):
        return [p for p, _ in split_long(text, lambda ts: [len(t.split()) + 1 for t in ts], most)]

    assert parts(14) == ["Kurz.", text[6:-6], "Ende."]
    assert parts(8) == [
        "Kurz.",
        "Eins zwei drei, vier fünf, sechs;",
        "sieben acht neun zehn elf zwölf.",
        "Ende.",
    ]
    assert parts(5)[3:-1] == ["sieben acht neun zehn", "elf zwölf."]
    # Whole texts that fit stay whole.
    assert parts(100) == [text]


def test_a_long_text_takes_time_in_proportion():
    text = "Das ist ein Satz. " * 5000
    looked_at = []

    def count(texts):
        looked_at.append(sum(map(len, texts)))
        return [len(re.findall(r"\S+", t)) + 1 for t in texts]

    assert len(split_long(text, count, 9)) == 5000
    assert sum(looked_at) < 6 * len(text)


@pytest.mark.parametrize(
    ["texts", "separators", "joined"],
    [
        (["A.", "B.", "C"], [" ", "\n\n", ""], "A. B.\n\nC"),
        (["A.", "", "C"], [" ", "\n", ""], "A. \nC"),
        (["", "B"], [" ", ""], "B"),
        # From a script without blanks, and to one.
        (["Hi.", "Bye."], ["", ""], "Hi. Bye."),
        (["你好。", "再见。"], [" ", ""], "你好。再见。"),
        (["안녕.", "잘 가."], [" ", ""], "안녕. 잘 가."),
        (["你好。", "再见。"], ["\n", ""], "你好。\n再见。"),
    ],
)
def test_join(texts, separators, joined):
    assert join(texts, separators) == joined
