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
        pairs = sources, targets = text_files.single(inputs, outputs)
        settings, others = self.data, {}
        if settings.number_copies:
            languages = data_set.languages or settings.languages
            others["numbers"] = data.substitute_numbers(
                *pairs, languages, settings.number_copies, self.seed
            )
        if settings.name_copies:
            others["names"] = data.substitute_names(*pairs, settings.name_copies, self.seed)
        for kind, (new_sources, new_targets) in others.items():
            if verbose:
                print(f"{len(new_sources):,} pairs with other {kind} added", flush=True)
            sources, targets = sources + new_sources, targets + new_targets
        return sources, targets
