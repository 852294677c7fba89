import json
from pathlib import Path

import numpy as np

from keras_s2s.models import preset_folders, presets
from keras_s2s.preprocessing import SentencePieceTokenizer
from keras_s2s.recipes import held_out, toml
from keras_s2s.recipes.spelling import can_spell
from keras_s2s.recipes.text_files import read_targets
from keras_s2s.recipes.write_recipe import write

#: So many texts are enough for a model of their own.
MANY = 20_000

# Lengths as of See et al., 2017, https://arxiv.org/abs/1704.04368; smaller layers.
_RECIPE = """\
# A summarizer of the texts in '{source}'; made by `keras-s2s train {source}`. Change what you like
# and train again with `keras-s2s train recipe.toml`, into another folder.

name = {name}
task = "summarization"
seed = 1
{start}
[data]                        # beside this file; {valid} texts each in valid and test
train = ["train.jsonl"]
valid = ["valid.jsonl"]
tests = {{ test = ["test.jsonl"] }}
columns = ["text", "summary"]
{model}
[training]
epochs = {epochs}
tokens_per_batch = {batch:<10} # text and summary together
learning_rate = {rate}          # after the warm-up, then down to 0 along a cosine
warmup_steps = {warmup}
label_smoothing = 0.1
average_last = {average}              # epochs whose weights are averaged

[decoding]
num_beams = 5
length_penalty = 1.0
no_repeat_ngram_size = 3      # no three pieces twice in a summary
"""

_START = """\
start = {preset}    # goes on with the model of this preset, which knows long texts
"""

_NEW = """
[tokenizer]
vocabulary_size = {vocabulary}
normalization = "nmt_nfkc"    # Unicode NFKC: "m²" becomes "m2"; "identity" keeps it
length = 400                  # pieces; longer texts are cut
target_length = 100           # pieces; longer summaries are cut

[model]
cell = "lstm"
embedding_dim = 192
encoder_units = 256           # in each direction
decoder_units = 256
attention = "luong"
copy = true                   # names and rare words come from the text
dropout = 0.3
"""


def from_summaries(path, folder, columns=("text", "summary"), seed=1, show=lambda line: None):
    r"""Makes a recipe for a summarizer from texts and their summaries.

    A twentieth of the texts, at most 1,000, is held out for validation, and as many for the test.
    All summaries of a text stay together; repeated pairs count once. What is left out is told by
    warnings. If the texts are fewer than 20,000, and the shipped summarizer can spell them and is
    made for summaries as long as theirs, the recipe trains that one further. Otherwise it is for a
    new tokenizer and model.

    Args:
        path: A file with a JSON object on each line, a folder of `.story` files, or a table, as
            `keras_s2s.data.read_jsonl`, `read_stories` and `read_pairs` read them.
        folder: Folder for `recipe.toml`, `train.jsonl`, `valid.jsonl` and `test.jsonl`.
        columns: Keys of text and summary; in a table columns: indices from 0, or names in the first
            line.
        seed: Integer: which texts are held out.
        show: Function that is called with lines for people: how many pairs there are, and the
            first.

    Returns:
        `pathlib.Path` of the recipe.

    Raises:
        RecipeError: If there are fewer than 40 texts, or the folder holds another recipe.
        ValueError: If the file is not what it should be.

    Example:
    ```python
    import json
    import keras_s2s

    with open("news.jsonl", "w") as file:
        for i in range(100):
            print(json.dumps({"text": f"Long text {i} ...", "summary": f"Text {i}"}), file=file)
    path = keras_s2s.recipes.from_summaries("news.jsonl", "run")
    assert keras_s2s.recipes.read(path).task == "summarization"
    ```
    """
    path, folder = Path(path), Path(folder)
    summaries = read_targets(path, columns, show)
    splits = held_out.split(summaries, 1000, seed)
    text = _recipe(path.absolute(), summaries, splits)
    files = {f"{name}.jsonl": _lines(summaries, texts) for name, texts in splits.items()}
    return write(folder, text, files)


def _recipe(path, summaries, splits):
    texts = splits["train"]
    short = [summary for text in texts for summary in summaries[text]]
    preset, count = preset_folders.ALIASES["summarization"], len(texts)
    is_new = count >= MANY or not _is_for(preset, texts, short)
    model = ""
    if is_new:
        words = {word for text in (*texts, *short) for word in text.split()}
        vocabulary = max(min(len(words) // 4, 8000), len(set().union(*words)) + 8)
        model = _NEW.format(vocabulary=vocabulary)
    return _RECIPE.format(
        source=toml.comment(path.name),
        name=toml.string(path.stem),
        start="" if is_new else _START.format(preset=toml.string(preset)),
        valid=len(splits["valid"]),
        model=model,
        # The fewer texts, the smaller the batches, so that there are enough updates, and the more
        # epochs.
        batch=min(max(count // 5, 20), 40) * 200,
        epochs=max(min(400_000 // count, 20), 8) if is_new else max(min(20_000 // count, 10), 3),
        rate="2e-3" if is_new else "5e-4",
        warmup=200 if is_new else 20,
        average=3 if is_new else 1,
    )


def _is_for(preset, texts, summaries):
    """Whether a preset can be trained further on these texts and summaries."""
    folder = presets.folder_of_files(preset_folders.find(preset))
    tokenizer = SentencePieceTokenizer(str(folder / "assets" / "source_tokenizer" / "spm.model"))
    if not can_spell(tokenizer, [*texts, *summaries]):
        return False
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["config"]
    length = config["preprocessor"]["config"]["target_length"]
    # One more for the end.
    return np.mean([len(ids) + 1 > length for ids in tokenizer.encode(summaries)]) <= 0.05


def _lines(summaries, texts):
    """A text with one summary has a string there, with several a list."""
    rows = []
    for text in texts:
        summaries_of_text = summaries[text]
        row = {
            "text": text,
            "summary": summaries_of_text if len(summaries_of_text) > 1 else summaries_of_text[0],
        }
        rows.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(rows)
