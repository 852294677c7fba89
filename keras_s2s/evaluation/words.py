"""What a word is, for the metrics that count words: it depends on the language."""

import difflib
import functools
import re
import unicodedata
import warnings
from dataclasses import dataclass

from keras_s2s._optional import import_metric
from keras_s2s.evaluation.writing_systems import WITHOUT_BLANKS, main_script

TOKENIZERS = (
    *("13a", "intl", "zh", "ja-mecab", "ko-mecab", "char", "none"),
    *("spm", "flores101", "flores200", "spBLEU-1K"),
)
"""What `tokenize` may be beside `"auto"`: the names of sacreBLEU."""

_OF_SCRIPT = {"chinese": "zh", "japanese": "ja-mecab", "hangul": "ko-mecab"}
_PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}


@dataclass(frozen=True)
class Words:
    """Splits the texts of one language into words.

    Attributes:
        script: As `main_script` gives it.
        requested: The name of a tokenizer, or `"auto"`.
    """

    script: str
    requested: str = "auto"

    @classmethod
    def of(cls, references, tokenize="auto"):
        """The `Words` for the script of the references, each of which is a list of texts."""
        check(tokenize)
        return cls(main_script(text for texts in references for text in texts), tokenize)

    @functools.cached_property
    def tokenizer(self):
        """SacreBLEU's name for the tokenizer."""
        if self.requested != "auto":
            return self.requested
        if self.script not in _OF_SCRIPT:
            return "char" if self.script in WITHOUT_BLANKS else "13a"
        name = _OF_SCRIPT[self.script]
        if name not in _PACKAGES or _make(name) is not None:
            return name
        language = {"japanese": "Japanese", "hangul": "Korean"}[self.script]
        warnings.warn(
            f"{language} is scored by characters (tokenize='char'), since MeCab is not installed: "
            f'`pip install "{_PACKAGES[name]}"` makes it words (tokenize={name!r}). Figures of '
            "both kinds cannot be compared.",
            stacklevel=1,
        )
        return "char"

    @property
    def between_blanks(self):
        """Whether blanks separate the words."""
        return (
            self.script not in WITHOUT_BLANKS
            if self.requested == "auto"
            else self.requested == "13a"
        )

    def split(self, text):
        """The words of a text, as a list."""
        return _make(self.tokenizer)(text).split()

    def of_caption(self, text):
        """The words of a caption in lower case, without punctuation, as a string.

        Nearly what the PTB tokenizer does, which is too slow for each step of a training.
        """
        if not self.between_blanks:
            return " ".join(self.without_punctuation(text))
        return " ".join(re.findall(r"'s\b|\w+(?:-\w+)*", text.lower()))

    def without_punctuation(self, text):
        """The words of a text in lower case, without those that are only punctuation."""
        return [word for word in self.split(text.lower()) if not _is_punctuation(word)]


def check(tokenize):
    """Raises a `ValueError` for an unknown tokenizer, an `ImportError` for one that is missing."""
    if tokenize == "auto":
        return
    if tokenize not in TOKENIZERS:
        near = difflib.get_close_matches(str(tokenize), TOKENIZERS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: auto, {', '.join(TOKENIZERS)}."
        raise ValueError(f"There is no tokenizer {tokenize!r}. {hint}")
    if tokenize != "13a" and _make(tokenize) is None:
        raise ImportError(
            f"The tokenizer {tokenize!r} needs MeCab. Install it with: "
            f'pip install "{_PACKAGES[tokenize]}".'
        )


@functools.cache
def _make(name):
    """The tokenizer of sacreBLEU, or None where the packages it needs are missing."""
    try:
        return import_metric("sacrebleu").BLEU(tokenize=name).tokenizer
    except RuntimeError:
        if name in _PACKAGES:
            return None
        raise


def _is_punctuation(word):
    return all(unicodedata.category(character)[0] in "PS" for character in word)
