"""The command line, `keras-s2s`.

It stands beside the package, because importing the package starts Keras and TensorFlow: that takes
seconds, which `--help` and a mistyped option need not wait for, and TensorFlow writes to stderr
while it is imported, which only code that runs before can keep away.
"""

import contextlib
import functools
import itertools
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

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
    help="Trained sequence-to-sequence models on the command line.",
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
    try:
        status = app(arguments or ["--help"], prog_name="keras-s2s", standalone_mode=False)
    except Exception as error:
        # What the parser refuses brings its own exit code and wording.
        usage = hasattr(error, "format_message")
        message = error.format_message() if usage else str(error) or type(error).__name__
        print("keras-s2s:", " ".join(message.split()), file=sys.stderr)
        status = error.exit_code if usage else 1
    sys.exit(status)


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
        f"{name}: {len(report['files'])} files intact, {len(report['examples'])} examples as told"
    )


@app.command()
def generate(
    name: PresetName,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Sentences, or paths of images; none: one a line from stdin."),
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
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Most tokens per result.  [default: the preset's]")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences at once.")] = 64,
):
    """Run a preset on sentences, or a captioner on images: one in, one out, in the same order.

    An empty line stays empty. Bytes that are not UTF-8 become U+FFFD.

    **Examples**

    - `keras-s2s generate translation "Wo ist der Bahnhof?"`
    - `keras-s2s generate captioning beach.jpg dog.png`
    - `keras-s2s generate translation --input in.de --output out.en`
    - `cat in.de | keras-s2s generate translation --num-beams 8 --num-results 3 --scores`
    """
    if text and source:
        raise typer.BadParameter("give sentences or --input, not both", param_hint="'--input'")
    if source and target and target.exists() and target.samefile(source):
        raise typer.BadParameter("is the input, and would be lost", param_hint="'--output'")
    _find(name)
    model = _library().zoo.load(name)
    run = functools.partial(
        model.generate,
        sampler=_sampler(model, num_beams, num_results),
        max_length=max_length,
        batch_size=batch_size,
        return_scores=True,
    )
    # More than one batch is read at a time, so that sentences of similar length share a batch.
    chunk = 4 * batch_size
    with contextlib.ExitStack() as stack:
        if text:
            # What a shell passes need not be UTF-8 either.
            lines, total = map(_decode, map(os.fsencode, text)), len(text)
        elif source:
            lines, total = _lines(stack.enter_context(open(source, "rb"))), _count(source)
        else:
            lines, total = _lines(sys.stdin.buffer), None
            if sys.stdin.isatty():
                # Somebody who types wants each answer at once.
                chunk = 1
                print("One sentence a line; an end of file (Ctrl-D) stops.", file=sys.stderr)
        output = stack.enter_context(open(target, "wb")) if target else sys.stdout.buffer
        advance = _progress(stack, total, chunk, output)
        for part in _chunks(lines, chunk):
            for score, result in _generate(run, part, num_results):
                line = f"{score:.4f}\t{result}\n" if scores else f"{result}\n"
                output.write(line.encode("utf-8"))
            output.flush()
            advance(len(part))


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


def _generate(run, lines, num_results):
    """Yields `num_results` pairs of score and text for each line."""
    texts, scores = run([line for line in lines if line.strip()])
    results = zip(scores, texts)
    for line in lines:
        if not line.strip():
            yield from [(0.0, "")] * num_results
        elif num_results == 1:
            yield next(results)
        else:
            yield from zip(*next(results))


def _library():
    """Imports the package and keeps from stderr what TensorFlow writes meanwhile."""
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        import keras_s2s

        return keras_s2s
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _silence():
        import keras

        import keras_s2s

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # The first look at the devices is the last that writes.
            tf.config.list_logical_devices()
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


def _lines(file):
    # Only b"\n" ends a line, whatever else Unicode calls a line end, so that output stays aligned.
    return (_decode(line.rstrip(b"\r\n")) for line in file)


def _decode(line):
    return line.decode("utf-8", errors="replace")


def _count(path):
    with open(path, "rb") as file:
        return sum(1 for _ in file)


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
