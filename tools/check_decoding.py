"""Compares `generate` with a search that is as plain as can be, on a test set.

    python tools/check_decoding.py translation_multi30k_de_en --data DATA
    python tools/check_decoding.py translation_multi30k_de_en --data DATA --num-beams 1 --count 100

The plain search takes one sentence at a time, keeps hypotheses in lists and, for every token, runs
the whole model over the whole hypothesis: no batches, no state, nothing prepared, no top-k. It
fails if a hypothesis differs.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.progress import track

import keras_s2s
from keras_s2s.models import preset_folders
from recipe import RecipeError, check_files, read, read_pairs

PAD, START, END = 0, 2, 3


def plain_search(model, source_ids, num_beams, length_penalty):
    """The ids of the best hypothesis, the end included.

    Args:
        model: A `Translator`.
        source_ids: Array `(source,)`, the end included.
        num_beams: Hypotheses to go on with; 1 is greedy search.
        length_penalty: Exponent of the length penalty of Wu et al. (2016), equation 14.
    """
    limit = min(2 * len(source_ids) + 10, model.preprocessor.target_length or 256)
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
            # Stable, so that of equals the lower id comes first.
            for token in np.argsort(-row, kind="stable")[: 2 * num_beams]:
                candidates.append((total + row[token], [*tokens, int(token)]))
        candidates.sort(key=lambda candidate: -candidate[0])
        ended += [
            (score(total, step + 1), tokens)
            for total, tokens in candidates[:num_beams]
            if tokens[-1] == END
        ]
        going_on = [c for c in candidates if c[1][-1] != END and np.isfinite(c[0])][:num_beams]
        best = max(ended, default=(-np.inf, None))
        if not going_on or score(going_on[0][0], limit) <= best[0]:
            break
    return best[1]


def differences(model, sources, sampler):
    """List of `(source, plain, generated)` where the two differ."""
    options = sampler.get_config()
    preprocessor = model.preprocessor
    generated = model.generate(sources, sampler=sampler)
    found = []
    for source, text in zip(track(sources, "plain search"), generated):
        ids = np.array(preprocessor.generate_preprocess([source])["encoder_token_ids"])[0]
        tokens = plain_search(model, ids, options["num_beams"], options["length_penalty"])
        plain = preprocessor.generate_postprocess(np.array([tokens])).numpy()[0].decode()
        if plain != text:
            found.append((source, plain, text))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", help="a name or a folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--num-beams", type=int, help="in place of the preset's; 1 is greedy")
    parser.add_argument("--count", type=int, default=1000, help="sentences of the first test set")
    arguments = parser.parse_args()
    folder = preset_folders.find(arguments.preset)
    try:
        recipe = read(folder / "recipe.toml")
        check_files(recipe, arguments.data)
    except RecipeError as error:
        sys.exit(f"check_decoding: {error}")
    model = keras_s2s.zoo.load(folder)
    sampler = model.sampler
    if arguments.num_beams is not None:
        config = {**sampler.get_config(), "num_beams": arguments.num_beams}
        sampler = sampler.from_config(config)
    name, files = next(iter(recipe.data.tests.items()))
    sources, _ = read_pairs(files, recipe.data.columns, arguments.data)
    sources = sources[: arguments.count]
    found = differences(model, sources, sampler)
    for source, plain, text in found:
        print(f"source    {source}\nplain     {plain}\ngenerated {text}\n")
    print(f"{name}: {len(sources) - len(found)} of {len(sources)} hypotheses are equal")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
