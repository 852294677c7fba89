r"""Trains JoeyNMT's RNN on a recipe's data, at the recipe's sizes, as a figure to compare with.

    python tools/joeynmt_baseline.py zoo/translation_de_en/recipe.toml --data DATA --output RUN \
        --python JOEY/bin/python --updates 5000

`--python` is the Python of a virtual environment with `torch joeynmt==2.3.0 importlib_metadata
"sentencepiece<0.2.1" setuptools`. JoeyNMT gets the recipe's tokenizer, batches of similar length
(its own are random, and half padding), dropout, label smoothing, clipping, warm-up and peak
learning rate, which then falls with the square root of the step: of JoeyNMT's schedules that start,
the one that fits. The best checkpoint of the validation set decodes with the recipe's beam. The
script prints the time of training and the figures of the test sets.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import keras_s2s
from keras_s2s import evaluation
from keras_s2s.recipes import RecipeError, read


def similar_lengths(sources, targets, batch_size, rng):
    """An order of the pairs in which every `batch_size` successive ones are of similar length."""
    order = list(range(len(sources)))
    rng.shuffle(order)
    order.sort(key=lambda i: (len(targets[i]), len(sources[i])))
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    # Only the last batch of all may be short.
    full = batches[:-1]
    rng.shuffle(full)
    return [i for batch in [*full, batches[-1]] for i in batch]


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_data(recipe, data, folder, tokenizer, batch_size, updates, seed):
    rng = random.Random(seed)
    sources, targets = recipe.read(recipe.data.train, data)
    pieces = [
        [tokenizer.encode(lines[i : i + 10_000]) for i in range(0, len(lines), 10_000)]
        for lines in (sources, targets)
    ]
    lengths = [[x for part in side for x in part] for side in pieces]
    order = []
    while len(order) < updates * batch_size:
        order += similar_lengths(*lengths, batch_size, rng)
    write_lines(folder / "train.src", (sources[i] for i in order))
    write_lines(folder / "train.trg", (targets[i] for i in order))
    for name, files in {"valid": recipe.data.valid, **recipe.data.tests}.items():
        for side, lines in zip(("src", "trg"), recipe.read(files, data)):
            write_lines(folder / f"{name}.{side}", lines)


def config(recipe, folder, batch_size, updates, test):
    m, t = recipe.model, recipe.training
    side = {
        "max_length": recipe.tokenizer.length,
        "level": "bpe",
        "voc_file": str(folder / "vocabulary.txt"),
        "tokenizer_type": "sentencepiece",
        "tokenizer_cfg": {"model_file": str(folder / "spm.model")},
        "lowercase": False,
        "normalize": False,
    }
    embeddings = {"embedding_dim": m.embedding_dim, "scale": False, "dropout": m.dropout}
    layer = {
        "type": "recurrent",
        "rnn_type": m.cell,
        "embeddings": embeddings,
        "dropout": m.dropout,
        "freeze": False,
    }
    symbols = ("unk", "pad", "bos", "eos")
    texts = ("<unk>", "<pad>", "<s>", "</s>")
    return {
        "name": recipe.name,
        "joeynmt_version": "2.3.0",
        "model_dir": str(folder / "model"),
        "use_cuda": False,
        "fp16": False,
        "random_seed": recipe.seed,
        "num_workers": 0,
        "data": {
            "train": str(folder / "train"),
            "dev": str(folder / "valid"),
            "test": str(folder / test),
            "dataset_type": "plain",
            "src": {"lang": "src", **side},
            "trg": {"lang": "trg", **side},
            "special_symbols": {
                **{f"{s}_token": text for s, text in zip(symbols, texts)},
                **{f"{s}_id": i for i, s in enumerate(symbols)},
            },
        },
        "testing": {
            "n_best": 1,
            "beam_size": recipe.decoding.num_beams,
            "beam_alpha": recipe.decoding.length_penalty,
            "batch_size": 64,
            "batch_type": "sentence",
            "max_output_length": recipe.tokenizer.length,
            "eval_metrics": ["bleu"],
            "sacrebleu_cfg": {"tokenize": "13a", "lowercase": False},
        },
        "training": {
            "random_seed": recipe.seed,
            "optimizer": "adam",
            "learning_rate": t.learning_rate,
            "learning_rate_peak": t.learning_rate,
            # JSON writes this float without an exponent; YAML would not read 2e-05 as a number.
            "learning_rate_min": t.learning_rate / 10,
            "learning_rate_warmup": t.warmup_steps,
            "scheduling": "warmupinversesquareroot",
            "clip_grad_norm": t.clip_norm,
            "normalization": "tokens",
            "loss": "crossentropy",
            "label_smoothing": t.label_smoothing,
            "batch_size": batch_size,
            "batch_type": "sentence",
            "early_stopping_metric": "bleu",
            "epochs": 1,
            "updates": updates,
            # JoeyNMT needs `validation_freq` to be a multiple of `logging_freq`.
            "validation_freq": 10 * max(updates // 50, 1),
            "logging_freq": max(updates // 50, 1),
            "print_valid_sents": [0],
            "overwrite": True,
            "shuffle": False,
            "keep_best_ckpts": 1,
        },
        "model": {
            "initializer": "xavier_uniform",
            "bias_initializer": "zeros",
            "embed_initializer": "normal",
            "embed_init_weight": m.embedding_dim**-0.5,
            "init_gain": 1.0,
            "bias_init": 0.0,
            "tied_embeddings": recipe.tokenizer.shared,
            # JoeyNMT ties them only if the decoder has the size of the embedding.
            "tied_softmax": False,
            "encoder": {
                **layer,
                "hidden_size": m.encoder_units,
                "bidirectional": True,
                "num_layers": m.encoder_layers,
            },
            "decoder": {
                **layer,
                "hidden_size": m.decoder_units,
                "hidden_dropout": m.dropout,
                "num_layers": m.decoder_layers,
                "input_feeding": True,
                "init_hidden": "bridge",
                "attention": m.attention,
            },
        },
    }


def run(python, mode, path, *arguments):
    start = time.perf_counter()
    subprocess.run([python, "-m", "joeynmt", mode, path, *arguments], check=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of this run")
    parser.add_argument("--python", required=True, help="a Python with joeynmt")
    parser.add_argument("--updates", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=156, help="sentence pairs in a batch")
    arguments = parser.parse_args()
    try:
        recipe = read(arguments.recipe)
        recipe.check_files(arguments.data)
    except RecipeError as error:
        sys.exit(f"joeynmt_baseline: {error}")
    folder, updates, size = arguments.output.resolve(), arguments.updates, arguments.batch_size
    folder.mkdir(parents=True, exist_ok=True)
    sources, targets = recipe.read(recipe.data.train, arguments.data)
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(
        sources + targets, recipe.tokenizer.vocabulary_size
    )
    (folder / "spm.model").write_bytes(tokenizer.proto)
    write_lines(folder / "vocabulary.txt", tokenizer.get_vocabulary()[4:])
    write_data(recipe, arguments.data, folder, tokenizer, size, updates, recipe.seed)
    # JSON is valid YAML.
    paths = {}
    for test in recipe.data.tests:
        paths[test] = folder / f"{test}.yaml"
        values = config(recipe, folder, size, updates, test)
        paths[test].write_text(json.dumps(values, indent=1), encoding="utf-8")
    seconds = run(arguments.python, "train", next(iter(paths.values())), "--skip-test")
    print(f"{updates} updates of {size} pairs in {seconds / 60:.1f} minutes")
    for test, path in paths.items():
        run(arguments.python, "test", path, "--output-path", folder / f"{test}.out")
        hypotheses = (folder / f"{test}.out.test").read_text(encoding="utf-8").split("\n")[:-1]
        references = (folder / f"{test}.trg").read_text(encoding="utf-8").split("\n")[:-1]
        print(f"{test}: {len(references):,} sentences")
        metrics = ("bleu", "chrf")
        for found in evaluation.score(hypotheses, references, metrics, bootstrap=1000).values():
            print(f"  {found.name} {found.value:.2f} ± {found.spread:.2f}  {found.signature}")


if __name__ == "__main__":
    main()
