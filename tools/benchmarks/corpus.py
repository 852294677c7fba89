"""The sentences that everything is measured on, and a tokenizer of 8,000 pieces for both sides."""

import json
from pathlib import Path

import numpy as np

import keras_s2s

VOCABULARY_SIZE = 8000
TEST_SENTENCES = 1000
MULTI30K = {"train": ("train.en.gz", "train.de.gz"), "test": ("test_2016_flickr.en.gz",) * 2}


def prepare(workspace, data=None):
    """Writes sentences and tokenizer into the folder `workspace`.

    Args:
        workspace: Path of a folder.
        data: The folder that holds `multi30k`, or None for made-up sentences of similar lengths.
    """
    if data is None:
        sources, targets, tests = _made_up()
    else:
        folder = Path(data) / "multi30k"
        sources, targets = keras_s2s.data.read_parallel(*(folder / f for f in MULTI30K["train"]))
        tests, _ = keras_s2s.data.read_parallel(*(folder / f for f in MULTI30K["test"]))
        tests = tests[:TEST_SENTENCES]
    train = keras_s2s.preprocessing.SentencePieceTokenizer.train
    (workspace / "spm.model").write_bytes(train(sources + targets, VOCABULARY_SIZE).proto)
    text = json.dumps({"sources": sources, "targets": targets, "tests": tests})
    (workspace / "sentences.json").write_text(text, encoding="utf-8")


def read(workspace):
    """What `prepare` wrote: a preprocessor, and a dict of `"sources"`, `"targets"`, `"tests"`."""
    proto = (Path(workspace) / "spm.model").read_bytes()
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer(proto)
    sentences = json.loads((Path(workspace) / "sentences.json").read_text(encoding="utf-8"))
    return keras_s2s.preprocessing.TextPairPreprocessor(tokenizer), sentences


def _made_up():
    """29,000 pairs and 1,000 sentences with as many words as in Multi30k: about 12."""
    rng = np.random.default_rng(1)
    syllables = [c + v for c in "bdfghklmnprstvwz" for v in "aeiou"]
    words = np.array(["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(12000)])
    frequency = 1 / np.arange(1, len(words) + 1)

    def sentences(lengths):
        lengths = np.clip(lengths, 4, 40).astype(int)
        drawn = words[rng.choice(len(words), lengths.sum(), p=frequency / frequency.sum())]
        return [" ".join(part) + "." for part in np.split(drawn, np.cumsum(lengths)[:-1])]

    lengths = rng.lognormal(2.4, 0.33, 29000)
    # A translation is about as long as its source.
    targets = lengths * rng.lognormal(0, 0.15, len(lengths))
    tests = rng.lognormal(2.4, 0.33, TEST_SENTENCES)
    return tuple(sentences(n) for n in (lengths, targets, tests))
