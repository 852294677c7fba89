"""Runs the Python of a page of docs/ in the current folder, which holds its data."""

import argparse
import re
import textwrap
from pathlib import Path


def blocks(text):
    """Returns the fenced Python blocks of a text."""
    found = re.findall(r"^( *)```python\n(.*?)^\1```", text, flags=re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


def run(page, replace=()):
    """Runs the code of a page, in which the texts in `replace` are replaced."""
    code = "\n".join(blocks(page.read_text(encoding="utf-8")))
    for old, new in replace:
        if old not in code:
            raise SystemExit(f"{page} has no {old!r}")
        code = code.replace(old, new)
    exec(compile(code, page.name, "exec"), {})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="such as docs/tutorials/nmt_with_attention.md")
    parser.add_argument(
        "--replace",
        nargs=2,
        action="append",
        default=[],
        metavar=("OLD", "NEW"),
        help="text of the page to read as another",
    )
    arguments = parser.parse_args()
    run(arguments.page, arguments.replace)


if __name__ == "__main__":
    main()
