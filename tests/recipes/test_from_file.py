"""Recipes from the files that people have, and what is said of those that cannot be used."""

import gzip
import importlib
import json
import os
import warnings

import numpy as np
import pytest

from keras_s2s import callbacks, recipes
from keras_s2s.models import ImageCaptioner, preset_folders
from keras_s2s.recipes.file_kinds import recognize
from keras_s2s.recipes.typed_config import RecipeError
from tests.captioners import coloured, small_captioner
from tests.preprocessing.test_wav_files import wav

# The package has the function of that name.
from_summaries_module = importlib.import_module("keras_s2s.recipes.from_summaries")

PAIRS = [(f"der Satz, Nummer {i}", f'the "sentence" {i}, yes') for i in range(60)]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def table(mark, header="", quote=str):
    return header + "".join(f"{quote(a)}{mark}{quote(b)}\n" for a, b in PAIRS)


def made(path, folder, **options):
    """The recipe, the lines that were shown and the warnings."""
    shown = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recipe = recipes.from_file(path, folder, show=shown.append, **options)
    return recipes.read(recipe), shown, [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    "text",
    [
        table("\t"),
        table("\t", "de\ten\n"),
        table(",", "source,target\n", quoted),
        table(",", "", quoted),
        table(", ", "", quoted),
        table(";", '"German";"English"\n', quoted),
        table("|"),
        table(",", "\ufeffde,en\n", quoted).replace("\n", "\r\n"),
    ],
    ids=["tsv", "header", "csv", "no header", "blanks", "semicolons", "pipes", "windows"],
)
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_pairs(text, packed, tmp_path):
    path = tmp_path / "data.txt"  # The name says nothing.
    path.write_bytes(packed(text.encode()))
    recipe, shown, messages = made(path, tmp_path / "run")
    assert recipe.task == "translation"
    assert shown == [f"60 pairs in {path}", f"first pair: {' -> '.join(PAIRS[0])}"]
    has_header = len(text.splitlines()) == 61
    assert ["and is left out" in message for message in messages] == [True] * has_header
    splits = [recipe.read([f"{name}.tsv"], tmp_path / "run") for name in ("train", "valid", "test")]
    assert sorted(pair for split in splits for pair in zip(*split)) == sorted(PAIRS)


def test_line_ends_within_quotation_marks(tmp_path):
    path = tmp_path / "pairs.csv"
    rows = [f'"Satz\r {i},\nja","sentence {i}"\n' for i in range(40)]
    path.write_bytes("".join(rows).encode())
    _, shown, messages = made(path, tmp_path / "run")
    assert shown == [f"40 pairs in {path}", "first pair: Satz 0, ja -> sentence 0"]
    assert messages == []


DOGS = "the dog sleeps and the cat does not. "


def long_text(i):
    return f"Text {i}: " + DOGS * 6 + f"End {i}."


