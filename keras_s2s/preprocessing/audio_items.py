"""Turns sound in any form that users pass into a list of checked items."""

import collections.abc
import os
from typing import NamedTuple

import numpy as np

from keras_s2s.preprocessing.as_column import (
    as_column,
    describe,
    is_array,
    is_collection,
    item_or_failure,
    plain,
)

#: Floats of samples are from -1 to 1; some programs write a little more.
LARGEST = 8.0
#: The first bytes of other files of sound, and what they are.
_BEGINNINGS = {
    b"RIFF": "WAV",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"FORM": "AIFF",
}


class AudioItem(NamedTuple):
    """One clip.

    Attributes:
        value: `bytes` of a file, `str` path of one, or float32 samples `(samples,)`.
        rate: The sample rate of samples, or None for that of the converter.
        name: Its name in error messages.
    """

    value: object
    rate: int | None
    name: str


def as_items(clips, name="audio", failures=None):
    """Returns the clips as a list of `AudioItem`, and whether a single clip was passed.

    Args:
        clips: One clip or several. One is a path (`str`, `bytes` or `os.PathLike`), the `bytes` of
            a file, an array or tensor of samples `(samples,)`, a tuple of such an array and its
            sample rate, as `soundfile.read` returns it, or a dict of `"array"` and
            `"sampling_rate"`, as `datasets` has them. Several are a list, or another column of
            these as `keras_s2s.preprocessing.as_column.as_column` takes it. Samples are floats from
            -1 to 1, or integers of 8 (unsigned), 16 or 32 bits. With a sample rate, or in a list,
            they may be `(samples, channels)`; an array of two axes alone is several clips.
        name: What error messages call the argument.
        failures: None, or a dict which gets the errors of single clips by their index; the list
            has None there.

    Raises:
        TypeError: If a clip is something else. The message names it.
        ValueError: If samples have another rank, are NaN or far outside of -1 to 1.
        FileNotFoundError: If there is no file at a path.

    Example:
    ```python
    import numpy as np
    from keras_s2s.preprocessing.audio_items import as_items

    items, single = as_items([np.zeros(800), (np.zeros((800, 2), "int16"), 8000)])
    assert [item.rate for item in items] == [None, 8000] and not single
    ```
    """
    clips = plain(clips)
    if is_one(clips):
        return [item_or_failure(_item, clips, name, 0, failures)], True
    if not is_collection(clips):
        raise TypeError(
            f"`{name}` must be a clip or a list of clips: {_FORMS}. Received: {describe(clips)}"
        )
    clips = as_column(clips, name)
    items = [
        item_or_failure(_item, clip, f"{name}[{i}]", i, failures) for i, clip in enumerate(clips)
    ]
    return items, False


def is_one(clip):
    """Whether this is one clip, and not several."""
    if isinstance(clip, (AudioItem, str, bytes, os.PathLike, collections.abc.Mapping)):
        return True
    if isinstance(clip, tuple) and len(clip) == 2 and is_array(clip[0]):
        return isinstance(plain(clip[1]), (int, float))
    return is_array(clip) and np.dtype(_name(clip.dtype)).kind in "fiu" and len(clip.shape) == 1


def kind_of_file(contents):
    """What a file is by its first bytes, such as `"MP3"`, or None."""
    kinds = (kind for start, kind in _BEGINNINGS.items() if contents.startswith(start))
    return next(kinds, None)


_FORMS = "paths, contents of files, or samples, alone or with their sample rate"


def _item(clip, name):
    clip = plain(clip)
    if isinstance(clip, AudioItem):
        return clip
    rate = None
    if isinstance(clip, collections.abc.Mapping):
        if not {"array", "sampling_rate"} <= set(clip):
            raise TypeError(
                f"`{name}`: a dict must hold 'array' and 'sampling_rate'. Received the keys "
                f"{sorted(map(str, clip))}."
            )
        clip, rate = clip["array"], clip["sampling_rate"]
    elif isinstance(clip, tuple) and len(clip) == 2:
        clip, rate = clip
    if isinstance(clip, bytes):
        if kind_of_file(clip) is not None:
            return AudioItem(clip, None, name)
        path = os.fsdecode(clip)
        if "\0" in path or not os.path.isfile(path):
            raise ValueError(
                f"`{name}` is neither the contents nor the path of an audio file: it begins with "
                f"{clip[:20]!r}."
            )
        clip = path
    if isinstance(clip, (str, os.PathLike)):
        path = os.fsdecode(clip)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"`{name}`: there is no file {path!r}.")
        return AudioItem(path, None, f"{name}: {path}")
    if is_array(clip) or isinstance(clip, list):
        return AudioItem(_samples(clip, name), None if rate is None else _rate(rate, name), name)
    raise TypeError(f"`{name}` must be a clip: {_FORMS}. Received: {describe(clip)}")


def _rate(rate, name):
    rate = plain(rate)
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not rate >= 1:
        raise ValueError(f"`{name}`: the sample rate must be a positive number. Received: {rate!r}")
    if int(rate) != rate:
        raise ValueError(f"`{name}`: the sample rate must be whole. Received: {rate!r}")
    return int(rate)


def _samples(array, name):
    """Float32 samples `(samples,)` from -1 to 1, of one channel."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    try:
        array = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"`{name}`: samples must be a plain array: {error}.") from error
    if array.dtype.name == "bfloat16":
        array = array.astype("float32")
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= 8):
        raise ValueError(
            f"`{name}`: samples must be (samples,) or (samples, channels), of up to 8 channels. "
            f"Received shape {array.shape}."
        )
    scales = {"uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
    if array.dtype.name in scales:
        scale = scales[array.dtype.name]
        array = (array.astype("float64") - scale * (array.dtype.name == "uint8")) / scale
    elif array.dtype.kind != "f":
        raise TypeError(
            f"`{name}`: samples must be floats from -1 to 1, or integers of 8 (unsigned), 16 or 32 "
            f"bits. Received dtype {array.dtype.name}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}`: the samples hold NaN or infinity.")
    largest = np.abs(array).max(initial=0)
    if largest > LARGEST:
        raise ValueError(
            f"`{name}`: samples are floats from -1 to 1. Received values up to {largest:g}: divide "
            "them by the largest that they can be, such as 32768, or pass integers of that size."
        )
    array = array.mean(axis=1) if array.ndim == 2 else array
    return array.astype("float32")


def _name(dtype):
    name = getattr(dtype, "name", str(dtype)).removeprefix("torch.")
    return {"bfloat16": "float32", "string": "object"}.get(name, name)
