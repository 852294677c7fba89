"""Greedy, beam and random decoding, written against `decoder.start` and `decoder.step` only."""

import keras

from keras_s2s.decoding.beam import Beam as Beam
from keras_s2s.decoding.fusion import Fusion as Fusion
from keras_s2s.decoding.greedy import Greedy as Greedy
from keras_s2s.decoding.random import Random as Random
from keras_s2s.decoding.sampler import Sampler as Sampler
from keras_s2s.decoding.spellings import Spellings as Spellings

_BY_NAME = {"beam": Beam, "greedy": Greedy, "random": Random}


def get(identifier):
    """The sampler that `identifier` means.

    Args:
        identifier: `"greedy"`, `"beam"` or `"random"` (with default options), a `Sampler`, or the
            dict that `keras.saving.serialize_keras_object` made of one.

    Returns:
        A `Sampler`.

    Raises:
        ValueError: If it is none of these.

    Example:
    ```python
    import keras_s2s

    print(keras_s2s.decoding.get("beam").num_beams)  # 5
    ```
    """
    if isinstance(identifier, Sampler):
        return identifier
    if isinstance(identifier, str) and identifier in _BY_NAME:
        return _BY_NAME[identifier]()
    if isinstance(identifier, dict):
        sampler = keras.saving.deserialize_keras_object(identifier)
        if isinstance(sampler, Sampler):
            return sampler
    raise ValueError(
        f"No sampler is known as {identifier!r}. Known names: {', '.join(sorted(_BY_NAME))}; "
        "or pass an object, such as keras_s2s.decoding.Beam(num_beams=4)."
    )
