from pathlib import Path

from keras_s2s.recipes import held_out, toml
from keras_s2s.recipes.text_files import read_targets
from keras_s2s.recipes.write_recipe import write

# Like the recipe of the preset that was trained on 29,000 pairs, but with smaller layers.
_RECIPE = """\
# A translator of the pairs in '{source}'; made by `keras-s2s train {source}`. Change what you like
# and train again with `keras-s2s train recipe.toml`, into another folder.

name = {name}
task = "translation"
seed = 1

[data]                        # beside this file; {valid} sources each in valid and test
train = ["train.tsv"]
valid = ["valid.tsv"]
tests = {{ test = ["test.tsv"] }}

[tokenizer]
vocabulary_size = {vocabulary}
{sampling}normalization = "nmt_nfkc"    # Unicode NFKC: "m²" becomes "m2"; "identity" keeps it
split_digits = false          # true: numbers are copied digit by digit
length = 100                  # pieces; longer sentences are cut

[model]
embedding_dim = 192
encoder_units = 256           # in each direction
decoder_units = 256
dropout = 0.3

[training]
epochs = {epochs}
tokens_per_batch = {batch:<10} # source and target together
learning_rate = 2e-3          # after the warm-up, then down to 0 along a cosine
warmup_steps = 200
label_smoothing = 0.1
average_last = 3              # epochs whose weights are averaged

[decoding]
num_beams = 5
length_penalty = 0.6
"""

_SAMPLING = "sample_alpha = 0.3            # a new segmentation of each sentence in each epoch\n"


def from_pairs(path, folder, columns=(0, 1), seed=1, show=lambda line: None):
    r"""Makes a recipe for a translator from a file of sentence pairs.

    A twentieth of the sources, at most 1,000, is held out for validation, and as many for the test.
    All pairs of a source stay together, so that none is both learnt and tested; repeated pairs
    count once. `keras_s2s.data.read_pairs` warns of what it leaves out.

    Args:
        path: A table, tab-separated or CSV, a source and its target on each line, or a file with a
            JSON object on each line; in UTF-8.
        folder: Folder for `recipe.toml`, `train.tsv`, `valid.tsv` and `test.tsv`.
        columns: Columns of source and target: indices from 0, or names in the first line; keys of
            JSON.
        seed: Integer: which pairs are held out.
        show: Function that is called with lines for people: how many pairs there are, and the
            first.

    Returns:
        `pathlib.Path` of the recipe.

    Raises:
        RecipeError: If there are fewer than 40 sources, or the folder holds another recipe.
        ValueError: If the file is not what it should be.

    Example:
    ```python
    import keras_s2s

    with open("pairs.tsv", "w") as file:
        for i in range(100):
            print(f"Satz {i}", f"sentence {i}", sep="\t", file=file)
    path = keras_s2s.recipes.from_pairs("pairs.tsv", "run")
    recipe = keras_s2s.recipes.read(path)
    assert recipe.data.tests == {"test": ["test.tsv"]}
    ```
    """
    path, folder = Path(path), Path(folder)
    texts = read_targets(path, columns, show)
    splits = held_out.split(texts, 1000, seed)
    files = {
        name: [(source, target) for source in sources for target in texts[source]]
        for name, sources in splits.items()
    }
    train = files["train"]
    words = {word for pair in train for text in pair for word in text.split()}
    characters = {c for pair in train for text in pair for c in text}
    text = _RECIPE.format(
        source=toml.comment(path.name),
        name=toml.string(path.stem),
        valid=len(splits["valid"]),
        vocabulary=max(min(len(words) // 4, 8000), len(characters) + 8),
        # Sampling segmentations only pays off in long training.
        sampling=_SAMPLING if len(train) > 20_000 else "",
        # The fewer pairs, the smaller the batches, so that there are enough updates, and the
        # more epochs.
        batch=min(max(len(train) // 600 * 100, 400), 2400),
        epochs=max(min(400_000 // len(train), 20), 5),
    )
    return write(
        folder,
        text,
        {
            f"{name}.tsv": "".join(f"{source}\t{target}\n" for source, target in part)
            for name, part in files.items()
        },
    )
