import dataclasses

from keras_s2s import zoo
from keras_s2s.recipes.schema import RecipeError


def write_card(model, recipe, folder, data, figures):
    """Writes the card of a preset: what its recipe says, figures, and examples as they come out.

    Args:
        model: The model of the preset.
        recipe: As `keras_s2s.recipes.read` returned it, with a `[card]`.
        folder: `pathlib.Path` of the preset.
        data: `pathlib.Path`, folder of the data.
        figures: As `keras_s2s.recipes.evaluate` returned them.

    Raises:
        RecipeError: If the recipe has no `[card]`.
    """
    if recipe.card is None:
        raise RecipeError(f"{folder / 'recipe.toml'}: a card needs the table [card].")
    card = dataclasses.asdict(recipe.card)
    inputs = card.pop("examples")
    # Those of captioners are files of the preset.
    files = [folder / i if (folder / i).is_file() else i for i in inputs]
    for sample in card["samples"]:
        sample["output"] = model.generate(data / sample["input"])
    card["examples"] = [{"input": i, "output": o} for i, o in zip(inputs, model.generate(files))]
    path = f"zoo/{recipe.name}/recipe.toml"
    zoo.write_card(
        folder,
        {
            **card,
            "task": recipe.task,
            "metrics": figures,
            "recipe": {
                "train": f"keras-s2s train {path} --data DATA --output RUN",
                "evaluate": f"keras-s2s evaluate {recipe.name} --data DATA",
            },
        },
    )
