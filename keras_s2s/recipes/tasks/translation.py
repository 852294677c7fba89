"""Text in one language to text in another."""

from dataclasses import dataclass

from keras_s2s import data, models
from keras_s2s.recipes import text_files
from keras_s2s.recipes.tasks.text_to_text import TextToText


@dataclass(kw_only=True)
class Translation(TextToText):
    """A recipe with `task = "translation"`: sentences and their translations."""

    kind = models.Translator
    metrics, watched = ("bleu", "chrf"), ("bleu",)
    unit = "sentences"

    def training_set(self, data_set, inputs, outputs, verbose):
        languages = data_set.languages or self.data.languages
        return self.with_other_numbers(*text_files.single(inputs, outputs), languages, verbose)

    def with_other_numbers(self, sources, targets, languages, verbose=0):
        """The training pairs, and the copies with other numbers that the recipe asks for."""
        copies = self.data.number_copies
        if not copies:
            return sources, targets
        others = data.substitute_numbers(sources, targets, languages, copies, self.seed)
        if verbose:
            print(f"{len(others[0]):,} pairs with other numbers added", flush=True)
        return sources + others[0], targets + others[1]
