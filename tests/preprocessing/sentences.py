import random

WORDS = (
    "ein Hund läuft über die Wiese und zwei Männer sehen ihm zu während Kinder am Fluß spielen "
    "der alte Baum steht schön im Wind café naïve 12 34 ."
).split()


def make_sentences(count, seed=0):
    """The same words in every call: some real ones, and many of random syllables."""
    rng = random.Random(7)
    syllables = [a + b + c for a in "bdfglmnrst" for b in "aeiou" for c in ("", "n", "r")]
    words = WORDS + ["".join(rng.choices(syllables, k=rng.randint(1, 3))) for _ in range(150)]
    rng = random.Random(seed)
    return [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(count)]
