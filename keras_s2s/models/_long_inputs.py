"""What `generate` does with inputs and prompts that are too long."""

import warnings

import numpy as np

from keras_s2s.preprocessing import sentences
from keras_s2s.preprocessing.long_texts import CutWarning, pieces

CHOICES = "cut", "error", "split"


def find(preprocessor, items):
    """Indices of the raw inputs whose ends the preprocessor would cut off, a list."""
    if preprocessor.source_length is None or not items:
        return []
    counts = preprocessor.count_source_ids(items)
    return np.flatnonzero(counts > preprocessor.source_length).tolist()


def check_choice(on_long, return_attention):
    if on_long not in CHOICES:
        raise ValueError(
            f"`on_long` must be one of {', '.join(map(repr, CHOICES))}. Received: {on_long!r}"
        )
    if on_long == "split" and return_attention:
        raise ValueError(
            'Attention is there for one sentence at a time. Pass `on_long="cut"`, or split the '
            "texts with `keras_s2s.preprocessing.split_sentences`."
        )


def check_prompts(preprocessor, prompts, max_length):
    """Refuses prompts that leave no room for an end."""
    most = min(max_length or preprocessor.target_length, preprocessor.target_length)
    counts = preprocessor.count_target_ids(prompts) if prompts else np.zeros(0)
    for index in np.flatnonzero(counts > most)[:1]:
        raise ValueError(
            f"Prompt {index} has {pieces(counts[index])}, but an output has at most {pieces(most)} "
            f"and its end ({'max_length' if most == max_length else 'target_length'}={most}). "
            "Shorten the prompt, or allow longer outputs."
        )


def check_prompt_ids(ids, most):
    """The same for token ids."""
    counts = np.sum(np.asarray(ids) != 0, axis=1)
    for index in np.flatnonzero(counts >= most)[:1]:
        raise ValueError(
            f"Prompt {index} has {counts[index]} tokens, but an output has at most {most}, its end "
            "included. Shorten the prompt, or allow longer outputs."
        )


class Parts:
    """The inputs to run, and how their outputs become those of the inputs that were given.

    Args:
        preprocessor: A `Preprocessor`.
        items: List of raw inputs.
        prompts: List of as many texts, or None.
        on_long: As of `Seq2Seq.generate`.

    Attributes:
        items: List of raw inputs, none too long if `on_long` is `"split"`.
        prompts: As many, or None: that of an input begins its first part.
    """

    def __init__(self, preprocessor, items, prompts, on_long):
        self.items, self.prompts, self._separators = items, prompts, None
        long = find(preprocessor, items)
        if long and on_long == "split":
            self._split(preprocessor, set(long))
            # There is no part short enough where the length is that of a few characters.
            long = find(preprocessor, self.items)
        if not long:
            return
        message = (
            f"{len(long):,} of {len(self.items):,} inputs have more than "
            f"{pieces(preprocessor.source_length)}, the first at index {long[0]}"
        )
        if on_long == "error":
            raise ValueError(
                f'{message}. `on_long="split"` goes through them sentence by sentence, `"cut"` '
                "cuts them."
            )
        advice = '; `on_long="split"` goes through them sentence by sentence' * (on_long == "cut")
        warnings.warn(f"{message}. They are cut there{advice}.", CutWarning, stacklevel=3)

    def _split(self, preprocessor, long):
        items, prompts = self.items, self.prompts
        self.items, self.prompts, self._separators = [], None if prompts is None else [], []
        for i, item in enumerate(items):
            parts, separators = [item], [""]
            if i in long:
                pairs = sentences.split_long(
                    item.decode("utf-8", errors="replace"),
                    preprocessor.count_source_ids,
                    preprocessor.source_length,
                )
                parts, separators = zip(*pairs)
                parts = [part.encode("utf-8") for part in parts]
            self.items += parts
            self._separators.append(separators)
            if prompts is not None:
                self.prompts += [prompts[i], *[""] * (len(parts) - 1)]

    def join(self, results):
        """The results of the given inputs from those of `items`: lists of hypotheses."""
        if self._separators is None:
            return results
        rest = iter(results)
        return [_joined([next(rest) for _ in group], group) for group in self._separators]


def _joined(results, separators):
    """Hypotheses of a text from those of its parts, the best with the best and so on."""
    if len(results) == 1:
        return results[0]
    joined = []
    for hypotheses in zip(*results):
        texts, scores, _ = zip(*hypotheses)
        joined.append((sentences.join(texts, separators), sum(scores) / len(scores), None))
    return joined
