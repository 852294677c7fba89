"""What `generate` does with inputs and prompts that are too long."""

import warnings

import numpy as np

from keras_s2s._checks import check_choice
from keras_s2s.preprocessing import sentences
from keras_s2s.preprocessing.long_texts import CutWarning, pieces, warn_of_slots
from keras_s2s.preprocessing.word_tokenizer import WordTokenizer

CHOICES = "cut", "error", "split"
_SPLIT = '`on_long="split"` goes through them sentence by sentence'
# No request has so many inputs, so the index of a later part is never the index of an input.
_MOST_INPUTS = 2**20


def find(preprocessor, items):
    """Indices of the raw inputs whose ends the preprocessor would cut off, a list."""
    if not items:
        return []
    long = set()
    for column, values in _by_column(preprocessor, items):
        if column.length is not None:
            counts = column.count_text_ids(values)
            long.update(np.flatnonzero(counts > column.text_length).tolist())
    return sorted(long)


def _by_column(preprocessor, items):
    """Tuples of a column and its raw values."""
    if len(preprocessor.columns) == 1:
        return [(preprocessor.raw, items)]
    values = preprocessor.raw.by_column(items)
    return [(column, values[column.raw_name]) for column in preprocessor.columns]


def check_on_long(model, on_long, return_attention):
    """Raises a `ValueError` if `generate` cannot do what `on_long` says."""
    check_choice("on_long", on_long, CHOICES)
    preprocessor = model.preprocessor
    if on_long == "split" and not model.is_sentence_by_sentence:
        raise ValueError(
            f'`on_long="split"` is not for a {type(model).__name__}, which needs the whole text. '
            'Pass `on_long="cut"` or "error", or a shorter text.'
        )
    if on_long == "split" and preprocessor is not None and len(preprocessor.columns) > 1:
        raise ValueError(
            '`on_long="split"` needs a model with one input, since the sentences of two inputs do '
            'not correspond. Pass `on_long="cut"` or "error", or a shorter text.'
        )
    if on_long == "split" and return_attention:
        raise ValueError(
            '`on_long="split"` cannot return attention, which is over one sentence. Pass '
            '`on_long="cut"`, or split the texts with '
            "`keras_s2s.preprocessing.split_sentences`."
        )


def check_prompts(preprocessor, items, prompts, rows, max_length):
    """Raises a `ValueError` if a prompt, of the inputs in `rows`, cannot begin an output."""
    most = min(max_length or preprocessor.target_length, preprocessor.target_length)
    name = "max_length" if most == max_length else "target_length"
    counts = preprocessor.count_target_ids([prompts[row] for row in rows]) if rows else np.zeros(0)
    for index in np.flatnonzero(counts > most)[:1]:
        raise ValueError(
            f"Prompt {rows[index]} has {pieces(counts[index])}, but an output has at most "
            f"{pieces(most)} and its end ({name}={most}). Shorten the prompt, or allow longer "
            "outputs."
        )
    if isinstance(preprocessor.target_tokenizer, WordTokenizer):
        _check_words(preprocessor, items, prompts, rows)


def _check_words(preprocessor, items, prompts, rows):
    """Raises a `ValueError` for words of prompts that have no ids."""
    tokenizer = preprocessor.target_tokenizer
    for row in rows:
        ids = preprocessor.generate_preprocess([items[row]], [prompts[row]])["prompt_token_ids"][0]
        [words] = tokenizer.split([prompts[row]])
        unknown = [w for w, i in zip(words, ids) if i == tokenizer.unknown_token_id]
        if unknown:
            raise ValueError(
                f"Prompt {row} has {unknown[0]!r}, which the vocabulary lacks"
                + (" and the input too" if preprocessor.raw.copy_slots else "")
                + ", so no output can begin with it. Use other words."
            )


