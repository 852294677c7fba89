"""Reproduces the figures of a preset from its weights, on the data its recipe names.

    python tools/evaluate.py translation_multi30k_de_en --data DATA
    python tools/evaluate.py translation_multi30k_de_en --data DATA --check
    python tools/evaluate.py RUN/preset --data DATA --write-card
    python tools/evaluate.py RUN/preset --data DATA --split valid --length-penalty 0.6
    python tools/evaluate.py translation_multi30k_de_en --data DATA --dtype bfloat16

BLEU and chrF of translations are sacreBLEU's, with its signature, and half of the 95 % interval of
1,000 bootstrap samples as their spread. Those of captions are pycocoevalcap's, which needs Java.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import sacrebleu

import caption_metrics
import keras_s2s
from keras_s2s.models import preset_folders
from recipe import check_files, read, read_pairs

METRICS = (sacrebleu.BLEU, sacrebleu.CHRF)


def evaluate(model, recipe, data, sampler):
    """A list of metrics as cards hold them, over all test sets of the recipe."""
    captioning = recipe.card.task == "captioning"
    found = []
    for name, files in recipe.data.tests.items():
        if captioning:
            sources, references = keras_s2s.data.read_caption_tar(*(data / file for file in files))
        else:
            sources, references = read_pairs(files, recipe.data.columns, data)
        start = time.perf_counter()
        hypotheses = model.generate(sources, sampler=sampler)
        seconds = time.perf_counter() - start
        kind = "images" if captioning else "sentences"
        print(f"{name}: {len(sources):,} {kind} in {seconds:.1f} s, {describe(sampler)}")
        found += (score_captions if captioning else score)(name, hypotheses, references)
        shown = sources.names if captioning else sources
        for triple in list(zip(shown, references, hypotheses))[:3]:
            print("  source    {}\n  reference {}\n  output    {}".format(*triple))
    return found


def score_captions(dataset, hypotheses, references):
    """Prints and returns the metrics of one test set of captions, as cards hold them."""
    found = []
    for name, value, spread in caption_metrics.with_spread(hypotheses, references):
        digits = 4 if name == "CIDEr" else 2
        found.append(
            {
                "name": name,
                "value": round(value, digits),
                "spread": round(spread, digits),
                "dataset": dataset,
                "signature": caption_metrics.signature(),
            }
        )
        print("  {name} {value} ± {spread}  {signature}".format(**found[-1]))
    return found


def score(dataset, hypotheses, references):
    """Prints and returns the metrics of one test set, as cards hold them."""
    found = []
    for kind in METRICS:
        metric = kind(references=[references])
        result = metric.corpus_score(hypotheses, None, n_bootstrap=1000)
        found.append(
            {
                "name": kind.__name__.replace("CHRF", "chrF"),
                "value": round(result.score, 2),
                "spread": round(float(result._ci), 2),
                "dataset": dataset,
                "signature": str(metric.get_signature()),
            }
        )
        print("  {name} {value} ± {spread}  {signature}".format(**found[-1]))
    return found


def describe(sampler):
    config = sampler.get_config()
    shown = {k: config[k] for k in ("num_beams", "length_penalty") if k in config}
    return f"{type(sampler).__name__}({', '.join(f'{k}={v}' for k, v in shown.items())})"


def write_card(model, recipe, folder, data, metrics):
    card = dataclasses.asdict(recipe.card)
    inputs = card.pop("examples")
    # Those of captioners are files of the preset.
    files = [folder / i if (folder / i).is_file() else i for i in inputs]
    for sample in card["samples"]:
        sample["output"] = model.generate(data / sample["input"])
    card["examples"] = [{"input": i, "output": o} for i, o in zip(inputs, model.generate(files))]
    preset = f"zoo/{recipe.name}"
    keras_s2s.zoo.write_card(
        folder,
        {
            **card,
            "metrics": metrics,
            "recipe": {
                "train": f"python tools/train.py {preset}/recipe.toml --data DATA --output RUN",
                "evaluate": f"python tools/evaluate.py {recipe.name} --data DATA",
            },
        },
    )


def check(card, metrics):
    """Exits with 1 if figures are not those of the card. The order of sums may move a word."""
    expected = {(m["dataset"], m["name"]): m["value"] for m in card}
    found = {(m["dataset"], m["name"]): m["value"] for m in metrics}
    if set(expected) != set(found):
        sys.exit(f"evaluate: the card has figures of {sorted(expected)}, not {sorted(found)}")
    for key, value in found.items():
        # CIDEr is of the order of 1.
        if abs(value - expected[key]) > (0.002 if key[1] == "CIDEr" else 0.1):
            sys.exit(f"evaluate: {' '.join(key)} is {value}, but the card says {expected[key]}")
    print("as the card says")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", help="name of a preset, or its folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--num-beams", type=int, help="in place of the preset's; 1 is greedy")
    parser.add_argument("--length-penalty", type=float, help="in place of the preset's")
    parser.add_argument("--dtype", help="dtype policy of the layers, in place of the preset's")
    parser.add_argument("--split", choices=("tests", "valid"), default="tests")
    parser.add_argument("--write-card", action="store_true", help="put the figures on the card")
    parser.add_argument("--check", action="store_true", help="fail where the card says otherwise")
    arguments = parser.parse_args()
    changes = {key: getattr(arguments, key) for key in ("num_beams", "length_penalty")}
    changes = {key: value for key, value in changes.items() if value is not None}
    changed = changes or arguments.dtype or arguments.split != "tests"
    if (arguments.write_card or arguments.check) and changed:
        parser.error("the card is about the tests, decoded in the preset's own way")
    try:
        folder = preset_folders.find(arguments.preset)
        recipe = read(folder / "recipe.toml")
        check_files(recipe, arguments.data)
        model = keras_s2s.zoo.load(arguments.preset, dtype=arguments.dtype)
    except (OSError, ValueError) as error:
        sys.exit(f"evaluate: {error}")
    if arguments.split == "valid":
        recipe.data.tests = {"valid": recipe.data.valid}
    sampler = model.sampler.from_config({**model.sampler.get_config(), **changes})
    metrics = evaluate(model, recipe, arguments.data, sampler)
    if arguments.check:
        check(keras_s2s.zoo.card(folder)["metrics"], metrics)
    if arguments.write_card:
        write_card(model, recipe, folder, arguments.data, metrics)
        print("wrote", folder / "card.json")


if __name__ == "__main__":
    main()
