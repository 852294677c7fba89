import gzip
import io
import json
import os
import pty
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import keras_s2s
import keras_s2s_cli
from keras_s2s import zoo
from keras_s2s.models import preset_folders
from tests.captioners import coloured, small_captioner
from tests.models.test_speech_recognizer import RATE, clips, make_model, make_tokenizer
from tests.preprocessing.test_wav_files import as_bits, wav

ROOT = Path(__file__).parents[1]
SENTENCES = ["ein Hund bellt", "eine Katze", "guten Morgen"]


@pytest.fixture
def shipped(preset, tmp_path, monkeypatch):
    """Stands in for the shipped presets: the tiny one as the preset for translation."""
    shutil.copytree(preset, tmp_path / "shipped" / "translation_de_en")
    monkeypatch.setattr(preset_folders, "root", lambda: tmp_path / "shipped")
    return tmp_path / "shipped" / "translation_de_en"


@pytest.fixture(scope="module")
def model(preset):
    return zoo.load(preset)


@pytest.fixture
def cli(shipped, model, capfdbinary, monkeypatch):
    """Runs a command in this process; gives exit code, stdout and stderr."""
    # Loading has tests of its own; one model for all saves tracing it again and again.
    monkeypatch.setattr(zoo, "load", lambda name, dtype=None: model)

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stop:
            keras_s2s_cli.main([str(argument) for argument in arguments])
        sys.stdout.flush()
        output = capfdbinary.readouterr()
        out = output.out.decode("utf-8", "surrogateescape")
        return stop.value.code or 0, out, output.err.decode("utf-8")

    return run


@pytest.fixture(scope="module")
def expected(model):
    return model.generate(SENTENCES)


COMMAND = "-c", "from keras_s2s_cli import main; main()"
MODULE = "-m", "keras_s2s"


