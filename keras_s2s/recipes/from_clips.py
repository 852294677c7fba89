import os
import warnings
from pathlib import Path
from unicodedata import normalize

from keras_s2s.data import read_pairs
from keras_s2s.recipes import held_out, media_folders, toml
from keras_s2s.recipes.show import pair_for_people
from keras_s2s.recipes.typed_config import RecipeError
from keras_s2s.recipes.write_recipe import write

# Attention with a CTC beside it, since attention alone learns little from few clips.
_RECIPE = """\
# A recognizer of the clips in '{source}'; made by `keras-s2s train {source}`. Change what you like
# and train again with `keras-s2s train recipe.toml`, into another folder.

name = {name}
task = "speech"
seed = 1

[data]                        # beside this file; {valid} clips each in valid and test
clips = {clips}
columns = ["clip", "text"]
train = ["train.tsv"]
valid = ["valid.tsv"]
tests = {{ test = ["test.tsv"] }}

[tokenizer]                   # so few that they are characters
vocabulary_size = {vocabulary}
length = 256                  # pieces; longer transcripts are cut

[model]
cell = "lstm"
encoder_layers = 3
encoder_units = 256           # in each direction
decoder_units = 256
embedding_dim = 64
attention = "location_aware"
dropout = 0.3

[sound]
speeds = [0.9, 1.0, 1.1]
frequency_masks = 2
time_masks = 2
ctc_weight = 1.0

[training]
epochs = {epochs}
batch_size = 16
learning_rate = 1e-3          # after the warm-up, then down to 0 along a cosine
warmup_steps = 200
label_smoothing = 0.1
shortest_first = 1            # in the first epoch, short transcripts come first
average_last = 3              # epochs whose weights are averaged

[decoding]
num_beams = 5
length_penalty = 0.0
ctc_weight = 0.4
"""


def from_clips(path, folder, columns=(0, 1), clips=None, seed=1, show=lambda line: None):
    r"""Makes a recipe for a recognizer from a table of clips and their transcripts.

    A twentieth of the clips, at most 500, is held out for validation, and as many for the test.
    They are drawn at random, so the figures are those of speakers that the model knows.

    Args:
        path: A table as `keras_s2s.data.read_clips` reads it.
        folder: Folder for `recipe.toml`, `train.tsv`, `valid.tsv` and `test.tsv`.
        columns: Columns of clip and transcript: indices from 0, or names in the first line.
        clips: Folder of the clips. By default one beside the table that holds them, such as
            `clips`.
        seed: Integer: which clips are held out.
        show: Function that is called with lines for people: how many clips there are, and the
            first.

    Returns:
        `pathlib.Path` of the recipe.

    Raises:
        RecipeError: If there are fewer than 40 clips, most or their folder are missing, or `folder`
            holds another recipe.
        ValueError: If the table is not what it should be.

    Example:
    ```python
    import wave
    import keras_s2s

    with open("clips.tsv", "w") as table:
        for i in range(50):
            with wave.open(f"{i}.wav", "wb") as file:
                file.setparams((1, 2, 16000, 0, "NONE", None))
                file.writeframes(np.random.bytes(3200))
            print(f"{i}.wav", f"number {i}", sep="\t", file=table)
    path = keras_s2s.recipes.from_clips("clips.tsv", "run")
    assert keras_s2s.recipes.read(path).task == "speech"
    ```
    """
    path, folder = Path(path), Path(folder)
    names, texts = read_pairs(path, *columns)
    if not names:
        raise RecipeError(f"{path} holds no transcripts of clips.")
    place = media_folders.find(path, names, clips, "clips")
    transcripts = dict(zip(names, texts))
    show(f"{len(transcripts):,} clips in {path}, in the folder {place}")
    show("first clip: " + pair_for_people(names[0], transcripts[names[0]]))
    kept = media_folders.those_there(path, transcripts, place, "clips")
    repeated = len(names) - len(transcripts)
    if repeated:
        warnings.warn(
            f"{str(path)!r}: {repeated:,} rows name a clip again; the last transcript of each is "
            "taken.",
            stacklevel=2,
        )
    if len(kept) < 40:
        raise RecipeError(f"{path}: {len(kept)} clips; 40 are needed at least.")
    splits = held_out.split(kept, 500, seed)
    train = [transcripts[name] for name in splits["train"]]
    recipe = _RECIPE.format(
        source=toml.comment(path.name),
        name=toml.string(path.stem),
        valid=len(splits["valid"]),
        clips=toml.string(os.path.abspath(place)),
        # The special pieces, and that of the space.
        vocabulary=len({c for text in train for c in normalize("NFKC", text) if c != " "}) + 5,
        # The fewer clips, the more epochs.
        epochs=max(min(50_000 // len(train), 60), 10),
    )
    files = {
        f"{split}.tsv": "".join(f"{row}\n" for row in ("clip\ttext", *_rows(some, transcripts)))
        for split, some in splits.items()
    }
    return write(folder, recipe, files)


def _rows(names, transcripts):
    return [f"{name}\t{transcripts[name]}" for name in names]
