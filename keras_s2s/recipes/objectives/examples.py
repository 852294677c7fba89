from typing import NamedTuple

import keras


class Examples(NamedTuple):
    """The data that an objective trains on."""

    train: keras.utils.PyDataset
    valid: keras.utils.PyDataset
    inputs: list
    """The raw inputs of the training examples."""
    references: list
    """The outputs of the training examples, as texts."""
