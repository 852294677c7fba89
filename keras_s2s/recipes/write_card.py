import dataclasses

import numpy as np

from keras_s2s import zoo
from keras_s2s.preprocessing.long_texts import pieces
from keras_s2s.recipes.typed_config import RecipeError


def write_card(model, recipe, folder, data, figures):
    """Writes the card of a preset: its recipe's `[card]`, figures, and examples with outputs.

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
    # A captioner's examples are image files of the preset.
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    files = [folder / i if i in names else i for i in inputs]
    samples = [(recipe.sample(sample, data), sample) for sample in card["samples"]]
    card["samples"] = [
        {**shown, "output": model.generate(read), "remark": sample.get("remark", "")}
        for (read, shown), sample in samples
    ]
    card["examples"] = [{"input": i, "output": o} for i, o in zip(inputs, model.generate(files))]
    path = f"zoo/{recipe.name}/recipe.toml"
    zoo.write_card(
        folder,
        {
            **card,
            "task": recipe.task,
            "metrics": figures,
            "limits": limits(model, _texts(recipe, data)),
            "recipe": {
                "train": f"keras-s2s train {path} --data DATA --output RUN",
                "evaluate": f"keras-s2s evaluate {recipe.name} --data DATA",
            },
        },
    )


def limits(model, texts):
    """How long inputs and outputs may be, for people.

    Args:
        model: A model with a preprocessor.
        texts: Typical inputs, strings, in which pieces and words are counted.

    Returns:
        String.
    """
    preprocessor = model.preprocessor
    target = f"Outputs have at most {pieces(preprocessor.target_length)}."
    if preprocessor.raw.length is None:
        return target
    most = preprocessor.raw.text_length
    count = np.sum(preprocessor.raw.count_text_ids(texts) - 1)
    words, characters = (sum(map(len, t)) for t in ([text.split() for text in texts], texts))
    # In scripts without blanks, words cannot be counted.
    unit, units = ("words", words) if words > 2 * len(texts) else ("characters", characters)
    about = _rounded((most - 1) * units / max(count, 1))
    split = ""
    if model.is_sentence_by_sentence:
        split = ', or `on_long="split"` goes through them sentence by sentence'
    return (
        f"Inputs of up to {pieces(most)}, about {about:,} {unit}: the ends of longer ones are cut "
        f"off, which is told{split}. {target}"
    )


def _texts(recipe, data):
    inputs, _ = recipe.read(next(iter(recipe.data.tests.values())), data)
    return inputs


def _rounded(number):
    return int(round(number, -1)) if number >= 20 else int(number)