def process(*arguments, program=COMMAND, level=None, **options):
    """Runs a command as a process of its own, by default as it runs for whoever installed it."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(ROOT)
    if level is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.run(command, env=environment, **options)


def test_list(cli):
    assert cli("list") == (0, "translation_de_en\tKnows nothing yet.\n", "")


def test_card(cli):
    code, out, err = cli("card", "translation")
    assert (code, err) == (0, "")
    assert out.startswith("# Tiny: German to English\n")
    assert "CC0-1.0" in out and "pipeline_tag" not in out


@pytest.mark.slow
def test_verify(cli):
    code, out, err = cli("verify", "translation")
    assert (code, err) == (0, "")
    assert out.startswith("translation: ") and out.endswith(
        " files intact, 3 examples reproduced\n"
    )


def test_verify_fails(cli, shipped):
    with open(shipped / "recipe.toml", "w") as file:
        file.write("epochs = 1\n")
    zoo.write_card(shipped)
    (shipped / "recipe.toml").unlink()
    code, out, err = cli("verify", "translation")
    assert (code, out) == (1, "")
    assert err.startswith("keras-s2s: Preset file ") and "recipe.toml' is missing" in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_generate_from_arguments(cli, expected):
    assert cli("generate", "translation", *SENTENCES) == (0, "\n".join([*expected, ""]), "")


@pytest.mark.slow
def test_generate_from_stdin(cli, expected):
    stdin = "\n".join(SENTENCES).encode()
    code, out, err = cli("generate", "translation", "--batch-size", 1, stdin=stdin)
    assert (code, out, err) == (0, "\n".join([*expected, ""]), "")


def test_generate_from_json_lines(cli, expected, tmp_path):
    rows = [json.dumps({"id": 1, "de": text}) for text in SENTENCES]
    rows[2:2] = ["", json.dumps({"de": " "}, indent=None)]
    lines = "\n".join([*rows, ""])
    result = "\n".join([*expected[:2], "", "", expected[2], ""])
    path = tmp_path / "in.jsonl"
    path.write_bytes(gzip.compress(lines.encode()))
    assert cli("generate", "translation", "--input", path, "--key", "de") == (0, result, "")
    assert cli("generate", "translation", "--key", "de", stdin=lines.encode()) == (0, result, "")
    _, _, err = cli("generate", "translation", "--input", path)
    assert "--key NAME takes the text at a key" in err
    path.write_text(f'{lines}{{"en": "a dog"}}\n')
    code, out, err = cli("generate", "translation", "--input", path, "--key", "de")
    assert (code, out) == (1, "") and "line 6: there is no key 'de'" in err
    code, out, err = cli("generate", "translation", "--key", "de", stdin=b"ein Hund\n")
    assert (code, out) == (1, "") and "line 1: no JSON" in err
    assert cli("generate", "translation", "--key", "de", "ein Hund")[0] == 2


def test_generate_from_and_to_a_file(cli, expected, tmp_path):
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    # Line ends of another system, an empty line, and what Unicode calls a line end.
    source.write_bytes(f"{SENTENCES[0]}\r\n\n  \n{SENTENCES[1]}\u2028\n{SENTENCES[2]}".encode())
    code, out, err = cli("generate", "translation", "-i", source, "-o", target)
    assert (code, out, err) == (0, "", "")
    lines = target.read_text(encoding="utf-8").split("\n")
    assert lines == [expected[0], "", "", expected[1], expected[2], ""]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["unix", "windows", "old mac"])
def test_lines_of_every_system(cli, expected, tmp_path, end):
    path = tmp_path / "in.de"
    lines = [SENTENCES[0].encode(), b"", b"\x0c", SENTENCES[1].encode()]
    content = b"\xef\xbb\xbf" + end.join(lines)
    path.write_bytes(gzip.compress(content))
    result = f"{expected[0]}\n\n\n{expected[1]}\n"
    assert cli("generate", "translation", "--input", path) == (0, result, "")
    assert cli("generate", "translation", stdin=content + end) == (0, result, "")


def test_utf_16_is_refused(cli):
    code, _, err = cli("generate", "translation", stdin="ein Hund\n".encode("utf-16"))
    assert code == 1 and "UTF-16" in err and "iconv" in err and err.count("\n") == 1


@pytest.fixture
def short(model, monkeypatch):
    """The model now reads no more than `SENTENCES[0]` and a full stop."""
    most = int(model.preprocessor.count_source_ids([f"{SENTENCES[0]}."])[0])
    monkeypatch.setattr(model.preprocessor, "source_length", most)
    return most - 1


def test_long_lines_are_told_once(cli, short, tmp_path):
    path, target = tmp_path / "in.de", tmp_path / "out.en"
    path.write_text(f"\n{SENTENCES[0]}\n{'Hund ' * 9}\n" * 2)
    code, out, err = cli("generate", "translation", "--input", path, "--batch-size", 1)
    assert code == 0 and out.count("\n") == 6
    told = f"2 of 6 lines have more than {short} pieces, the first is line 3"
    assert err.startswith(f"keras-s2s: {told}; they were cut") and err.count("\n") == 1
    assert "--on-long split" in err
    error = "--on-long", "error"
    code, out, err = cli("generate", "translation", "--input", path, "--output", target, *error)
    assert (code, out) == (1, "") and err.startswith(f"keras-s2s: {told}. Nothing was written")
    assert not target.exists()
    assert cli("generate", "translation", SENTENCES[0], *error)[0] == 0


def test_long_lines_are_split_into_sentences(cli, short, model):
    one, two = (model.generate(f"{text}.") for text in SENTENCES[:2])
    line = f"{SENTENCES[0]}.\x0c{SENTENCES[1]}."
    code, out, err = cli("generate", "translation", line, "", "--on-long", "split")
    assert (code, out, err) == (0, f"{one} {two}".strip() + "\n\n", "")


def test_nothing_in_nothing_out(cli):
    assert cli("generate", "translation") == (0, "", "")


def test_not_utf8(cli):
    code, out, err = cli("generate", "translation", stdin=b"\xff\xfe\n\xc3\n")
    assert (code, err) == (0, "")
    assert out.count("\n") == 2


@pytest.mark.slow
def test_options_reach_the_search(cli, model):
    beam = keras_s2s.decoding.Beam.from_config(
        {**model.sampler.get_config(), "num_beams": 4, "num_return_sequences": 2}
    )
    columns = model.generate(SENTENCES, 4, beam, return_scores=True, return_confidence=True)
    rows = [row for of_line in zip(*columns) for row in zip(*of_line)]
    options = ["--num-beams", 4, "--num-results", 2, "--max-length", 4, "--scores", "--confidence"]
    code, out, err = cli("generate", "translation", *options, *SENTENCES)
    assert (code, err) == (0, "")
    lines = [f"{score:.4f}\t{confidence:.4f}\t{text}\n" for text, score, confidence in rows]
    assert out == "".join(lines)


@pytest.mark.slow
def test_empty_line_with_scores_keeps_the_lines_aligned(cli):
    options = ["--num-beams", 4, "--num-results", 2, "--max-length", 4, "--scores"]
    code, out, err = cli("generate", "translation", *options, stdin=b"\nein Hund\n")
    assert (code, err) == (0, "")
    assert out.startswith("0.0000\t\n0.0000\t\n") and out.count("\n") == 4


@pytest.mark.parametrize(
    ["arguments", "message"],
    [
        (["generate", "translatoin", "x"], "Did you mean 'translation'"),
        (["card", "no/such/folder"], "no preset folder at 'no/such/folder'"),
        (["generate", "translation", "x", "--input", __file__], "not both"),
        (["generate", "translation", "--input", "missing.txt"], "'missing.txt' does not exist"),
        (["generate", "translation", "x", "--num-beams", "0"], "--num-beams"),
        (["generate", "translation", "x", "--beams", "3"], "--num-beams"),
        (["generate"], "Missing argument"),
        (["translate"], "No such command"),
    ],
)
def test_called_wrongly(cli, arguments, message):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert message in err and err.startswith("keras-s2s: ") and err.count("\n") == 1


def test_the_input_is_not_written_over(cli, tmp_path):
    path = tmp_path / "in.de"
    path.write_text("ein Hund\n")
    code, out, err = cli("generate", "translation", "--input", path, "--output", path)
    assert (code, out) == (2, "") and "would be lost" in err
    assert path.read_text() == "ein Hund\n"


@pytest.mark.slow
def test_preset_that_returns_several_gives_one_line_each(cli, model, expected, monkeypatch):
    several = {**model.sampler.get_config(), "num_return_sequences": 3}
    monkeypatch.setattr(model, "sampler", model.sampler.from_config(several))
    assert cli("generate", "translation", *SENTENCES)[1].splitlines() == expected
    lines = cli("generate", "translation", "--scores", *SENTENCES)[1].splitlines()
    assert [line.split("\t")[1] for line in lines] == expected


def test_fewer_beams_than_results(cli):
    code, out, err = cli("generate", "translation", "x", "--num-beams", 1, "--num-results", 2)
    assert (code, out) == (1, "")
    assert err.startswith("keras-s2s: ") and err.count("\n") == 1


def test_help_starts_no_tensorflow():
    code = """
