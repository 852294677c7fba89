"""The command line, `keras-s2s`.

It stands beside the package, because importing the package starts Keras and TensorFlow: that takes
seconds, which `--help` and a mistyped option need not wait for, and TensorFlow writes to stderr
while it is imported, which only code that runs before can keep away.
"""

import contextlib
import functools
import itertools
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

app = typer.Typer(
    name="keras-s2s",
    help=(
        "Trained sequence-to-sequence models on the command line.\n\n"
        "TensorFlow's log output is hidden; set `TF_CPP_MIN_LOG_LEVEL=0` in the environment to see "
        "it."
    ),
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
PresetName = Annotated[
    str, typer.Argument(help="A name of `keras-s2s list`, or a preset's folder.")
]


def main(arguments=None):
    """Runs a command; exits with 0, with 1 after a failure, with 2 if called wrongly."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if hasattr(sys.stdout, "reconfigure"):
        # Paths need not be Unicode.
        sys.stdout.reconfigure(errors="surrogateescape")
    with warnings.catch_warnings():
        _show_warnings()
        try:
            status = app(arguments or ["--help"], prog_name="keras-s2s", standalone_mode=False)
        except Exception as error:
            # What the parser refuses brings its own exit code and wording.
            usage = hasattr(error, "format_message")
            _tell(error.format_message() if usage else str(error) or type(error).__name__)
            status = error.exit_code if usage else 1
    sys.exit(status)


def _tell(message):
    print("keras-s2s:", " ".join(message.split()), file=sys.stderr)


def _show_warnings():
    """Has warnings of the package told once, on a line each, and others only if asked for."""
    told, show_others, package = (
        set(),
        warnings.showwarning,
        str(Path(__file__).parent / "keras_s2s"),
    )
    is_quiet = not sys.warnoptions and not _wants_everything()
    if is_quiet:
        warnings.simplefilter("ignore")
    warnings.filterwarnings("default", category=UserWarning)

    def show(message, category, filename, *rest, **options):
        is_ours = category.__module__.startswith("keras_s2s") or filename.startswith(package)
        if is_ours and str(message) not in told:
            told.add(str(message))
            _tell(str(message))
        elif not is_ours and not is_quiet:
            show_others(message, category, filename, *rest, **options)

    warnings.showwarning = show


def _wants_everything():
    # 2 and 3 are what people set to be spared.
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")


@app.command("list")
def list_presets():
    """Name the shipped presets.

    On a terminal a table; elsewhere one line each, name and description separated by a tab.
    """
    library = _library()
    presets = library.zoo.list()
    if not sys.stdout.isatty():
        for name, description in presets.items():
            print(name, description, sep="\t")
        return
    table = Table("name", "short", "description", box=None, header_style="bold")
    short = {name: alias for alias, name in library.models.preset_folders.ALIASES.items()}
    for name, description in presets.items():
        table.add_row(name, short.get(name, ""), description)
    Console().print(table)


@app.command()
def card(name: PresetName):
    """Show what a preset does, its data, licence and figures."""
    folder = _find(name)
    cards = _library().zoo.cards
    text = cards.body(folder.name, cards.read(folder))
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        print(text)


@app.command()
def verify(name: PresetName):
    """Check a preset: the hash of every file, then its example sentences word by word."""
    _find(name)
    report = _library().zoo.verify(name)
    print(
        f"{name}: {len(report['files'])} files intact, {len(report['examples'])} examples "
        "reproduced"
    )


@app.command()
def generate(
    name: PresetName,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Sentences, or paths of images or clips; none: one a line from stdin."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input", "-i", help="Read one sentence or path a line.", exists=True, dir_okay=False
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write here, not to stdout.", dir_okay=False),
    ] = None,
    num_beams: Annotated[
        int | None, typer.Option(min=1, help="Width of the beam search.  [default: the preset's]")
    ] = None,
    num_results: Annotated[
        int, typer.Option(min=1, help="Best results per sentence, each a line, the best first.")
    ] = 1,
    scores: Annotated[
        bool, typer.Option("--scores", help="Put the score and a tab before every result.")
    ] = False,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Put the mean log-probability of its tokens and a tab before every result.",
        ),
    ] = False,
    times: Annotated[
        bool,
        typer.Option(
            "--times",
            help="Of speech: one word a line, with the seconds when it begins and ends and tabs "
            "before it; an empty line after each clip.",
        ),
    ] = False,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Most tokens per result.  [default: the preset's]")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences at once.")] = 64,
    key: Annotated[
        str | None,
        typer.Option(help="Each line is a JSON object, and the text is at this key, such as text."),
    ] = None,
    on_long: Annotated[
        Literal["cut", "error", "split"],
        typer.Option(
            help="What to do with texts that are too long for the preset: cut their ends off and "
            "say how many, refuse them before anything is written, or go through them sentence by "
            "sentence."
        ),
    ] = "cut",
):
    """Run a preset on texts, images or clips of speech: one in, one out, in the same order.

    An empty line stays empty. Bytes that are not UTF-8 become U+FFFD. The card of a preset
    (`keras-s2s card NAME`) says how long a text may be: 99 pieces, some 70 words, for the shipped
    translators.

    **Examples**

    - `keras-s2s generate translation "Wo ist der Bahnhof?"`
    - `keras-s2s generate captioning beach.jpg dog.png`
    - `keras-s2s generate run/preset clip.wav --times`
    - `keras-s2s generate translation --input in.de --output out.en`
    - `keras-s2s generate translation --input letter.de --on-long split`
    - `keras-s2s generate run/preset --input papers.jsonl --key abstract`
    - `cat in.de | keras-s2s generate translation --num-beams 8 --num-results 3 --scores`
    """
    if text and source:
        raise typer.BadParameter("give sentences or --input, not both", param_hint="'--input'")
    if source and target and target.exists() and target.samefile(source):
        raise typer.BadParameter("is the input, and would be lost", param_hint="'--output'")
    if text and key:
        raise typer.BadParameter(
            "is for lines of a file or pipe: give --input, or no sentences", param_hint="'--key'"
        )
    _find(name)
    library = _library()
    model = library.zoo.load(name)
    columns = model.preprocessor.columns
    if times and (scores or confidence):
        raise typer.BadParameter(
            "cannot be combined with --scores or --confidence", param_hint="'--times'"
        )
    if times and (len(columns) > 1 or columns[0].seconds_per_step is None):
        raise typer.BadParameter("is for presets of speech", param_hint="'--times'")
    text_lines = library.data.text_lines
    run = functools.partial(
        model.generate,
        sampler=_sampler(model, num_beams, num_results),
        max_length=max_length,
        batch_size=batch_size,
        return_scores=True,
        return_confidence=True,
        return_attention=times,
        on_long=on_long,
    )
    # More than one batch is read at a time, so that sentences of similar length share a batch.
    chunk = 4 * batch_size
    # Paths are what they are.
    reads_files = any(column.reads_files for column in columns)
    decode = os.fsdecode if reads_files else _decode
    with contextlib.ExitStack() as stack:
        if text:
            # What a shell passes need not be UTF-8 either.
            lines, total = map(decode, map(os.fsencode, text)), len(text)
        elif source:
            if key:
                _check_key(source, key, decode)
            file = stack.enter_context(text_lines.open_bytes(source))
            lines, total = _lines(file, decode), _count(source)
        else:
            lines, total = _lines(sys.stdin.buffer, decode), None
            if sys.stdin.isatty():
                # Somebody who types wants each answer at once.
                chunk = 1
                print("One sentence a line; an end of file (Ctrl-D) stops.", file=sys.stderr)
        if not text:
            lines = _texts(lines, key)
        long = _Long(model, "input" if text else "line")
        if on_long == "error":
            lines = list(lines)
            long.refuse(lines)
        output = stack.enter_context(open(target, "wb")) if target else sys.stdout.buffer
        advance = _progress(stack, total, chunk, output)
        if on_long == "cut":
            stack.callback(long.tell)
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", library.preprocessing.CutWarning)
        for part in _chunks(lines, chunk):
            if on_long == "cut":
                long.count(part)
                if chunk == 1:
                    long.tell()
            for result, *numbers in _generate(run, part, num_results, times):
                alignment = numbers.pop() if times else None
                numbers = itertools.compress(numbers, [scores, confidence])
                cells = [*(f"{number:.4f}" for number in numbers), " ".join(result.splitlines())]
                rows = ["\t".join(cells)]
                if times:
                    words = alignment.words if alignment else []
                    rows = [f"{begin:.2f}\t{end:.2f}\t{word}" for word, begin, end in words]
                    rows.append("")
                output.write("".join(f"{row}\n" for row in rows).encode("utf-8"))
            output.flush()
            advance(len(part))


@app.command()
def train(
    file: Annotated[
        Path,
        typer.Argument(
            help="A recipe (TOML), or data: a TSV, CSV or JSON lines of sentence pairs or of texts "
            "and summaries, a folder of .story files, a table of images and captions, COCO's JSON, "
            "a table of clips and transcripts.",
            exists=True,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of this training.", file_okay=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data.  [default: the recipe's]", file_okay=False),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE,TARGET",
            help="Columns of a TSV or CSV, by number from 1 or by their names in its first line; "
            "keys of JSON lines.  [default: 1,2, or those that hold images or clips and their "
            "texts; text,summary]",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the images that the data name.  [default: one beside them, such as "
            "Images]",
            file_okay=False,
        ),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the clips that the data name.  [default: one beside them, such as "
            "clips]",
            file_okay=False,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="A value in place of the recipe's."),
    ] = None,
):
    """Train a model. After an interruption, the same command goes on where it was.

    OUTPUT then holds `preset/`, which every other command and `keras_s2s.zoo.load` take, and logs.
    If FILE is data, a recipe is first written to OUTPUT, with examples held out for validation and
    test; edit it freely. Rows that are left out, such as those with an empty side, are reported
    with their line numbers.

    **Examples**

    - `keras-s2s train pairs.tsv --output run`
    - `keras-s2s train table.csv --columns de,en --output run`
    - `keras-s2s train news.jsonl --columns article,highlights --output run`
    - `keras-s2s train captions.txt --images Images --output run`
    - `keras-s2s train annotations/captions_train2014.json --images train2014 --output run`
    - `keras-s2s train validated.tsv --columns path,sentence --output run`
    - `keras-s2s train recipe.toml --data corpora --output run`
    - `keras-s2s train recipe.toml --output other --set model.dropout=0.2 --set training.epochs=5`
    """
    # Else TensorFlow gives memory back after each step and takes it again, page by page.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    is_recipe = file.suffix == ".toml"
    for option, value in (("columns", columns), ("images", images), ("clips", clips)):
        if is_recipe and value:
            raise typer.BadParameter(
                f"is about a table of data; a recipe has `{option}` in its table `data`",
                param_hint=f"'--{option}'",
            )
    chosen = _columns(columns) if columns else None
    recipes, recipe = _library().recipes, file
    if not is_recipe:
        show = functools.partial(print, flush=True)
        recipe = recipes.from_file(file, output, chosen, images, clips, show=show)
        print("wrote", recipe)
    verbose = 1 if sys.stdout.isatty() else 2
    preset = recipes.train(recipe, output, data, changes or (), verbose)
    print("wrote", preset)


@app.command()
def evaluate(
    name: PresetName,
    data: Annotated[Path, typer.Option(help="Folder of the data.", exists=True, file_okay=False)],
    num_beams: Annotated[
        int | None,
        typer.Option(min=1, help="Width of the beam search in place of the preset's; 1 is greedy."),
    ] = None,
    length_penalty: Annotated[float | None, typer.Option(help="In place of the preset's.")] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="Dtype policy of the layers, such as bfloat16, or int8 for the weights."),
    ] = None,
    split: Annotated[str, typer.Option(help="tests or valid.", metavar="SPLIT")] = "tests",
    tokenize: Annotated[
        str | None,
        typer.Option(
            help="sacreBLEU's tokenizer, or auto: by the script of the references.  "
            "[default: the recipe's]",
            metavar="NAME",
        ),
    ] = None,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Put the figures on the preset's card.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fail if the figures differ from the card's.")
    ] = False,
):
    """Score a preset on the test sets that its recipe names.

    BLEU and chrF of translations are sacreBLEU's, the figures of captions pycocoevalcap's, which
    needs Java; each with its signature, which names the tokenizer, and half of its 95 % interval.

    **Examples**

    - `keras-s2s evaluate run/preset --data run`
    - `keras-s2s evaluate translation_multi30k_de_en --data corpora --check`
    - `keras-s2s evaluate run/preset --data run --split valid --num-beams 1`
    - `keras-s2s evaluate run/preset --data run --tokenize zh`
    """
    if split not in ("tests", "valid"):
        raise typer.BadParameter("must be tests or valid", param_hint="'--split'")
    changes = {"num_beams": num_beams, "length_penalty": length_penalty}
    changes = {key: value for key, value in changes.items() if value is not None}
    if (write_card or check) and (changes or dtype or split != "tests" or tokenize):
        raise typer.BadParameter(
            "the card is about the tests, decoded and scored in the preset's own way",
            param_hint="'--write-card' / '--check'",
        )
    folder, library = _find(name), _library()
    recipe = library.recipes.read(folder / "recipe.toml")
    recipe.check_files(data)
    model = library.zoo.load(name, dtype=None if dtype == "int8" else dtype)
    if dtype == "int8":
        model.quantize("int8")
    sampler = model.sampler.from_config({**model.sampler.get_config(), **changes})
    figures = library.recipes.evaluate(model, recipe, data, sampler, split, print, tokenize)
    if check:
        library.recipes.check(library.zoo.card(name)["metrics"], figures)
        print("the figures match the card")
    if write_card:
        library.recipes.write_card(model, recipe, folder, data, figures)
        print("wrote", folder / "card.json")


@app.command()
def export(
    name: PresetName,
    path: Annotated[Path, typer.Argument(help="A new folder, such as translator/1.")],
    num_beams: Annotated[
        int | None, typer.Option(min=1, help="Width of the beam search.  [default: the preset's]")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Most tokens per result.  [default: the preset's]")
    ] = None,
):
    """Write a preset as a SavedModel, for TensorFlow Serving.

    **Examples**

    - `keras-s2s export translation translator/1`
    - `keras-s2s export run/preset translator/2 --num-beams 1`
    """
    _find(name)
    model = _library().zoo.load(name)
    sampler = _sampler(model, num_beams, 1)
    model.export(path, sampler=sampler, max_length=max_length, verbose=False)
    print("wrote", path)


@app.command()
def draw(
    name: PresetName,
    source: Annotated[
        str, typer.Argument(help="A sentence, or the path of an image or of a clip of speech.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture.", dir_okay=False)
    ] = Path("attention.png"),
):
    """Draw where a preset looks, or listens, while it writes each word. Needs matplotlib.

    **Examples**

    - `keras-s2s draw translation "Wo ist der Bahnhof?"`
    - `keras-s2s draw captioning beach.jpg --output beach_attention.png`
    """
    _find(name)
    library = _library()
    model = library.zoo.load(name)
    text, alignment = model.generate(source, return_attention=True)
    if alignment.times is None:
        image = source if alignment.source_tokens is None else None
        library.visualize.attention(alignment, image).savefig(output)
    else:
        column = model.preprocessor.raw
        log_mels = column.encode(column.as_batch(source))
        library.visualize.speech(alignment, log_mels, column.seconds_per_step).savefig(output)
    print(text)
    print("wrote", output)


def _sampler(model, num_beams, num_results):
    """Returns None for the preset's own sampler, or one with the preset's other settings."""
    own = model.sampler.get_config()
    if num_beams is None and num_results == 1:
        several = own.get("num_return_sequences", 1) > 1
        return model.sampler.from_config({**own, "num_return_sequences": 1}) if several else None
    beam = _library().decoding.Beam
    settings = (model.sampler if isinstance(model.sampler, beam) else beam()).get_config()
    settings["num_beams"] = num_beams or max(settings["num_beams"], num_results)
    return beam.from_config({**settings, "num_return_sequences": num_results})


def _generate(run, lines, num_results, with_alignment=False):
    """Yields `num_results` tuples of text, score, confidence [and alignment] for each line."""
    results = zip(*run([line for line in lines if line.strip()]))
    for line in lines:
        if not line.strip():
            yield from [("", 0.0, 0.0, *[None] * with_alignment)] * num_results
        elif num_results == 1:
            yield next(results)
        else:
            yield from zip(*next(results))


def _columns(text):
    """The columns of source and target: indices from 0, or names."""
    columns = [column.strip() for column in text.split(",")]
    if len(columns) != 2 or "" in columns or "0" in columns:
        raise typer.BadParameter(
            f"must be two numbers from 1, or two names, such as 2,1 or de,en; not {text!r}",
            param_hint="'--columns'",
        )
    return [int(column) - 1 if column.isdecimal() else column for column in columns]


class _Long:
    """Counts the texts that are too long for a model, to say so once."""

    def __init__(self, model, unit):
        self.preprocessor, self.unit = model.preprocessor, unit
        self.advice = ""
        if model.is_sentence_by_sentence:
            self.advice = " `--on-long split` goes through them sentence by sentence."
        self.seen, self.numbers = 0, []

    def count(self, lines):
        rows = _library().models._long_inputs.find(self.preprocessor, lines)
        self.numbers += [self.seen + row + 1 for row in rows]
        self.seen += len(lines)

    def refuse(self, lines):
        self.count(lines)
        if self.numbers:
            raise ValueError(
                f"{self._which()}. Nothing was written.{self.advice} `--on-long cut` cuts them "
                "there."
            )

    def tell(self):
        if self.numbers:
            _tell(f"{self._which()}; they were cut there.{self.advice}")
            self.numbers = []

    def _which(self):
        pieces = _library().preprocessing.long_texts.pieces(self.preprocessor.raw.text_length)
        return (
            f"{len(self.numbers):,} of {self.seen:,} {self.unit}s have more than {pieces}, the "
            f"first is {self.unit} {self.numbers[0]}"
        )


@functools.cache
def _library():
    """Imports the package and keeps from stderr what TensorFlow and others write meanwhile."""
    if _wants_everything():
        import keras_s2s

        return keras_s2s
    # At level 2 some notes pass as errors; what is an error raises.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _silence():
        import keras

        import keras_s2s
        from keras_s2s._optional import import_tensorflow

        # On other backends, too: text needs it later.
        with contextlib.suppress(ImportError):
            tensorflow = import_tensorflow()
            if keras.backend.backend() == "tensorflow":
                # The first look at the devices is the last that writes.
                tensorflow.config.list_logical_devices()
    for name in ("absl", "jax", "matplotlib", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return keras_s2s


@contextlib.contextmanager
def _silence():
    """Swallows what C++ code writes to stderr, unless an exception passes by."""
    notice = Console(stderr=True)
    if notice.is_terminal:
        notice.print("Loading ...", end="\r", style="dim")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as swallowed:
        os.dup2(swallowed.fileno(), 2)
        try:
            yield
        except BaseException:
            swallowed.seek(0)
            os.write(stderr, swallowed.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    if notice.is_terminal:
        notice.print(" " * len("Loading ..."), end="\r")


def _find(name):
    try:
        return _library().models.preset_folders.find(name)
    except (ValueError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error


def _lines(file, decode):
    """The texts of a binary file. No other line ends than its own count: output stays aligned."""
    is_utf_16 = False
    for number, line in enumerate(_library().data.text_lines.split_lines(file)):
        if number == 0:
            is_utf_16 = line.startswith((b"\xff\xfe", b"\xfe\xff"))
            line = line.removeprefix(b"\xef\xbb\xbf")
        if is_utf_16 and b"\0" in line:
            raise ValueError("The input is UTF-16. Convert it with `iconv -f UTF-16 -t UTF-8`.")
        yield decode(line)


def _texts(lines, key):
    """The texts of JSON lines at a key; without a key the lines themselves."""
    for number, line in enumerate(lines, 1):
        if key is not None and line.strip():
            yield _library().data.summary_readers.text_at(key, line, f"line {number}")
            continue
        if number == 1 and line.startswith('{"') and line.endswith("}"):
            _tell("The first line looks like JSON. --key NAME takes the text at a key.")
        yield line


def _check_key(source, key, decode):
    """Finds a line without the key before anything is written."""
    with _library().data.text_lines.open_bytes(source) as file:
        for _ in _texts(_lines(file, decode), key):
            pass


def _decode(line):
    return line.decode("utf-8", errors="replace")


def _count(path):
    text_lines = _library().data.text_lines
    with text_lines.open_bytes(path) as file:
        return sum(1 for _ in text_lines.split_lines(file))


def _chunks(lines, size):
    lines = iter(lines)
    return iter(lambda: list(itertools.islice(lines, size)), [])


def _progress(stack, total, chunk, output):
    """Returns the function that counts on; a bar is shown where it disturbs nothing."""
    console = Console(stderr=True)
    on_screen = output is sys.stdout.buffer and sys.stdout.isatty()
    if not console.is_terminal or on_screen or (total is not None and total <= chunk):
        return lambda count: None
    columns = [BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()]
    bar = stack.enter_context(Progress(*columns, console=console, redirect_stdout=False))
    task = bar.add_task("", total=total)
    return lambda count: bar.advance(task, count)


class _Rate(ProgressColumn):
    def render(self, task):
        return Text(f"{task.speed or 0:.1f} sentences/s")
