"""From raw inputs to generated texts: what `Seq2Seq.generate` does with them."""

import warnings

from keras_s2s.models import _raw
from keras_s2s.models._long_inputs import Parts, check_prompts
from keras_s2s.preprocessing.text import as_list


def generate(model, inputs, max_length, sampler, batch_size, return_attention, on_long, on_error):
    """Generates from raw inputs; the arguments are checked ones of `Seq2Seq.generate`.

    Returns:
        `(hypotheses, single)`: for each input a list of tuples of text, score and `Alignment`,
        best first, or None where the input could not be read; and whether there was just one
        input outside of any list.
    """
    preprocessor = model.preprocessor
    inputs, prompts = _raw.with_prompts(preprocessor, inputs)
    failures = {} if on_error == "none" else None
    items, single = _raw.items(preprocessor, inputs, failures=failures)
    if prompts is not None:
        prompts, _ = as_list(prompts, "prompts", failures)
        *names, outputs = preprocessor.raw_keys
        _raw.check_equal(names[0], items, outputs, prompts)
    rows = [row for row in range(len(items)) if not failures or row not in failures]
    if prompts is not None:
        check_prompts(preprocessor, prompts, rows, max_length)
    parts = Parts(preprocessor, items, prompts, rows, on_long)
    results = _run(model, parts, max_length, sampler, batch_size, return_attention, failures)
    hypotheses = [None] * len(items)
    for row, result in zip(rows, parts.join(results)):
        hypotheses[row] = result
    if failures:
        warnings.warn(
            f"{len(failures)} of {len(items)} inputs could not be read, and gave None "
            f"(`on_error='none'`). The first: {failures[min(failures)]}",
            stacklevel=3,
        )
    return hypotheses, single


def _run(model, parts, max_length, sampler, batch_size, return_attention, failures):
    """The hypotheses of each part; None where it could not be read, which `failures` tells."""
    run = model._functions.generate(model, sampler, return_attention)
    results = [None] * len(parts.items)

    def run_batch(batch):
        items = [parts.items[i] for i in batch]
        prompts = None if parts.prompts is None else [parts.prompts[i] for i in batch]
        indices = [parts.indices[i] for i in batch]
        for i, result in zip(batch, run(items, prompts, max_length, indices)):
            results[i] = result

    for batch in _raw.batches_of_similar_size(parts.items, model.preprocessor.raw.size, batch_size):
        try:
            run_batch(batch)
        except Exception:
            errors = {}
            if failures is not None:
                errors = _raw.unreadable(model.preprocessor, parts.items, batch)
            if not errors:
                raise
            failures |= {parts.rows[i]: error for i, error in errors.items()}
            if rest := [i for i in batch if i not in errors]:
                run_batch(rest)
    return results
