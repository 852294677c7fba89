"""Prints the preprocessor in `model.summary()`, as KerasHub's models do."""

import keras
import rich.console
import rich.markup
import rich.table
from absl import logging

from keras_s2s.preprocessing.text_column import without_prefix


def print_preprocessor(preprocessor, line_length=None, print_fn=None):
    """Prints a table of the parts of a preprocessor, in the style of Keras's table of layers.

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
        table.add_row(f"{name} ([color(33)]{kind}[/])", rich.markup.escape(config))
    console.print(f"[bold]Preprocessor: {type(preprocessor).__name__}[/]")
    console.print(table)
    if print_fn is not None:
        print_fn(console.end_capture().rstrip("\n"))


def _rows(preprocessor):
    """Yields the name, the object and the description of each part."""
    columns, target = preprocessor.columns, preprocessor.target_tokenizer
    tokenizers = []
    for column in columns:
        for name, part, config in column.described():
            if name == "tokenizer":
                tokenizers.append(part)
                name = f"{'source' if len(columns) == 1 else column.raw_name}_tokenizer"
            yield name, part, config
    shared = ", the source's" if list(map(without_prefix, tokenizers)) == [target] else ""
    config = f"vocabulary size: {target.vocabulary_size:,}, "
    config += f"at most {preprocessor.target_length} tokens{shared}"
    yield "target_tokenizer", target, config
