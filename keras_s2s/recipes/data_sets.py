"""The data sets that a split of a recipe is made of."""

import collections.abc
import inspect
from dataclasses import dataclass, field

import numpy as np

from keras_s2s.data import join_clips
from keras_s2s.recipes.typed_config import RecipeError, typed


@dataclass(kw_only=True)
class DataSet:
    """Files that belong together, below the data folder."""

    files: list
    """A table of pairs, or two files that belong together, see the task."""
    columns: list = field(default_factory=list)
    """Columns of input and output in a table, in place of `data.columns`."""
    languages: list = field(default_factory=list)
    """The codes of the input's and the output's language, in place of `data.languages`."""
    inputs_by: str | list = ""
    """Name or folder of a preset that writes the inputs, or a list of some that write them
    together: the files then hold outputs alone, one on each line. Back-translation (Sennrich et
    al., 2016, https://arxiv.org/abs/1511.06709)."""
    outputs_by: str | list = ""
    """The same for the outputs; the files then hold inputs alone. Distillation (Kim and Rush, 2016,
    https://arxiv.org/abs/1606.07947)."""
    sampler: str = ""
    """How that preset decodes: `"greedy"`, `"random"`, `"beam"`; by default in its own way."""
    prefix: str = ""
    """Text put before each input, such as a tag of the language to translate into."""
    where: dict = field(default_factory=dict)
    """Of an archive of speech: which clips, see `keras_s2s.data.read_speech_archive`."""
    joined: dict = field(default_factory=dict)
    """Of an archive of speech: `{ group = "speaker" }` puts clips of the same speaker together at
    random. Further keys are arguments of `keras_s2s.data.join_clips`; `count` is by default the
    number of clips."""
    stages: list = field(default_factory=list)
    """Names of the stages that train on it; by default all."""
    times: int = 1
    """How often each example comes in an epoch."""

    def __post_init__(self):
        if self.times < 1:
            raise RecipeError(f"'times' must be 1 or more. Received: {self.times}")
        if self.inputs_by and self.outputs_by:
            raise RecipeError("give 'inputs_by' or 'outputs_by', one of them.")
        for key in ("inputs_by", "outputs_by"):
            names = getattr(self, key)
            if not isinstance(names, str) and not all(isinstance(name, str) for name in names):
                raise RecipeError(f"{key!r} must be names of presets. Received: {names}")
        if self.sampler and not (self.inputs_by or self.outputs_by):
            raise RecipeError("'sampler' is for 'inputs_by' or 'outputs_by'.")
        if not all(isinstance(file, str) for file in self.files):
            raise RecipeError(f"'files' must be names of files. Received: {self.files}")
        if not self.files:
            raise RecipeError("'files' must name a file. Received: []")
        if len(self.files) > 2 and not (self.inputs_by or self.outputs_by):
            raise RecipeError(
                "a set is one file, or two that belong together. Several sets are tables: "
                f'[{{ files = ["a.tsv"] }}, {{ files = ["b.tsv"] }}]. Received: {self.files}'
            )
        known = set(inspect.signature(join_clips).parameters) - {"clips", "texts", "groups"}
        if self.joined and not (
            isinstance(self.joined.get("group"), str) and set(self.joined) <= {"group", *known}
        ):
            raise RecipeError(
                "'joined' must have a 'group', the name of an array, and may have "
                f"{', '.join(sorted(known))}. Received: {self.joined}"
            )
        if self.columns and len(self.files) == 2:
            raise RecipeError(
                "'columns' are of a table. Exchange the two files to exchange input and output."
            )


def data_sets(split, where):
    """The `DataSet`s of a split, which a recipe may write in three ways.

    Args:
        split: Names of files, `["a.tsv"]`; a table, `{ files = ["a.tsv"], times = 2 }`; or a list
            of tables.
        where: The beginning of error messages.

    Returns:
        List of `DataSet`.

    Raises:
        RecipeError: If it is none of these.
    """
    if isinstance(split, dict):
        split = [split]
    if not isinstance(split, list) or not split:
        raise RecipeError(f"{where} must be a list of files, or of tables. Received: {split!r}")
    if all(isinstance(part, dict) for part in split):
        return [typed(DataSet, part, where) for part in split]
    return [typed(DataSet, {"files": split}, where)]


class Joined(collections.abc.Sequence):
    """Sequences one after the other, each as often as an epoch has it.

    Args:
        parts: Sequences, all with a `shape` or none.
        times: As many integers.

    Attributes:
        names: List of the names of the items, if the parts have names.
    """

    def __init__(self, parts, times):
        self.parts, self.times = list(parts), list(times)
        lengths = [len(part) * count for part, count in zip(self.parts, self.times)]
        self._starts = np.cumsum([0, *lengths])
        if all(hasattr(part, "names") for part in self.parts):
            named = zip(self.parts, self.times)
            self.names = [name for part, count in named for name in part.names * count]
        if hasattr(self.parts[0], "shape"):
            self.shape = (len(self), *self.parts[0].shape[1:])

    def __len__(self):
        return int(self._starts[-1])

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            rows = range(len(self))[rows]
        elif not hasattr(rows, "__len__"):
            return self._one(int(rows))
        values = [self._one(int(row)) for row in rows]
        return np.stack(values) if hasattr(self, "shape") else values

    def _one(self, row):
        row = range(len(self))[row]
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        values = self.parts[part]
        return values[(row - int(self._starts[part])) % len(values)]


def join(parts, times):
    """Lists joined to a list."""
    return [value for part, count in zip(parts, times) for value in part * count]


def join_images(parts, times):
    """The images of one set as they are; of several, a `Joined`, which knows what comes again."""
    return parts[0] if list(times) == [1] else Joined(parts, times)
