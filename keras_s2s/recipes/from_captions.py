import csv
import io
import os
from pathlib import Path

from keras_s2s.data import read_captions
from keras_s2s.models import preset_folders, presets
from keras_s2s.preprocessing import SentencePieceTokenizer
from keras_s2s.recipes import held_out, media_folders, toml
from keras_s2s.recipes.show import pair_for_people
from keras_s2s.recipes.spelling import can_spell
from keras_s2s.recipes.typed_config import RecipeError
from keras_s2s.recipes.write_recipe import write

_RECIPE = """\
# A captioner of the images that '{source}' names; made by `keras-s2s train {source}`. Change what
# you like and train again with `keras-s2s train recipe.toml`, into another folder.

name = {name}
task = "captioning"
seed = 1
{start}
[data]                        # tables beside this file; {valid} images each in valid and test
images = {images}
columns = ["image", "caption"]
train = ["train.csv"]
valid = ["valid.csv"]
tests = {{ test = ["test.csv"] }}
{model}
[training]                    # what the stages have in common
batch_size = {batch:<14} # images, with all of their captions
warmup_steps = {warmup:<12} # batches; then down to 0 along a cosine
label_smoothing = 0.1

[stages.decoder]              # first the decoder, on features that are computed once
freeze = "backbone"
epochs = {epochs}
learning_rate = {rate}

[stages.all]                  # then all of it: where time is short, remove this stage
epochs = {fine_epochs}
learning_rate = {fine_rate}

[decoding]
num_beams = 3
length_penalty = 0.6
"""

_START = """\
start = {preset}    # goes on with the model of this preset, which knows photographs
"""

_NEW = """
# The shipped captioner lacks the words of these captions: a new tokenizer and decoder,
# with the image encoder of the shipped one, which was trained on captioned photographs.
[tokenizer]
vocabulary_size = {vocabulary}
normalization = "nmt_nfkc"    # Unicode NFKC: "m²" becomes "m2"; "identity" keeps it
length = 64                   # pieces; longer captions are cut

[model]
backbone = "MobileNetV2"
image_size = 224
encoder_units = 256
decoder_units = 256
embedding_dim = 192
dropout = 0.4
"""


def from_captions(path, folder, columns=(0, 1), images=None, seed=1, show=lambda line: None):
    r"""Makes a recipe for a captioner from a file of captions and a folder of images.

    A twentieth of the images, at most 500, is held out for validation, and as many for the test.
    Nothing is downloaded. If the tokenizer of the shipped captioner can spell the captions, as it
    can spell English, the recipe trains that captioner further: it knows photographs and sentences
    already, so a few hundred images teach it new ones. Otherwise the recipe is for a new tokenizer
    and decoder with the shipped image encoder.

    Args:
        path: A file as `keras_s2s.data.read_captions` reads it.
        folder: Folder for `recipe.toml`, `train.csv`, `valid.csv` and `test.csv`.
        columns: Columns of image and caption in a table: indices from 0, or names.
        images: Folder of the images. By default one beside the file that holds them, such as
            `Images`.
        seed: Integer: which images are held out.
        show: Function that is called with lines for people: how many images and captions there
            are, and the first.

    Returns:
        `pathlib.Path` of the recipe.

    Raises:
        RecipeError: If there are fewer than 20 images, most or their folder are missing, or the
            folder holds another recipe.
        ValueError: If the file is not what it should be.

    Example:
    ```python
    import os
    import keras_s2s

    os.mkdir("Images")
    with open("captions.txt", "w") as file:
        print("image,caption", file=file)
        for i in range(40):
            keras.utils.save_img(f"Images/{i}.png", np.full((32, 32, 3), 6 * i))
            print(f"{i}.png,A grey square that is {i} of 40.", file=file)
    path = keras_s2s.recipes.from_captions("captions.txt", "run")
    assert keras_s2s.recipes.read(path).data.tests == {"test": ["test.csv"]}
    ```
    """
    path, folder = Path(path), Path(folder)
    names, captions = read_captions(path, "", *columns)
    if not names:
        raise RecipeError(f"{path} holds no captions of images.")
    place = media_folders.find(path, names, images)
    captions = {name: list(dict.fromkeys(texts)) for name, texts in zip(names, captions)}
    count = sum(map(len, captions.values()))
    show(f"{len(captions):,} images with {count:,} captions in {path}, images in {place}")
    show("first image: " + pair_for_people(names[0], captions[names[0]][0]))
    names = media_folders.those_there(path, captions, place, "images")
    if len(names) < 20:
        raise RecipeError(f"{path}: {len(names)} images; 20 are needed at least.")
    splits = held_out.split(names, 500, seed)
    texts = [text for name in splits["train"] for text in captions[name]]
    recipe = _recipe(path, place, texts, len(splits["train"]), len(splits["valid"]))
    files = {f"{split}.csv": _table(captions, names) for split, names in splits.items()}
    return write(folder, recipe, files)


def _recipe(path, place, texts, count, valid):
    preset = preset_folders.ALIASES["captioning"]
    place = os.path.abspath(place)
    try:
        place.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecipeError(f"{place!r} is no UTF-8, as a recipe must be. Rename it.") from error
    folder = presets.folder_of_files(preset_folders.find(preset))
    model = folder / "assets" / "target_tokenizer" / "spm.model"
    is_new = not can_spell(SentencePieceTokenizer(str(model)), texts)
    start = "" if is_new else _START.format(preset=toml.string(preset))
    model, weights = "", ""
    if is_new:
        words = {word for text in texts for word in text.split()}
        characters = {c for text in texts for c in text}
        vocabulary = max(min(len(words) // 3, 4000), len(characters) + 8)
        model = _NEW.format(vocabulary=vocabulary)
        weights = f"\nbackbone_weights = {toml.string(preset)}"
    batch = 32 if count > 2000 else 16
    return _RECIPE.format(
        source=toml.comment(path.name),
        name=toml.string(path.stem),
        start=start,
        valid=valid,
        images=toml.string(place) + weights,
        model=model,
        batch=batch,
        warmup=min(200, count // batch),
        # The fewer images, the more epochs.
        epochs=max(min(60_000 // count, 20), 8) if is_new else max(min(12_000 // count, 10), 4),
        # On 504 COCO images, two epochs at 5e-4 reduced the perplexity of held-out captions from
        # 82 to 31, four epochs at 1e-4 to 37.
        rate="2e-3" if is_new else "5e-4",
        fine_epochs=2,
        fine_rate="2e-4" if is_new else "1e-4",
    )


def _table(captions, names):
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["image", "caption"])
    rows.writerows((name, text) for name in names for text in captions[name])
    return table.getvalue()
