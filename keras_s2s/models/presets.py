"""Saves and loads a model as a folder of plain files."""

import contextlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import h5py
import keras

from keras_s2s._version import __version__
from keras_s2s.layers import _parts
from keras_s2s.models import preset_folders

CONFIG, WEIGHTS, METADATA, ASSETS = "config.json", "model.weights.h5", "metadata.json", "assets"
_FILES_OF = "files_of"
RESTORE = "Restore it: copy the preset's folder again, or reinstall the package."


def save(model, path, weights_dtype="float16"):
    """Writes `config.json`, `model.weights.h5`, `metadata.json` and `assets/`."""
    if not model.built:
        raise ValueError("The model has no weights yet. Build it or call it, then save it.")
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / CONFIG, _config(model, folder / ASSETS))
    with _without_optimizer(model):
        model.save_weights(folder / WEIGHTS)
    _cast_weights(folder / WEIGHTS, weights_dtype)
    _write_metadata(model, folder)


def save_name(model, path, of):
    """Writes a preset that is another name of a preset, with a config of its own.

    Args:
        model: A model with the weights and the tokenizers' files of the other preset.
        path: The folder; it gets `config.json` and `metadata.json`.
        of: The name of the other preset, beside it or shipped.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as assets:
        config = _config(model, Path(assets))
    _write_json(folder / CONFIG, {_FILES_OF: of, **config})
    _write_metadata(model, folder)


def folder_of_files(folder):
    """The folder with the weights and tokenizers of a preset: it itself, or another preset."""
    config = _read_json(folder / CONFIG)
    other = config.get(_FILES_OF) if isinstance(config, dict) else None
    return folder if other is None else preset_folders.of_files(folder, other)


def _config(model, assets):
    """The config of a model, whose tokenizers are written to the folder `assets`."""
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    if model.preprocessor is not None:
        config["config"]["preprocessor"]["config"] = model.preprocessor.save_assets(assets)
    return config


def _write_metadata(model, folder):
    _write_json(
        folder / METADATA,
        {
            "keras_version": keras.__version__,
            "keras_s2s_version": __version__,
            "parameter_count": model.count_params(),
            "date_saved": datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S"),
        },
    )


def load(cls, name_or_path, load_weights=True, dtype=None, **kwargs):
    """Reads what `save` wrote."""
    folder = preset_folders.find(name_or_path)
    files = folder_of_files(folder)
    config = _read_config(folder / CONFIG)
    config.pop(_FILES_OF, None)
    config["config"].update(kwargs)
    preprocessor = config["config"]["preprocessor"]
    if isinstance(preprocessor, dict):
        preprocessor_class = keras.saving.get_registered_object(preprocessor["registered_name"])
        config["config"]["preprocessor"] = keras.saving.serialize_keras_object(
            preprocessor_class.from_assets(files / ASSETS, preprocessor["config"])
        )
    if dtype is not None:
        _parts.replace_dtype(config["config"], keras.dtype_policies.get(dtype))
    model = keras.saving.deserialize_keras_object(config)
    if not isinstance(model, cls):
        raise ValueError(
            f"The preset {str(folder)!r} holds a {type(model).__name__}, which is no "
            f"{cls.__name__}. Use {type(model).__name__}.from_preset or keras_s2s.zoo.load."
        )
    if load_weights:
        if not (files / WEIGHTS).is_file():
            raise FileNotFoundError(f"The preset lacks its weights, {str(files / WEIGHTS)!r}.")
        try:
            with _without_optimizer(model):
                model.load_weights(files / WEIGHTS)
        except (OSError, RuntimeError, KeyError) as error:  # h5py has no error class
            raise ValueError(
                f"{str(files / WEIGHTS)!r} is damaged or truncated: {error}. {RESTORE}"
            ) from error
    return model


@contextlib.contextmanager
def _without_optimizer(model):
    """Hides the optimizer, whose state belongs to past training and is twice the model's size."""
    optimizer, model.optimizer = model.optimizer, None
    try:
        yield
    finally:
        model.optimizer = optimizer


def _cast_weights(path, dtype):
    """Rewrites the file with all floating data sets in `dtype`; loading widens them again."""
    temporary = path.with_suffix(".tmp")
    with h5py.File(path) as source, h5py.File(temporary, "w") as target:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                group = target.require_group(name)
            else:
                value = item[()]
                # The scales of int8 weights may be larger than float16 can hold.
                if value.dtype.kind == "f" and not _has_int8(item.parent):
                    value = value.astype(dtype)
                group = target.create_dataset(name, data=value)
            for key, attribute in item.attrs.items():
                group.attrs[key] = attribute

        source.visititems(copy)
        for key, attribute in source.attrs.items():
            target.attrs[key] = attribute
    temporary.replace(path)


def _has_int8(group):
    return any(getattr(item, "dtype", None) == "int8" for item in group.values())


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _read_json(path):
    if not path.is_file():
        raise FileNotFoundError(f"The preset lacks a file: {str(path)!r}.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}. {RESTORE}") from error


def _read_config(path):
    config = _read_json(path)
    missing = {"config"}
    if isinstance(config, dict) and isinstance(config.get("config"), dict):
        missing = {"encoder", "decoder", "preprocessor"} - set(config["config"])
    if missing:
        raise ValueError(f"{str(path)!r} is damaged: it lacks {sorted(missing)}. {RESTORE}")
    return config
