r"""Trains OpenNMT-py's copying RNN on a summarizer's data, as a figure to compare with.

    python tools/opennmt_baseline.py zoo/summarization_arxiv_titles/recipe.toml --data DATA \
        --output RUN --python ONMT/bin/python --updates 1250

`--python` is the Python of a virtual environment with `torch==2.13.0 setuptools "numpy<2"
configargparse ctranslate2 pyonmttok sacrebleu sentencepiece pyyaml tensorboard waitress flask six
rapidfuzz pyahocorasick` and, installed with `--no-deps`, `OpenNMT-py==3.5.1`. It gets the pieces
of the recipe's tokenizer, its lengths, dropout and beam. OpenNMT-py gives the encoder, the decoder
and the embeddings one size, `--size`; it ties the embeddings to the logits, and its copying reads
the weights of the one attention, as ours does. Adam's learning rate is halved each tenth of the
updates from the middle on. The script prints the time of training and the figures of the test sets.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import sentencepiece

from joeynmt_baseline import write_lines
from keras_s2s import evaluation
from keras_s2s.recipes import RecipeError, read, tokenizer

# What the other environment runs: 3.5.1 as it comes cannot read the copying models that it writes.
TRAIN = """
import sys, types

# Imported for transforms that are not used here.
sys.modules.update(spacy=types.ModuleType("spacy"), fasttext=types.ModuleType("fasttext"))
"""
TRANSLATE = """
import torch
import onmt.inference_engine as engine

path = sys.argv[sys.argv.index("-model") + 1]
saved = torch.load(path, weights_only=False)
# A generator that copies is looked for among the weights of the model.
for name, value in (saved["generator"] or {}).items():
    saved["model"]["generator." + name] = value
saved["generator"] = None
torch.save(saved, path)
build = engine.build_dynamic_dataset_iter
engine.build_dynamic_dataset_iter = lambda *args, **kwargs: build(*args, copy=True, **kwargs)
"""


def write_data(recipe, data, folder):
    """Writes the pieces of all texts and titles, and the titles as they are."""
    columns = recipe.read(recipe.data.train, data)
    trained = tokenizer.train(recipe.tokenizer, [text for column in columns for text in column])
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.proto)
    length = recipe.tokenizer.length
    lengths = length, recipe.tokenizer.target_length or length
    splits = {"train": recipe.data.train, "valid": recipe.data.valid, **recipe.data.tests}
    for split, files in splits.items():
        columns = recipe.read(files, data)
        for side, texts, most in zip(("src", "tgt"), columns, lengths):
            pieces = processor.encode([" ".join(text.split()) for text in texts], out_type=str)
            # The end, which counts in our lengths, is not a piece.
            lines = (" ".join(some[: most - 1]) for some in pieces)
            write_lines(folder / f"{split}.{side}", lines)
        write_lines(folder / f"{split}.ref", (" ".join(text.split()) for text in columns[1]))
    words = trained.get_vocabulary()[4:]
    write_lines(folder / "vocabulary.txt", (f"{word}\t1" for word in words))


def config(recipe, folder, size, updates, batch_size):
    m = recipe.model
    corpus = {"path_src": f"{folder}/train.src", "path_tgt": f"{folder}/train.tgt"}
    valid = {"path_src": f"{folder}/valid.src", "path_tgt": f"{folder}/valid.tgt"}
    return {
        "save_data": f"{folder}/saved",
        "data": {"corpus_1": {**corpus, "transforms": []}, "valid": {**valid, "transforms": []}},
        "src_vocab": f"{folder}/vocabulary.txt",
        "tgt_vocab": f"{folder}/vocabulary.txt",
        "share_vocab": True,
        "src_vocab_size": recipe.tokenizer.vocabulary_size,
        "tgt_vocab_size": recipe.tokenizer.vocabulary_size,
        # The files are cut already.
        "src_seq_length": 1000,
        "tgt_seq_length": 1000,
        "model_type": "text",
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": m.cell.upper(),
        "layers": 1,
        "hidden_size": size,
        "word_vec_size": size,
        "share_embeddings": True,
        "share_decoder_embeddings": True,
        "global_attention": {"luong": "general", "bahdanau": "mlp"}[m.attention],
        "copy_attn": True,
        "reuse_copy_attn": True,
        "copy_loss_by_seqlength": True,
        "bridge": True,
        "input_feed": 1,
        "dropout": [m.dropout],
        "attention_dropout": [0.0],
        "optim": "adam",
        "learning_rate": 1e-3,
        "start_decay_steps": updates // 2,
        "decay_steps": updates // 10,
        "learning_rate_decay": 0.5,
        "max_grad_norm": 2,
        "batch_size": batch_size,
        "batch_type": "sents",
        "normalization": "tokens",
        # So the batches are of texts of similar length.
        "bucket_size": 50_000,
        "batch_size_multiple": 1,
        "num_workers": 0,
        "world_size": 1,
        "seed": recipe.seed,
        "train_steps": updates,
        # Its validation takes minutes.
        "valid_steps": updates + 1,
        "save_checkpoint_steps": updates,
        "save_model": f"{folder}/model",
        "report_every": 10,
    }


def run(python, task, code, *arguments):
    code += f"from onmt.bin.{task} import main\nmain()\n"
    variables = {
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
        "OMP_NUM_THREADS": str(os.cpu_count()),
    }
    start = time.perf_counter()
    command = [python, "-c", code, *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, **variables})
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of this run")
    parser.add_argument("--python", required=True, help="a Python with OpenNMT-py")
    parser.add_argument("--updates", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=36, help="texts in a batch")
    parser.add_argument("--size", type=int, default=256, help="units of all parts")
    arguments = parser.parse_args()
    try:
        recipe = read(arguments.recipe)
        recipe.check_files(arguments.data)
    except RecipeError as error:
        sys.exit(f"opennmt_baseline: {error}")
    folder, updates = arguments.output.resolve(), arguments.updates
    folder.mkdir(parents=True, exist_ok=True)
    write_data(recipe, arguments.data, folder)
    # JSON is valid YAML.
    path = folder / "config.yaml"
    values = config(recipe, folder, arguments.size, updates, arguments.batch_size)
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")
    seconds = run(arguments.python, "train", TRAIN, "-config", path)
    print(f"{updates} updates of {arguments.batch_size} texts in {seconds / 60:.1f} minutes")
    decoding, lengths = recipe.decoding, recipe.tokenizer
    for test in recipe.data.tests:
        output = folder / f"{test}.out"
        options = {
            "-model": folder / f"model_step_{updates}.pt",
            "-src": folder / f"{test}.src",
            "-output": output,
            "-beam_size": decoding.num_beams,
            # The mean over the tokens: of its penalties the one nearest to ours.
            "-length_penalty": "avg",
            "-block_ngram_repeat": decoding.no_repeat_ngram_size,
            "-max_length": (lengths.target_length or lengths.length) - 1,
            "-batch_size": 32,
            "-gpu": -1,
        }
        flat = [argument for pair in options.items() for argument in pair]
        run(arguments.python, "translate", TRAIN + TRANSLATE, *flat)
        lines = output.read_text(encoding="utf-8").split("\n")[:-1]
        titles = ["".join(line.split()).replace("▁", " ").strip() for line in lines]
        references = (folder / f"{test}.ref").read_text(encoding="utf-8").split("\n")[:-1]
        print(f"{test}: {len(references):,} texts")
        for score in evaluation.score(titles, references, ("rouge",), bootstrap=1000).values():
            print(f"  {score.name} {score.value:.2f} ± {score.spread:.2f}  {score.signature}")


if __name__ == "__main__":
    main()
