from pathlib import Path

import keras

from keras_s2s.models import preset_folders, presets
from keras_s2s.recipes import progress, stages, toml
from keras_s2s.recipes.read import read
from keras_s2s.recipes.typed_config import RecipeError


def train(recipe, output, data=None, changes=(), verbose=2):
    r"""Trains a model from its recipe.

    Called again after an interruption, it goes on where the last full epoch ended; called again
    after the end, it trains nothing. A recipe with `start` and no training data gives another name
    of that preset, which uses its weights and tokenizers.

    Args:
        recipe: Path of the TOML file.
        output: Folder of this training. It will hold `preset/`, the trained model, and logs.
        data: Folder of the data, by default the recipe's.
        changes: As in `keras_s2s.recipes.read`.
        verbose: As Keras's: 1 is a bar, 2 are lines.

    Returns:
        `pathlib.Path` of the preset.

    Raises:
        RecipeError: If the recipe cannot be run, before any data is read.

    Example:
    ```python
    import itertools
    import keras_s2s

    numbers = {"eins": "one", "zwei": "two", "drei": "three"}
    with open("pairs.tsv", "w") as file:
        for words in itertools.product(numbers, repeat=4):
            print(" ".join(words), " ".join(numbers[word] for word in words), sep="\t", file=file)
    recipe = keras_s2s.recipes.from_pairs("pairs.tsv", "run")
    sizes = [f"model.{name}=8" for name in ("embedding_dim", "encoder_units", "decoder_units")]
    changes = [*sizes, "training.epochs=1"]
    preset = keras_s2s.recipes.train(recipe, "run", changes=changes, verbose=0)
    text = keras_s2s.zoo.load(preset).generate("eins zwei")
    ```
    """
    path, output = Path(recipe), Path(output)
    recipe, data = read(path, changes), Path(data) if data else path.parent
    recipe.check_files(data)
    progress.check(recipe, output)
    preset = output / "preset"
    if not recipe.stages:
        shipped = _shipped(recipe.start)
        presets.save_name(_started(recipe, "float32"), preset, shipped)
        _write_recipe(preset, path, changes)
        return preset
    output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.dtype)
    try:
        splits = recipe.splits(data, verbose, output / "written")
        model = _model(recipe, splits["train"], data, output, verbose)
        progress.begin(recipe, output)
        stages.run(recipe, model, splits, output, verbose)
    finally:
        keras.config.set_dtype_policy(policy)
    model.save_to_preset(preset)
    # Whatever it was trained in, the preset computes in float32, without scheduled sampling.
    plain = type(model).from_preset(preset, dtype="float32", scheduled_sampling=None)
    plain.save_to_preset(preset)
    _write_recipe(preset, path, changes)
    return preset


def _write_recipe(preset, path, changes):
    header = "".join(f"# --set {toml.comment(change)}\n" for change in changes)
    (preset / "recipe.toml").write_text(header + path.read_text(encoding="utf-8"), encoding="utf-8")


def _model(recipe, pairs, folder, output, verbose):
    """The model of a recipe, as it is before training."""
    if not recipe.start:
        model = recipe.build(recipe.preprocessor(*pairs, verbose))
        # If the first stage is done, its weights are loaded instead.
        if not stages.is_done(next(iter(recipe.stages)), output):
            recipe.initialize(model, pairs[0], folder)
        return model
    return _started(recipe, recipe.dtype)


def _shipped(name_or_path):
    """The name of the shipped preset whose files a preset has."""
    folder = presets.folder_of_files(preset_folders.find(name_or_path))
    if folder.parent.resolve() != preset_folders.root().resolve():
        raise RecipeError(
            "A recipe without training data gives another name to a shipped preset, and "
            f"{str(name_or_path)!r} is none ({', '.join(preset_folders.names())}). Give the recipe "
            "training data, or start = one of those."
        )
    return folder.name


def _started(recipe, dtype):
    """The model of the preset that the recipe starts from."""
    sampling = recipe.scheduled_sampling()
    model = recipe.kind.from_preset(
        recipe.start,
        dtype=dtype,
        scheduled_sampling=sampling and keras.saving.serialize_keras_object(sampling),
    )
    recipe.set_prefix(model)
    recipe.configure(model)
    return model
