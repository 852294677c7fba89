import itertools
import time
from pathlib import Path

from keras_s2s import evaluation
from keras_s2s.recipes.typed_config import RecipeError


def evaluate(
    model, recipe, data, sampler=None, split="tests", show=lambda line: None, tokenize=None
):
    r"""Scores a model on the test sets of a recipe.

    Args:
        model: A `keras_s2s.models.Seq2Seq`.
        recipe: As `keras_s2s.recipes.read` returned it.
        data: Folder of its data.
        sampler: As in `model.generate`; by default the model's.
        split: `"tests"` or `"valid"`.
        show: Function that is called with lines for people.
        tokenize: As in `keras_s2s.evaluation.score`; by default the recipe's.

    Returns:
        List of dicts as cards hold them: `name`, `value`, `spread`, `dataset` and `signature`.
        The spread is half of the 95 % interval.

    Raises:
        RecipeError: If a file is missing.
        ImportError: If the library of a metric or tokenizer is missing.

    Example:
    ```python
    import keras_s2s

    with open("pairs.tsv", "w") as file:
        for i in range(100):
            print(f"Satz {i}", f"sentence {i}", sep="\t", file=file)
    recipe = keras_s2s.recipes.read(keras_s2s.recipes.from_pairs("pairs.tsv", "run"))
    model = keras_s2s.zoo.load("translation")
    figures = keras_s2s.recipes.evaluate(model, recipe, "run", sampler="greedy")
    assert [figure["name"] for figure in figures] == ["BLEU", "chrF"]
    ```
    """
    tokenize = tokenize or recipe.evaluation.tokenize
    evaluation.require(recipe.metrics, tokenize)
    sets = {"valid": recipe.data.valid} if split == "valid" else recipe.data.tests
    if not all(sets.values()):
        raise RecipeError(f"The recipe {recipe.name!r} has no validation data.")
    figures = []
    for name, files in sets.items():
        inputs, references = recipe.read(files, Path(data))
        start = time.perf_counter()
        texts = model.generate(inputs, sampler=sampler)
        seconds = time.perf_counter() - start
        show(f"{name}: {len(texts):,} {recipe.unit} in {seconds:.1f} s")
        scores = evaluation.score(
            texts, references, recipe.metrics, recipe.bootstrap, tokenize=tokenize
        )
        for score in scores.values():
            # CIDEr is about 1; the other scores are percentages.
            digits = 4 if score.name == "CIDEr" else 2
            figures.append(
                {
                    "name": score.name,
                    "value": round(float(score.value), digits),
                    "spread": round(float(score.spread), digits),
                    "dataset": name,
                    "signature": score.signature,
                }
            )
            show("  {name} {value} ± {spread}  {signature}".format(**figures[-1]))
        shown = getattr(inputs, "names", inputs)
        for triple in itertools.islice(zip(shown, references, texts), 3):
            show("  source    {}\n  reference {}\n  output    {}".format(*triple))
    return figures


def check(expected, figures):
    """Raises a `ValueError` where figures differ from a card's.

    Args:
        expected: The `metrics` of a card.
        figures: As `evaluate` returned them. They may differ slightly: the order in which floats
            are added up can change a word.
    """
    expected, measured = (
        {(m["dataset"], m["name"]): m for m in metrics} for metrics in (expected, figures)
    )
    if set(expected) != set(measured):
        raise ValueError(
            f"The card has figures of {sorted(expected)}, but {sorted(measured)} were measured. "
            "Write the card again: `keras-s2s evaluate NAME --data DATA --write-card`."
        )
    for key, figure in measured.items():
        value, told = (m["value"] for m in (figure, expected[key]))
        if abs(value - told) > (0.002 if key[1] == "CIDEr" else 0.1):
            message = f"{' '.join(key)} is {value}, but the card says {told}."
            signature, of_card = (m.get("signature") for m in (figure, expected[key]))
            if signature != of_card:
                message += f" They were computed otherwise: {signature}, {of_card} on the card."
            raise ValueError(message)
