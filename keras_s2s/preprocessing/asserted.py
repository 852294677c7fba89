"""Reads why a file could not be decoded, for people."""

import re


def reason(error):
    """TensorFlow's error message, without the names of its operations.

    Args:
        error: A `tf.errors.OpError`, such as that of `tf.debugging.Assert(holds, ["This image is
            cut short:", name])`.

    Returns:
        A sentence.
    """
    asserted = re.search(r"\[((?:This|The) [^\]]*):\]", error.message)
    if asserted:
        return f"{asserted[1]}."
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", error.message).strip()
    return text.split("\n")[0].rstrip(".") + "."
