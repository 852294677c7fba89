"""Long text to short text."""

from dataclasses import dataclass

from keras_s2s import data, models
from keras_s2s.recipes.tasks.text_to_text import TextToText
from keras_s2s.recipes.typed_config import RecipeError


@dataclass(kw_only=True)
class Summarization(TextToText):
    """A recipe with `task = "summarization"`: texts and their summaries.

    A file of JSON objects, one in each line (`columns` are their keys), a folder of `.story` files,
    a table of pairs, or two files whose lines correspond.
    """

    kind = models.Summarizer
    metrics = watched = ("rouge",)
    unit = "texts"
    only = {**TextToText.only, "data": {**TextToText.only["data"], "number_copies": [0]}}

    def is_there(self, path):
        return path.is_file() or path.is_dir()

    def read(self, files, folder):
        paths = [folder / file for file in files]
        if len(paths) == 2:
            return data.read_parallel(*paths)
        [path] = paths
        if path.is_dir():
            return data.read_stories(path)
        if not _is_jsonl(path):
            return data.read_pairs(path, *self.data.columns)
        if not all(isinstance(column, str) for column in self.data.columns):
            raise RecipeError(
                f'{path} holds JSON, whose keys are names: set columns = ["text", "summary"], or '
                f"what they are called. Received: {self.data.columns}"
            )
        return data.read_jsonl(path, *self.data.columns)

    def pairs(self, inputs, outputs):
        """A text with several summaries makes as many pairs."""
        several = [[o] if isinstance(o, str) else o for o in outputs]
        inputs = [text for text, summaries in zip(inputs, several) for _ in summaries]
        return inputs, [summary for summaries in several for summary in summaries]


def _is_jsonl(path):
    lines = (line for _, line in data.text_lines.lines(path) if line.strip())
    return next(lines, "").lstrip().startswith("{")
