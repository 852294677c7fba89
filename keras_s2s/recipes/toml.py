"""Makes text safe to write into a TOML file, whatever characters it holds."""

import json
import os


def string(text):
    """`text` as a TOML string, quotation marks included; what is not Unicode becomes U+FFFD."""
    text = os.fsencode(text).decode("utf-8", errors="replace")
    # JSON and TOML escape the same characters, except for one control character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def comment(text):
    r"""`text` as a comment may hold it: with `\n` for a line end, and so on.

    Control characters and what is not Unicode are escaped.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
