"""Compares what `generate` finds with what a plain search finds, on a test set.

    python tools/check_decoding.py translation_multi30k_de_en --data DATA
    python tools/check_decoding.py translation_multi30k_de_en --data DATA --num-beams 1 --count 100

The plain search takes one sentence at a time, keeps hypotheses in lists, sorts them with NumPy in
float64 and, for every token, runs the whole model over the whole of each hypothesis: no state, and
nothing prepared. With `generate` it shares the layers, the tokenizer and the rule when to stop. The
command fails if a hypothesis differs.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.progress import track

import keras_s2s
from keras_s2s.models import preset_folders
from keras_s2s.recipes import RecipeError, read

PAD, START, END = 0, 2, 3
BATCH = 64


def plain_search(model, source_ids, num_beams, length_penalty):
    """The ids of the best hypothesis, the end included, and its score.

    Args:
        model: A `Translator`.
        source_ids: Array `(source,)`, the end included.
        num_beams: Hypotheses to go on with; 1 is greedy search.
        length_penalty: Exponent of the length penalty of Wu et al. (2016), equation 14.
    """
    limit = min(2 * len(source_ids) + 10, model.preprocessor.target_length or 256)
    if len(source_ids) == 1:  # An empty text has an empty translation.
        limit = 1
    going_on, ended = [(0.0, [])], []

    def score(log_prob, length):
        return log_prob / ((5 + length) / 6) ** length_penalty

    for step in range(limit):
        prefixes = np.array([[START, *tokens] for _, tokens in going_on], "int32")
        sources = np.repeat(source_ids[None].astype("int32"), len(prefixes), axis=0)
        batch = {"encoder_token_ids": sources, "decoder_token_ids": prefixes}
        logits = np.array(model.predict_on_batch(batch), "float64")[:, -1]
        largest = logits.max(-1, keepdims=True)
        log_probs = logits - largest - np.log(np.exp(logits - largest).sum(-1, keepdims=True))
        log_probs[:, [PAD, START]] = -np.inf
        if step == limit - 1:
            log_probs[:, np.arange(log_probs.shape[1]) != END] = -np.inf
        candidates = []
        for (total, tokens), row in zip(going_on, log_probs):
            # More tokens of each hypothesis than can be among the best of all; sorted stably, so
            # that the lower of two equally probable ids comes first.
            for token in np.argsort(-row, kind="stable")[: 2 * num_beams]:
                candidates.append((total + row[token], [*tokens, int(token)]))
        candidates.sort(key=lambda candidate: -candidate[0])
        ended += [
            (tokens, score(total, step + 1))
            for total, tokens in candidates[:num_beams]
            if tokens[-1] == END
        ]
        going_on = [c for c in candidates if c[1][-1] != END and np.isfinite(c[0])][:num_beams]
        best = max(ended, default=(None, -np.inf), key=lambda hypothesis: hypothesis[1])
        # No unfinished hypothesis can get a better score than with the largest penalty.
        if not going_on or score(going_on[0][0], limit) <= best[1]:
            break
    return best


def generated(model, sources, sampler):
    """The best hypotheses of `generate` for all sources: a list of ids and score."""
    found = [None] * len(sources)
    order = np.argsort([len(source) for source in sources])
    for rows in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
        ids = np.zeros((len(rows), max(len(sources[row]) for row in rows)), "int32")
        for i, row in enumerate(rows):
            ids[i, : len(sources[row])] = sources[row]
        result = model.generate({"encoder_token_ids": ids}, sampler=sampler)
        for i, row in enumerate(rows):
            tokens = [int(token) for token in result["token_ids"][i, 0] if token != PAD]
            found[row] = tokens, float(result["scores"][i, 0])
    return found


def compare(model, texts, num_beams, length_penalty):
    """The pairs of hypotheses, plain and generated, that differ, and the largest score difference.

    Args:
        model: A `Translator`.
        texts: List of strings.
        num_beams: See `plain_search`.
        length_penalty: See `plain_search`.
    """
    encoded = model.preprocessor.source_tokenizer.encode(texts)
    most = (model.preprocessor.source_length or max(map(len, encoded)) + 1) - 1
    sources = [np.array([*ids[:most], END]) for ids in encoded]
    sampler = keras_s2s.decoding.Beam(num_beams, length_penalty=length_penalty)
    differ, largest = [], 0.0
    for source, (tokens, score) in zip(
        track(sources, "plain search"), generated(model, sources, sampler)
    ):
        plain, plain_score = plain_search(model, source, num_beams, length_penalty)
        if plain != tokens:
            differ.append((plain, tokens))
        else:
            largest = max(largest, abs(score - plain_score))
    return differ, largest


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", help="name of a preset, or its folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--num-beams", type=int, help="in place of the recipe's; 1 is greedy")
    parser.add_argument("--count", type=int, default=1000, help="sentences of the first test set")
    arguments = parser.parse_args()
    try:
        model = keras_s2s.zoo.load(arguments.preset)
        recipe = read(preset_folders.find(arguments.preset) / "recipe.toml")
        recipe.check_files(arguments.data)
        num_beams = (
            recipe.decoding.num_beams if arguments.num_beams is None else arguments.num_beams
        )
        if min(num_beams, arguments.count) < 1:
            raise RecipeError("--num-beams and --count must be at least 1")
    except (OSError, ValueError) as error:
        sys.exit(f"check_decoding: {error}")
    name, files = next(iter(recipe.data.tests.items()))
    texts, _ = recipe.read(files, arguments.data)
    texts = texts[: arguments.count]
    differ, largest = compare(model, texts, num_beams, recipe.decoding.length_penalty)
    show = model.preprocessor.target_tokenizer.id_to_token
    for plain, found in differ:
        print("plain    ", *map(show, plain))
        print("generated", *map(show, found))
    print(
        f"{name}, {num_beams} beams: {len(texts) - len(differ)} of {len(texts)} hypotheses are the "
        f"same; their scores differ by {largest:.1g} at most"
    )
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