def check_prompt_ids(ids, most):
    """Like `check_prompts`, for token ids."""
    counts = np.sum(np.asarray(ids) != 0, axis=1)
    for index in np.flatnonzero(counts >= most)[:1]:
        raise ValueError(
            f"Prompt {index} has {counts[index]} tokens, but an output has at most {most}, its end "
            "included. Shorten the prompt, or allow longer outputs."
        )


class Parts:
    """Splits inputs into the parts to run, and joins the results of parts.

    Args:
        model: A `Seq2Seq` with a preprocessor.
        items: List of raw inputs.
        prompts: List of as many texts, or None.
        rows: Indices of the inputs to run.
        on_long: As in `Seq2Seq.generate`.

    Attributes:
        items: List of raw inputs, none too long if `on_long` is `"split"`.
        prompts: List of as many texts, or None; only the first part of an input has its prompt.
        rows: For each part the index of its input.
        indices: For each part a different integer; for a first part the index of its input.
    """

    def __init__(self, model, items, prompts, rows, on_long):
        preprocessor = model.preprocessor
        long = [rows[i] for i in find(preprocessor, [items[row] for row in rows])]
        if on_long == "error" and long:
            message = _message(preprocessor, long, rows)
            advice = f" {_SPLIT}." if model.is_sentence_by_sentence else ""
            raise ValueError(f'{message}.{advice} `on_long="cut"` cuts them.')
        split = set(long) if on_long == "split" else ()
        self.items, self.rows, self.indices, self._separators = [], [], [], []
        self.prompts = None if prompts is None else []
        for row in rows:
            parts, separators = [items[row]], [""]
            if row in split:
                parts, separators = _split(preprocessor, items[row])
            self.items += parts
            self.rows += [row] * len(parts)
            self.indices += [row + number * _MOST_INPUTS for number in range(len(parts))]
            self._separators.append(separators)
            if prompts is not None:
                self.prompts += [prompts[row], *[""] * (len(parts) - 1)]
        column = preprocessor.raw
        if column.copy_slots and self.items:
            words = column.own_words(column.as_batch(self.items), column.copy_slots + 1)
            warn_of_slots(column, words, self.rows, stacklevel=4)
        if split:
            # Parts are still too long if the length is only a few characters.
            long = [self.rows[i] for i in find(preprocessor, self.items)]
        if long:
            advice = f"; {_SPLIT}" if model.is_sentence_by_sentence and not split else ""
            message = _message(preprocessor, long, self.rows)
            warnings.warn(f"{message}. They are cut there{advice}.", CutWarning, stacklevel=4)

    def join(self, results):
        """The results of the inputs, lists of hypotheses, from the results of `items`."""
        rest = iter(results)
        return [_joined([next(rest) for _ in group], group) for group in self._separators]


def _message(preprocessor, long, rows):
    lengths = [
        pieces(column.text_length)
        + ("" if column is preprocessor.raw else f" of {column.raw_name!r}")
        for column in preprocessor.columns
        if column.length is not None
    ]
    return (
        f"{len(long):,} of {len(rows):,} inputs have more than {' or '.join(lengths)}, the first "
        f"at index {long[0]}"
    )


def _split(preprocessor, item):
    pairs = sentences.split_long(
        item.decode("utf-8", errors="replace"),
        preprocessor.raw.count_text_ids,
        preprocessor.raw.text_length,
    )
    parts, separators = zip(*pairs)
    return [part.encode("utf-8") for part in parts], separators


def _joined(results, separators):
    """Hypotheses of a text, joined from its parts' hypotheses: the best with the best and so on.

    None where a part has none, because it could not be read.
    """
    if None in results:
        return None
    if len(results) == 1:
        return results[0]
    joined = []
    for hypotheses in zip(*results):
        texts, scores, confidences, _ = zip(*hypotheses)
        means = [sum(numbers) / len(numbers) for numbers in (scores, confidences)]
        joined.append((sentences.join(texts, separators), *means, None))
    return joined