def test_json_lines_of_pairs(tmp_path):
    path = tmp_path / "pairs"
    rows = [
        json.dumps({"de": a, "en": [b, b, "other"] if b == PAIRS[0][1] else b}) for a, b in PAIRS
    ]
    path.write_text("\n".join(rows))
    recipe, shown, _ = made(path, tmp_path / "run", columns=("de", "en"))
    assert recipe.task == "translation"
    assert shown[0] == f"62 pairs in {path}, 1 of them repetitions, which do not count"
    splits = [recipe.read([f"{name}.tsv"], tmp_path / "run") for name in ("train", "valid", "test")]
    pairs = sorted(pair for split in splits for pair in zip(*split))
    assert pairs == sorted([*PAIRS, (PAIRS[0][0], "other")])
    with pytest.raises(recipes.RecipeError, match="with the keys de, en. Name those"):
        made(path, tmp_path / "run")
    with pytest.raises(recipes.RecipeError, match="with the keys de, en. Name those"):
        made(path, tmp_path / "run", columns=(0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["jsonl", "tsv", "stories"])
def test_summaries(layout, tmp_path):
    summaries = {long_text(i): [f"Sleep of dog {i}.", f"Cat {i}."][: 1 + i % 2] for i in range(60)}
    if layout != "jsonl":
        summaries = {text: short[:1] for text, short in summaries.items()}
    path = tmp_path / "data.1"
    if layout == "jsonl":
        rows = [{"text": a, "summary": b if len(b) > 1 else b[0]} for a, b in summaries.items()]
        path.write_text("\n".join(map(json.dumps, rows)))
    elif layout == "tsv":
        path.write_text("".join(f"{text}\t{short}\n" for text, [short] in summaries.items()))
    else:
        path.mkdir()
        for i, (text, [short]) in enumerate(summaries.items()):
            (path / f"{i}.story").write_text(f"{text}\n\n@highlight\n\n{short}")
    recipe, shown, messages = made(path, tmp_path / "run")
    assert recipe.task == "summarization" and recipe.start == "summarization_arxiv_titles"
    count = sum(map(len, summaries.values()))
    assert shown[0] == f"{count} pairs in {path}" and messages == []
    read = {}
    for name, size in (("train", 54), ("valid", 3), ("test", 3)):
        texts, several = recipe.read([f"{name}.jsonl"], tmp_path / "run")
        assert len(texts) == size
        read |= {t: [s] if isinstance(s, str) else s for t, s in zip(texts, several)}
    assert read == summaries
    assert made(path, tmp_path / "run")[0] == recipe


@pytest.mark.parametrize("case", ["other letters", "long summaries", "many"])
def test_summaries_for_which_a_new_model_is_made(case, tmp_path, monkeypatch):
    texts, summary = [long_text(i) for i in range(60)], "The dogs sleep. "
    if case == "other letters":
        texts, summary = [f"{i}. " + "狗睡着了,猫没有睡着。" * 40 for i in range(60)], "狗睡着了。"
    elif case == "long summaries":
        texts, summary = [text * 4 for text in texts], summary * 20
    else:
        monkeypatch.setattr(from_summaries_module, "MANY", 54)
    path = tmp_path / "data.tsv"
    path.write_text("".join(f"{text}\t{summary}\n" for text in texts), encoding="utf-8")
    recipe, _, _ = made(path, tmp_path / "run")
    assert recipe.task == "summarization" and not recipe.start
    assert recipe.model.copy and recipe.tokenizer.target_length == 100


@pytest.mark.parametrize(
    ["source", "target", "task"],
    [
        (DOGS * 6, "dogs sleep", "summarization"),
        ("the dog sleeps", "dog", "translation"),
        (DOGS * 6, "狗睡着了,猫没有睡着。" * 6, "translation"),
        ("कुत्ता सो रहा है और बिल्ली नहीं। " * 8, DOGS * 4, "translation"),
        ("狗睡着了,猫没有睡着。" * 20, "狗睡着了,猫没有睡着。" * 2, "summarization"),
    ],
)
def test_summaries_are_told_from_translations_by_their_length(source, target, task, tmp_path):
    path = tmp_path / "data"
    path.write_text(f"{source}\t{target}\n" * 9, encoding="utf-8")
    assert recognize(path) == (task, (0, 1))


def test_folders_without_stories(tmp_path):
    (tmp_path / "1.txt").write_text("text")
    with pytest.raises(ValueError, match="There are no .story files"):
        made(tmp_path, tmp_path / "run")


def images(folder, count, kind="jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / f"{i}.{kind}").write_bytes(b"not looked at yet")


CAPTIONS = {
    f"{i}.jpg": [f"A brown dog , number {i} .", f'A "brown dog" runs {i} .'] for i in range(40)
}


def kaggle(quote=quoted):
    rows = [f"{name},{quote(text)}\n" for name, texts in CAPTIONS.items() for text in texts]
    return "image,caption\n" + "".join(rows)


def flickr30k():
    rows = [
        f"{name}| {i}| {text}\n" for name, texts in CAPTIONS.items() for i, text in enumerate(texts)
    ]
    return "image_name| comment_number| comment\n" + "".join(rows)


def token():
    return "".join(
        f"{name}#{i}\t{text}\n" for name, texts in CAPTIONS.items() for i, text in enumerate(texts)
    )


def coco():
    files = [{"id": i, "file_name": name} for i, name in enumerate(CAPTIONS)]
    rows = [
        {"image_id": i, "id": 2 * i + k, "caption": text}
        for i, texts in enumerate(CAPTIONS.values())
        for k, text in enumerate(texts)
    ]
    return json.dumps({"info": {}, "images": files, "annotations": rows}, indent=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ["name", "text", "folder"],
    [
        ("captions.txt", kaggle(), "Images"),
        # Without quotation marks, where a text does not begin with one.
        ("captions.csv", kaggle(str), "Images"),
        ("results.csv", flickr30k(), "flickr30k_images"),
        ("Flickr8k.token.txt", token(), "Flicker8k_Dataset"),
        ("annotations/captions_val2014.json", coco(), "val2014"),
        ("annotations/captions_val2014.json", coco(), "elsewhere"),
        ("x.tsv", kaggle(str).replace(",", "\t", 1).replace(".jpg,", ".jpg\t"), ""),
    ],
    ids=["kaggle", "commas", "flickr30k", "token", "coco", "told", "tsv"],
)
def test_captions(name, text, folder, tmp_path):
    path, run = tmp_path / name, tmp_path / "run"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    images(tmp_path / folder, 40)
    told = {"images": tmp_path / folder} if folder == "elsewhere" else {}
    recipe, shown, _ = made(path, run, **told)
    assert recipe.task == "captioning" and recipe.start == "captioning_flickr8k"
    place = tmp_path / folder
    assert shown[0] == f"40 images with 80 captions in {path}, images in {place}"
    assert shown[1] == "first image: 0.jpg -> A brown dog, number 0."
    splits = {name: recipe.read([f"{name}.csv"], run) for name in ("train", "valid", "test")}
    assert {name: len(paths) for name, (paths, _) in splits.items()} == {
        "train": 36,
        "valid": 2,
        "test": 2,
    }
    read = {p: texts for paths, captions in splits.values() for p, texts in zip(paths, captions)}
    expected = {
        str(place / n): [t.replace(" ,", ",").replace(" .", ".") for t in texts]
        for n, texts in CAPTIONS.items()
    }
    assert read == expected
    # Called again it is the same; and there is no other recipe in its place.
    assert made(path, run, **told)[0] == recipe


def test_what_is_left_out_of_captions_is_told(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text(kaggle() + "0.jpg,\n" + '0.jpg,"A brown dog , number 0 ."\n')
    images(tmp_path / "Images", 37)
    recipe, shown, messages = made(path, tmp_path / "run")
    assert "40 images with 80 captions" in shown[0]
    assert [message.split(": ", 1)[1] for message in messages] == [
        "1 row without image or caption left out: line 82.",
        f"3 of 40 images left out, for they are not in {str(tmp_path / 'Images')!r}: first "
        "'37.jpg'.",
    ]
    path.write_text(kaggle(str))
    _, _, messages = made(path, tmp_path / "commas")
    assert "40 rows with ',' outside of quotation marks" in messages[0]


def test_words_that_the_shipped_captioner_cannot_spell_get_a_new_decoder(tmp_path):
    rows = [f"{i}.jpg\tZwei Hunde spielen nachmittags auf Rasenstück {i}.\n" for i in range(40)]
    (tmp_path / "bilder.tsv").write_text("".join(rows), encoding="utf-8")
    images(tmp_path, 40)
    recipe, _, _ = made(tmp_path / "bilder.tsv", tmp_path / "run")
    assert recipe.start == "" and recipe.data.backbone_weights == "captioning_flickr8k"
    assert recipe.tokenizer.vocabulary_size >= 20 and recipe.model.backbone == "MobileNetV2"


def test_columns(tmp_path):
    rows = [f"{i}\tA dog {i}.\t{i}.jpg\tein Hund {i}\n" for i in range(40)]
    path = tmp_path / "table.txt"
    path.write_text("id\ten\tfile\tde\n" + "".join(rows))
    images(tmp_path, 40)
    assert recognize(path) == ("captioning", (2, 3))  # The longest texts.
    assert recognize(path, ("file", "en")) == ("captioning", ("file", "en"))
    recipe, shown, _ = made(path, tmp_path / "captions", columns=("file", "en"))
    assert shown[1] == "first image: 0.jpg -> A dog 0."
    recipe, shown, _ = made(path, tmp_path / "pairs", columns=(3, 1))
    assert recipe.task == "translation" and shown[1] == "first pair: ein Hund 0 -> A dog 0."


@pytest.mark.parametrize(
    ["content", "message"],
    [
        (b"", "data.txt is empty"),
        (b"\n\n", "data.txt is empty"),
        (b"one\ntwo\n", "has one column. 2 columns are needed"),
        (b"Well, yes.\nNo.\nGo, then, go.\n", "has one column"),
        ("a\tb\n".encode("utf-16"), "is UTF-16, not UTF-8.*iconv"),
        (b"caf\xe9,coffee\n" * 50, "line 1: not UTF-8.*iconv"),
        (b"1.jpg,caf\xe9\n" * 50, "line 1: the caption is not UTF-8"),
        (b"PK\x03\x04abc\n", "zip archive or a spreadsheet"),
        (b'{"a": 1}', 'not the layout of COCO.*"annotations".*KeyError'),
        (b'[{"image_id": 1, "caption": "A dog."}]', "not the layout of COCO"),
        (b'{"images": [', "not the layout of COCO.*JSONDecodeError"),
        (b'{"images": [], "annotations": []}', "holds no captions"),
        (b"a,b\n" + b'c,"d\n' + b"e,f\n" * 30, "line 2: a quotation mark opens"),
        (b"a,b\n" * 300 + b'c,"d\n' + b"e,f\n" * 50_000, "line 301: a quotation mark opens"),
        (b"a,b\n" * 9 + b'c,"d\n', "2 different sources; 40"),
        (b"1.jpg,A dog.\n" * 30, "its images, such as '1.jpg', are neither beside it.*--images"),
    ],
)
def test_files_that_cannot_be_used(content, message, tmp_path):
    (tmp_path / "data.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        made(tmp_path / "data.txt", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_images_that_are_not_there(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text(kaggle())
    images(tmp_path / "some", 7)
    for folder, message in (
        ("some", "names 40 images, of which 33 are not in .*first '7.jpg'"),
        ("none", "There is no folder .*none' of images"),
    ):
        with pytest.raises(recipes.RecipeError, match=message):
            made(path, tmp_path / "run", images=tmp_path / folder)
    images(tmp_path / "Images", 40)
    path.write_text("".join(kaggle().splitlines(keepends=True)[:31]))
    with pytest.raises(recipes.RecipeError, match="15 images; 20 are needed"):
        made(path, tmp_path / "run")
    path.write_text(table("\t"))
    with pytest.raises(recipes.RecipeError, match="names no images, for which --images is"):
        made(path, tmp_path / "run", images=tmp_path / "Images")
    path.write_text(kaggle())
    os.rename(tmp_path / "Images", tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(recipes.RecipeError, match="is no UTF-8"):
        made(path, tmp_path / "run", images=tmp_path / os.fsdecode(b"caf\xe9"))


@pytest.mark.thorough
@pytest.mark.slow
# Interrupted, it leaves its log open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_captioner_goes_on_from_the_shipped_one(tmp_path, shipped, monkeypatch, capsys):
    """By a learning rate that changes nothing, so that it stays as it was; interrupted once."""
    model = small_captioner(simple=True)
    folder = shipped / preset_folders.ALIASES["captioning"]
    model.save_to_preset(folder)
    (folder / "card.json").write_text("{}")
    pictures, texts = coloured(24)
    (tmp_path / "Images").mkdir()
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / "Images" / f"{i}.png")
    rows = "".join(f"{i}.png,{text}\n" for i, text in enumerate(texts))
    (tmp_path / "captions.txt").write_text(f"image,caption\n{rows}")
    run = tmp_path / "run"
    recipe, _, _ = made(tmp_path / "captions.txt", run)
    assert list(recipe.stages) == ["decoder", "all"] and recipe.stages["decoder"].batch_size == 16
    changes = [f"stages.{name}.learning_rate=1e-12" for name in recipe.stages]
    changes += ["stages.decoder.epochs=1", "stages.all.epochs=2"]
    monkeypatch.setattr("keras_s2s.recipes.stages._scores", lambda *arguments: [])
    save = callbacks.Resume.on_epoch_end

    def interrupt(self, *values):
        save(self, *values)
        if self.folder.parent.name == "all":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(callbacks.Resume, "on_epoch_end", interrupt)
        recipes.train(run / "recipe.toml", run, changes=changes)
    assert "stage decoder" in capsys.readouterr().out
    preset = recipes.train(run / "recipe.toml", run, changes=changes)
    out = capsys.readouterr().out
    assert "stage all" in out and "stage decoder" not in out
    assert "Epoch 2/2" in out and "Epoch 1/2" not in out
    before, after = (ImageCaptioner.from_preset(name) for name in ("captioning", preset))
    for a, b in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert after.sampler.get_config()["num_beams"] == 3
    # Another recipe does not go on there.
    with pytest.raises(recipes.RecipeError, match="stages.decoder.epochs was 1 and is 3"):
        recipes.train(run / "recipe.toml", run, changes=[*changes, "stages.decoder.epochs=3"])


def clips(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        samples = np.zeros(800 + i, "int16").tobytes()
        (folder / f"{i}.wav").write_bytes(wav(samples, rate=16000))


@pytest.mark.parametrize("place", ["", "clips", "elsewhere"])
def test_clips(tmp_path, place):
    path, run = tmp_path / "validated.tsv", tmp_path / "run"
    rows = [f"someone\t{i}.wav\tYes, it's {i}.\n" for i in range(60)]
    path.write_text("client_id\tpath\tsentence\n" + "".join(rows))
    clips(tmp_path / place, 58)
    assert recognize(path) == ("speech", (1, 2))
    told = {"clips": tmp_path / place} if place == "elsewhere" else {}
    recipe, shown, messages = made(path, run, columns=("path", "sentence"), **told)
    assert recipe.task == "speech" and recipe.sound.ctc_weight
    assert shown[0] == f"60 clips in {path}, in the folder {tmp_path / place}"
    assert shown[1] == "first clip: 0.wav -> Yes, it's 0."
    assert "2 of 60 clips left out, for they are not in" in messages[0]
    parts = {name: recipe.read([f"{name}.tsv"], run) for name in ("train", "valid", "test")}
    assert {name: len(texts) for name, (_, texts) in parts.items()} == {
        "train": 54,
        "valid": 2,
        "test": 2,
    }
    read = {clip: text for some, texts in parts.values() for clip, text in zip(some, texts)}
    assert read == {str(tmp_path / place / f"{i}.wav"): f"Yes, it's {i}." for i in range(58)}
    # The characters, and nothing else.
    assert recipe.preprocessor(*parts["train"]).target_tokenizer.vocabulary_size > 15


def test_bad_clips(tmp_path):
    path = tmp_path / "clips.tsv"
    path.write_text("".join(f"{i}.wav\tyes\n" for i in range(30)))
    with pytest.raises(RecipeError, match="its clips, such as '0.wav', are neither beside it nor"):
        made(path, tmp_path / "run")
    clips(tmp_path, 30)
    with pytest.raises(RecipeError, match="30 clips; 40 are needed at least"):
        made(path, tmp_path / "run")
    (tmp_path / "pairs.tsv").write_text("eins\tone\n" * 50)
    with pytest.raises(RecipeError, match="names no clips, for which --clips is"):
        made(tmp_path / "pairs.tsv", tmp_path / "run", clips=tmp_path)
