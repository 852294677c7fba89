"""Long text to short text."""

from dataclasses import dataclass

from keras_s2s import models
from keras_s2s.recipes.tasks.text_to_text import TextToText


@dataclass(kw_only=True)
class Summarization(TextToText):
    """A recipe with `task = "summarization"`: texts and their summaries."""

    kind = models.Summarizer
    metrics = watched = ("rouge",)
    unit = "texts"
    only = {
        **TextToText.only,
        "data": {**TextToText.only["data"], "number_copies": [0], "name_copies": [0]},
    }
