"""What needs Java."""

import shutil

import pytest

JAVA = pytest.mark.skipif(
    not shutil.which("java"), reason="pycocoevalcap tokenizes captions with Java, which is missing"
)


def quick_meteor(monkeypatch):
    """METEOR, which takes seconds to start, finds all alike; what it is has a test of its own."""
    from pycocoevalcap.meteor import meteor

    class Meteor:
        def compute_score(self, references, hypotheses):
            return 0.5, [0.5] * len(hypotheses)

    monkeypatch.setattr(meteor, "Meteor", Meteor)
