"""What `model.summary()` tells of the preprocessor, as KerasHub's models do."""

import keras
import rich.console
import rich.markup
import rich.table
from absl import logging


def print_preprocessor(preprocessor, line_length=None, print_fn=None):
    """Prints a table of the parts of a preprocessor, in the style of Keras's of layers.

    Args:
        preprocessor: A `keras_s2s.preprocessing.Preprocessor`.
        line_length: Integer or None, as in `keras.Model.summary`.
        print_fn: Function of one string, or None to print on the console.
    """
    if print_fn is None and not keras.config.is_interactive_logging_enabled():
        print_fn = logging.info
    console = rich.console.Console(highlight=False)
    width = line_length or min(88, console.width)
    if print_fn is not None:
        console = rich.console.Console(
            highlight=False, force_terminal=False, color_system=None, width=width
        )
        console.begin_capture()
    table = rich.table.Table("Part (type)", "Config", width=width, show_lines=True)
    for name, part, config in _rows(preprocessor):
        kind = rich.markup.escape(type(part).__name__)
        table.add_row(f"{name} ([color(33)]{kind}[/])", config)
    console.print(f"[bold]Preprocessor: {type(preprocessor).__name__}[/]")
    console.print(table)
    if print_fn is not None:
        print_fn(console.end_capture().rstrip("\n"))


def _rows(preprocessor):
    """Name, part and description of each."""
    converter = getattr(preprocessor, "image_converter", None)
    if converter is not None:
        height, width = converter.image_size
        yield "image_converter", converter, f"image size: {height} x {width}"
    source = getattr(preprocessor, "source_tokenizer", None)
    target = preprocessor.target_tokenizer
    sides = [("target", target, preprocessor.target_length)]
    if source is not None:
        sides.insert(0, ("source", source, preprocessor.source_length))
    for side, tokenizer, length in sides:
        shared = ", the source's" if side == "target" and tokenizer is source else ""
        config = f"vocabulary size: {tokenizer.vocabulary_size:,}, at most {length} tokens{shared}"
        yield f"{side}_tokenizer", tokenizer, config
