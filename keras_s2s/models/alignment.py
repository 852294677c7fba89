from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_s2s.models.times import seconds_per_position, token_times, word_times
from keras_s2s.preprocessing.text_ids import to_tokens


class Alignment(NamedTuple):
    """Where the model looked.

    Attributes:
        source_tokens: List of strings, the pieces of the source; None for images and sound. A model
            of several inputs has a dict of them, by the `raw_name` of each.
        target_tokens: List of strings, the pieces of the output.
        weights: `(target, source)` float32, one row per piece of the output; for an image
            `(target, rows, columns)`, one grid per piece. A model of several inputs has a dict.
        times: `(target, 2)` float32, when each piece of the output begins and ends, in seconds,
            rounded to positions of the memory; None unless the only input is sound.
    """

    source_tokens: list | dict | None
    target_tokens: list
    weights: np.ndarray | dict
    times: np.ndarray | None = None

    @property
    def words(self):
        """The words of an output about sound, a list of tuples `(word, begin, end)` in seconds."""
        return None if self.times is None else word_times(self.target_tokens, self.times)


def alignments(model, inputs, result, words=None):
    """For each example, a list with the `Alignment` of each hypothesis.

    `words` are what `own_words` of the preprocessor returned.
    """
    preprocessor, encoder = model.preprocessor, model.encoder
    columns = {column.name: column for column in preprocessor.columns}
    inputs = keras.tree.map_structure(ops.convert_to_numpy, encoder.select(inputs))
    by_input = encoder.split_attention(result["attention"], inputs)
    by_input = {name: ops.convert_to_numpy(weights) for name, weights in by_input.items()}
    times = None
    seconds = seconds_per_position(encoder, columns)
    if seconds is not None:
        times = ops.convert_to_numpy(token_times(result, *by_input.values(), seconds))
    by_name = inputs if isinstance(inputs, dict) else {encoder.input_names[0]: inputs}
    rows = []
    for i, hypotheses in enumerate(result["token_ids"]):
        own = None if words is None else words[i]
        sources = {name: columns[name].tokens(x[i], own) for name, x in by_name.items()}
        rows.append([])
        for j, ids in enumerate(hypotheses):
            ids = ids[ids != 0]
            target = to_tokens(ids, preprocessor.target_tokenizer, own)
            parts = {}
            for name, tokens in sources.items():
                weights = by_input[name][i, j, : len(ids)]
                if tokens is not None:
                    weights = weights[:, : len(tokens)]
                elif times is not None:
                    frames = np.any(by_name[name][i], axis=-1).sum()
                    weights = weights[:, : -(-frames // encoder.reduction)]
                parts[name] = weights
            if len(sources) == 1:
                [tokens], [weights] = sources.values(), parts.values()
            else:
                tokens = {columns[name].raw_name: value for name, value in sources.items()}
                weights = {columns[name].raw_name: value for name, value in parts.items()}
            when = None if times is None else times[i, j, : len(ids)]
            rows[-1].append(Alignment(tokens, target, weights, when))
    return rows
