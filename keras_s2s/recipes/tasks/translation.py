"""Text in one language to text in another."""

from dataclasses import dataclass

from keras_s2s import data, models
from keras_s2s.recipes.tasks.text_to_text import TextToText


@dataclass(kw_only=True)
class Translation(TextToText):
    """A recipe with `task = "translation"`: sentences and their translations."""

    kind = models.Translator
    metrics, watched = ("bleu", "chrf"), ("bleu",)
    unit = "sentences"

    def splits(self, folder, verbose, cache=None):
        splits = super().splits(folder, verbose, cache)
        splits["train"] = self.with_other_numbers(*splits["train"], verbose)
        return splits

    def with_other_numbers(self, sources, targets, verbose=0):
        """The training pairs, and the copies with other numbers that the recipe asks for."""
        languages, copies = self.data.languages, self.data.number_copies
        if not copies:
            return sources, targets
        others = data.substitute_numbers(sources, targets, languages, copies, self.seed)
        if verbose:
            print(f"{len(others[0]):,} pairs with other numbers added", flush=True)
        return sources + others[0], targets + others[1]
