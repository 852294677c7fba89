"""Several inputs of a model as one column, which calls the methods of each."""

import numpy as np

from keras_s2s.preprocessing.as_column import as_column
from keras_s2s.preprocessing.column import Column


class ColumnGroup(Column):
    """Columns whose raw values belong together.

    The raw values are a dict of columns by their `raw_name`, or a list of dicts of one value each.
    Where a column returns a value, the group returns a dict of values by `raw_name`.

    Args:
        columns: Two or more `Column` objects of different names.

    Raises:
        ValueError: If two have the same name.
    """

    def __init__(self, columns):
        super().__init__(None, None)
        self.columns = {column.raw_name: column for column in columns}
        for names in (list(self.columns), [column.name for column in columns]):
            if len(set(names)) < len(columns):
                raise ValueError(
                    "Each column needs a `name` and a `raw_name` of its own. Received: "
                    f"{[(column.name, column.raw_name) for column in columns]}"
                )

    @property
    def needs_tensorflow(self):
        return any(column.needs_tensorflow for column in self.columns.values())

    @property
    def is_ragged(self):
        return any(column.is_ragged for column in self.columns.values())

    def by_column(self, values, name="inputs"):
        """Raw values in either form as a dict of columns."""
        if not isinstance(values, dict):
            rows = as_column(values, name)
            for i, row in enumerate(rows):
                self._check_keys(row, f"{name}[{i}]")
            return {key: [row[key] for row in rows] for key in self.columns}
        self._check_keys(values, name)
        return values

    def _check_keys(self, values, name):
        if not isinstance(values, dict) or set(values) != set(self.columns):
            keys = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise ValueError(
                f"`{name}` must be a dict of {', '.join(map(repr, self.columns))}. Received: {keys}"
            )

    def _each(self, method, values, **options):
        values = self.by_column(values)
        return {
            key: getattr(column, method)(values[key], **options)
            for key, column in self.columns.items()
        }

    def as_batch(self, values, name="inputs"):
        values = self.by_column(values, name)
        batch = {
            key: column.as_batch(values[key], f"{name}[{key!r}]")
            for key, column in self.columns.items()
        }
        counts = {
            key: "one" if len(x.shape) == self.columns[key].rank_of_one(x) else x.shape[0]
            for key, x in batch.items()
        }
        if len(set(counts.values())) > 1:
            raise ValueError(
                f"The columns of `{name}` must be of the same length. {_received(counts)}"
            )
        return batch

    def encode(self, batch, sample=False):
        return self._each("encode", batch, sample=sample)

    def is_raw(self, values):
        if isinstance(values, dict):
            return set(values) == set(self.columns) and all(self._each("is_raw", values).values())
        # Any list counts as raw, so that the group can say what is wrong with its elements.
        return isinstance(values, (list, tuple))

    def is_one(self, value):
        is_row = isinstance(value, dict) and set(value) == set(self.columns)
        return is_row and all(self._each("is_one", value).values())

    def rank_of_one(self, batch):
        key, column = next(iter(self.columns.items()))
        return column.rank_of_one(batch[key])

    def as_items(self, values, name="inputs", failures=None):
        if not self.is_one(values):
            values = self.by_column(values, name)
        items, single = {}, {}
        for key, column in self.columns.items():
            items[key], single[key] = column.as_items(values[key], f"{name}[{key!r}]", failures)
        counts = {key: len(column) for key, column in items.items()}
        if len(set(counts.values())) > 1 or len(set(single.values())) > 1:
            raise ValueError(
                f"The columns of `{name}` must be of the same length. {_received(counts)}"
            )
        rows = [dict(zip(items, row)) for row in zip(*items.values())]
        if failures:
            rows = [None if i in failures else row for i, row in enumerate(rows)]
        return rows, all(single.values())

    def as_slices(self, values, name):
        values = self.by_column(values, name)
        slices, loads = {}, {}
        for key, column in self.columns.items():
            slices[key], loads[key] = column.as_slices(values[key], f"{name}[{key!r}]")
        if not any(loads.values()):
            return slices, None

        def load(one):
            return {key: load(one[key]) if load else one[key] for key, load in loads.items()}

        return slices, load

    @property
    def load(self):
        loads = {key: column.load for key, column in self.columns.items()}
        if not any(loads.values()):
            return None

        def load_all(one, name=None):
            return {key: load(one[key], name) if load else one[key] for key, load in loads.items()}

        return load_all

    def size(self, item):
        return sum(self._each("size", item).values())

    def serving_inputs(self, allowed_ops):
        firsts = {
            key: next(iter(column.serving_inputs(allowed_ops).values()))
            for key, column in self.columns.items()
        }

        def read(**tensors):
            return {
                key: read_one(**{name: tensors[name] for name in specs})
                for key, (specs, read_one) in firsts.items()
            }

        all_specs = {name: spec for specs, _ in firsts.values() for name, spec in specs.items()}
        return {"inputs": (all_specs, read)}

    @property
    def resources(self):
        return [resource for column in self.columns.values() for resource in column.resources]


def _received(counts):
    counts = {key: int(n) if isinstance(n, (int, np.integer)) else n for key, n in counts.items()}
    return f"Received: {counts}"
