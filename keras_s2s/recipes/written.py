"""Texts that a trained model writes for the training of another one."""

import hashlib
import json

from keras_s2s import models, zoo
from keras_s2s.data.readers import collapse

# Texts between two writings to the disk.
_CHUNK = 3200


def write(preset, texts, sampler, folder, verbose=0):
    """What a model makes of texts, from the disk as far as it did so before.

    Args:
        preset: Name or folder of a preset, or a list of some, which write together.
        texts: List of strings without line ends.
        sampler: As in `Seq2Seq.generate`; None for the preset's.
        folder: `pathlib.Path` of the folder to keep the outputs in, made if needed.
        verbose: Whether to print how far it is.

    Returns:
        List of as many strings.
    """
    presets = [preset] if isinstance(preset, str) else preset
    members = list(map(zoo.load, presets))
    model = members[0] if len(members) == 1 else models.ensemble(members)
    path = folder / f"{_key(members, texts, sampler)}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    path.touch()
    # A line without an end was cut short.
    outputs = path.read_bytes().decode("utf-8", errors="replace").split("\n")[:-1]
    with open(path, "r+b") as file:
        file.truncate(sum(len(text.encode()) + 1 for text in outputs))
    for start in range(len(outputs), len(texts), _CHUNK):
        chunk = model.generate(texts[start : start + _CHUNK], sampler=sampler)
        outputs += map(collapse, chunk)
        with open(path, "a", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{text}\n" for text in outputs[start:])
        if verbose:
            print(
                f"{len(outputs):,} of {len(texts):,} texts written by {' and '.join(presets)}",
                flush=True,
            )
    return outputs


def _key(members, texts, sampler):
    """A hash of all that the outputs depend on."""
    configs = [model.get_config() for model in members]
    digest = hashlib.sha256(json.dumps([*configs, sampler], default=str).encode())
    for model in members:
        for weights in model.get_weights():
            digest.update(weights.tobytes())
    for text in texts:
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()[:32]
