from pathlib import Path

import keras

from keras_s2s.recipes import toml
from keras_s2s.recipes.read import read


def train(recipe, output, data=None, changes=(), verbose=2):
    r"""Trains a model from its recipe.

    Called again after an interruption, it goes on where the last full epoch ended.

    Args:
        recipe: Path of the TOML file.
        output: Folder of this training. It will hold `preset/`, the trained model, and logs.
        data: Folder of the data, by default that of the recipe.
        changes: As of `keras_s2s.recipes.read`.
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
    keras.utils.set_random_seed(recipe.seed)
    output.mkdir(parents=True, exist_ok=True)
    policy = keras.config.dtype_policy()
    try:
        model = recipe.train(data, output, verbose)
    finally:
        keras.config.set_dtype_policy(policy)
    preset = output / "preset"
    model.save_to_preset(preset)
    # Whatever it trained in, it computes in float32, and trains on as models do.
    plain = type(model).from_preset(preset, dtype="float32", scheduled_sampling=None)
    plain.save_to_preset(preset)
    header = "".join(f"# --set {toml.comment(change)}\n" for change in changes)
    (preset / "recipe.toml").write_text(header + path.read_text(encoding="utf-8"), encoding="utf-8")
    return preset
