"""Word and character error rates by jiwer, over all examples together."""

from importlib.metadata import version

import numpy as np

from keras_s2s._optional import import_metric

NAMES = ("wer", "cer")


def require():
    """The library, or an `ImportError` that says what to install."""
    return import_metric("jiwer")


def compute(names, hypotheses, references, bootstrap, words):
    """Yields `(key, fields of a Score)`."""
    jiwer = require()
    for i, texts in enumerate(references):
        if len(texts) > 1:
            raise ValueError(
                f"Error rates need one reference for each text. `references[{i}]` has {len(texts)}."
            )
    truths = [texts[0] for texts in references]
    for name in names:
        if not any(truth.strip() for truth in truths):
            raise ValueError("Error rates need a reference that is not empty.")
        note, texts = "", (truths, hypotheses)
        if name == "wer" and not words.between_blanks:
            note = f"|tok:{words.tokenizer}"
            texts = ([" ".join(words.split(text)) for text in some] for some in texts)
        errors, lengths = _counts(jiwer, name, *texts)
        yield (
            name,
            {
                "name": name.upper(),
                "value": 100 * errors.sum() / lengths.sum(),
                "signature": f"jiwer:{version('jiwer')}|{name}{note}",
                "spread": _spread(errors, lengths, bootstrap) if bootstrap else None,
            },
        )


def _counts(jiwer, name, truths, hypotheses):
    """Two arrays: the number of errors in each example, and the length of its reference."""
    process = {"wer": jiwer.process_words, "cer": jiwer.process_characters}[name]
    counts = []
    for truth, text in zip(truths, hypotheses):
        if truth.strip():
            counted = process(truth, text)
            wrong = counted.substitutions + counted.deletions + counted.insertions
            counts.append((wrong, counted.hits + counted.substitutions + counted.deletions))
        else:
            # jiwer rejects an empty reference. Every word or character of the text is an error.
            counts.append((len(text.split()) if name == "wer" else len(text.strip()), 0))
    return np.array(counts, "float64").T


def _spread(errors, lengths, bootstrap):
    rows = np.random.default_rng(12345).integers(0, len(errors), (bootstrap, len(errors)))
    drawn = 100 * errors[rows].sum(1) / np.maximum(lengths[rows].sum(1), 1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return (high - low) / 2
