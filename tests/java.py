"""What needs Java."""

import shutil

import pytest

JAVA = pytest.mark.skipif(
    not shutil.which("java"), reason="pycocoevalcap tokenizes captions with Java, which is missing"
)