import sys, keras_s2s_cli
try:
    keras_s2s_cli.main(["generate", "--help"])
finally:
    assert not {"keras", "tensorflow"} & set(sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "--num-beams" in result.stdout and "Wo ist der Bahnhof?" in result.stdout


@pytest.mark.thorough
@pytest.mark.slow
def test_stderr_stays_clean(preset_for_all):
    """Of the module too, and where the environment has a level of its own."""
    arguments = "generate", preset_for_all, "ein Hund"
    result = process(*arguments, program=MODULE, level="2", capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.count(b"\n") == 1


def test_only_warnings_of_the_package_are_told(cli, monkeypatch):
    def warn(**options):
        for _ in range(2):
            warnings.warn_explicit("Ours\nis one line.", UserWarning, keras_s2s.__file__, 1)
            warnings.warn_explicit("Theirs", UserWarning, os.__file__, 1)
        warnings.warn("Also ours", keras_s2s.preprocessing.CutWarning, stacklevel=1)
        return {}

    monkeypatch.setattr(zoo, "list", warn)
    for name in ("TF_CPP_MIN_LOG_LEVEL", "PYTHONWARNINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "warnoptions", [])
    monkeypatch.setattr(keras_s2s_cli, "_library", lambda: keras_s2s)
    told = "keras-s2s: Ours is one line.\nkeras-s2s: Also ours\n"
    assert cli("list") == (0, "", told)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with pytest.warns(UserWarning, match="Theirs"):
        assert cli("list") == (0, "", told)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_closed_pipe_is_no_error(preset_for_all):
    """And TensorFlow says nothing of its own."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        result = process(
            "generate", preset_for_all, "a", "b", stdout=closed, stderr=subprocess.PIPE
        )
    assert result.stderr == b""


@pytest.mark.thorough
@pytest.mark.slow
def test_progress_on_a_terminal(preset_for_all, tmp_path):
    source, target = tmp_path / "in.de", tmp_path / "out.en"
    source.write_text("ein Hund\n" * 20)
    ours, theirs = pty.openpty()
    options = ["--batch-size", 1, "--input", source, "--output", target]
    streams = {"stdout": subprocess.PIPE, "stderr": theirs}
    result = process("generate", preset_for_all, *options, program=MODULE, **streams)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 10_000):
            shown += part
    except OSError:
        pass  # Linux says so at the end of a terminal.
    os.close(ours)
    assert (result.returncode, result.stdout) == (0, b"")
    assert target.read_text().count("\n") == 20
    assert b"20/20" in shown and b"sentences/s" in shown


@pytest.mark.thorough
@pytest.mark.slow
def test_captions_of_files(cli, tmp_path, monkeypatch):
    model = small_captioner(simple=True)
    model.save_to_preset(tmp_path / "preset")
    monkeypatch.setattr(zoo, "load", lambda name: model)
    images, _ = coloured(2)
    paths = [tmp_path / "one.png", tmp_path / "zwei ä.jpg"]
    for path, image in zip(paths, images):
        image.save(path)
    expected = model.generate(paths)
    code, out, err = cli("generate", tmp_path / "preset", *paths)
    assert (code, out.splitlines(), err) == (0, expected, "")
    lines = "\n".join(map(str, [paths[1], "", paths[0]])).encode()
    _, out, _ = cli("generate", tmp_path / "preset", stdin=lines)
    assert out.splitlines() == [expected[1], "", expected[0]]
    odd = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    paths[1].rename(os.fsdecode(odd))
    code, out, err = cli("generate", tmp_path / "preset", os.fsdecode(odd))
    assert (code, out.splitlines(), err) == (0, expected[1:], "")
    _, out, _ = cli("generate", tmp_path / "preset", stdin=odd)
    assert out.splitlines() == expected[1:]
    code, out, err = cli("generate", tmp_path / "preset", paths[0], tmp_path / "none.png")
    assert code == 1 and out == ""
    assert err.count("\n") == 1 and "inputs[1]" in err and "none.png" in err


@pytest.mark.slow
def test_drawing_of_text(cli, expected, tmp_path):
    from PIL import Image

    code, out, _ = cli("draw", "translation", SENTENCES[0], "--output", tmp_path / "one.png")
    assert code == 0 and out.splitlines()[0] == expected[0]
    with Image.open(tmp_path / "one.png") as image:
        assert image.size[0] > 100


@pytest.mark.thorough
@pytest.mark.slow
def test_drawing_of_a_picture(cli, tmp_path, monkeypatch):
    from PIL import Image

    model = small_captioner(simple=True)
    model.save_to_preset(tmp_path / "preset")
    monkeypatch.setattr(zoo, "load", lambda name: model)
    coloured(1)[0][0].save(tmp_path / "in.png")
    output = tmp_path / "out.png"
    code, out, _ = cli("draw", tmp_path / "preset", tmp_path / "in.png", "--output", output)
    assert (code, out.splitlines()[0]) == (0, model.generate(tmp_path / "in.png"))
    with Image.open(output) as image:
        assert image.size[0] > 100


@pytest.mark.thorough
@pytest.mark.slow
def test_export(cli, model, tmp_path):
    import tensorflow as tf

    path = tmp_path / "translator" / "1"
    code, out, _ = cli("export", "translation", path, "--num-beams", 1, "--max-length", 4)
    assert (code, out) == (0, f"wrote {path}\n")
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    texts = [text.decode() for text in served(text=tf.constant(SENTENCES))["text"].numpy()]
    sampler = keras_s2s.decoding.Beam(1, length_penalty=1.0)
    assert texts == model.generate(SENTENCES, sampler=sampler, max_length=4)
    code, _, err = cli("export", "translation", path)
    assert code == 1 and "exists" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["train", "none.toml", "-o", "run"], "none.toml"),
        (["train", "recipe.toml"], "--output"),
        (["train", "recipe.toml", "-o", "run", "--columns", "2,1"], "a recipe has `columns`"),
        (["train", "recipe.toml", "-o", "run", "--images", "."], "a recipe has `images`"),
        (["train", "pairs.tsv", "-o", "run", "--columns", "2"], "two numbers from 1"),
        (["train", "pairs.tsv", "-o", "run", "--columns", "0,1"], "two numbers from 1"),
        (["generate", "translation", "--on-long", "drop"], "--on-long"),
        (["evaluate", "translation"], "--data"),
        (["evaluate", "translation", "--data", ".", "--split", "train"], "tests or valid"),
        (["evaluate", "translation", "--data", ".", "--check", "--num-beams", "2"], "own way"),
        (["evaluate", "translation", "--data", ".", "--check", "--tokenize", "zh"], "own way"),
        (["evaluate", "translatoin", "--data", "."], "Did you mean 'translation'"),
        (["export", "translation"], "path"),
        (["draw", "translation"], "source"),
    ],
)
def test_other_commands_called_wrongly(cli, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "pairs.tsv").write_text("")
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


def test_what_cannot_be_trained_or_evaluated_is_one_line(cli, shipped, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    for text, options, message in (
        ("a\tb\n" * 50, [], "1 different sources; 40 are needed"),
        ("", [], "is empty"),
        ("a b\n", [], "has one column. 2 columns are needed"),
        ("a,b\n" * 50, [], "1 different sources; 40 are needed"),
        ("1.jpg,a dog\n" * 50, [], "Name their folder with --images FOLDER"),
        ("1.jpg,a dog\n" * 50, ["--images", tmp_path / "none"], "no folder"),
        ("{}", [], "has not the layout of COCO's captions"),
        ("id\tde\ten\n1\ta\tb\n", ["--columns", "de,fr"], "no column 'fr'"),
    ):
        pairs.write_text(text)
        code, _, err = cli("train", pairs, "--output", tmp_path / "run", *options)
        assert code == 1 and message in err and err.count("\n") == 1
        assert not (tmp_path / "run").exists()
    code, _, err = cli("evaluate", "translation", "--data", tmp_path)
    assert code == 1 and "recipe.toml" in err and err.count("\n") == 1


def test_pairs_are_shown_and_what_is_left_out_is_told(cli, tmp_path, monkeypatch):
    pairs, output = tmp_path / "pairs.tsv", tmp_path / os.fsdecode(b"run \xff")
    rows = "".join(f"sentence {i}\t{i}\tsatz {i}\n" for i in range(50))
    pairs.write_text("en\tid\tde\n" + rows + "x\t50\t\n")
    monkeypatch.setattr(keras_s2s.recipes, "train", lambda recipe, *rest: recipe.parent / "preset")
    for columns in ("de,en", "3,1"):
        code, out, err = cli("train", pairs, "--output", output, "--columns", columns)
        assert code == 0 and "first pair: satz 0 -> sentence 0\n" in out
        assert "1 row with an empty side left out: line 52" in err
        assert err.count("\n") == 1 + (columns == "3,1")
    assert keras_s2s.data.read_tsv(output / "valid.tsv")[0][0].startswith("satz")


def test_captions_are_shown_and_what_is_left_out_is_told(cli, tmp_path, monkeypatch):
    """The layout of Kaggle's Flickr8k, beside its folder."""
    monkeypatch.setattr(preset_folders, "root", lambda: ROOT / "zoo")
    monkeypatch.setattr(keras_s2s.recipes, "train", lambda recipe, *rest: recipe.parent / "preset")
    (tmp_path / "Images").mkdir()
    for i in range(1, 30):
        (tmp_path / "Images" / f"{i}.jpg").write_bytes(b"")
    rows = [f'{i}.jpg,"A dog , number {i} , runs ."\n{i}.jpg,A cat .\n' for i in range(30)]
    (tmp_path / "captions.txt").write_text("image,caption\n" + "".join(rows))
    code, out, err = cli("train", tmp_path / "captions.txt", "--output", tmp_path / "run")
    assert code == 0 and out.splitlines() == [
        f"30 images with 60 captions in {tmp_path / 'captions.txt'}, images in "
        f"{tmp_path / 'Images'}",
        "first image: 0.jpg -> A dog, number 0, runs.",
        f"wrote {tmp_path / 'run' / 'recipe.toml'}",
        f"wrote {tmp_path / 'run' / 'preset'}",
    ]
    [missing] = err.splitlines()
    assert "1 of 30 images left out" in missing and "first '0.jpg'" in missing


@pytest.mark.slow
def test_when_words_are_said(cli, monkeypatch, preset, tmp_path):
    pytest.importorskip("matplotlib")
    recognizer = make_model(make_tokenizer())
    for i, clip in enumerate(clips()):
        (tmp_path / f"{i}.wav").write_bytes(wav(as_bits(clip, 32), bits=32, rate=RATE))
    paths = [str(tmp_path / f"{i}.wav") for i in range(3)]
    texts, looked = recognizer.transcribe(paths, return_attention=True)
    assert "is for presets of speech" in cli("generate", preset, "ja", "--times")[2]
    monkeypatch.setattr(zoo, "load", lambda name, dtype=None: recognizer)
    code, out, errors = cli("generate", preset, *paths)
    assert code == 0 and out.split("\n") == [*texts, ""], errors
    code, out, errors = cli("generate", preset, *paths, "--times")
    expected = [
        "".join(f"{begin:.2f}\t{end:.2f}\t{word}\n" for word, begin, end in alignment.words) + "\n"
        for alignment in looked
    ]
    assert code == 0 and out == "".join(expected) and texts[2] == "", errors
    assert "cannot be combined" in cli("generate", preset, "--times", "--scores")[2]
    picture = tmp_path / "speech.png"
    code, out, errors = cli("draw", preset, paths[0], "--output", picture)
    assert code == 0 and out.startswith(texts[0]) and picture.stat().st_size > 1000, errors
