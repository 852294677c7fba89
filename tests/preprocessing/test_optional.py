"""What must work where packages are missing. Run in processes of their own."""

import json
import os
import subprocess
import sys

import pytest

HIDE = """
import json, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError("No module named " + repr(name))

hidden, path, *more = map(json.loads, sys.argv[1:])
sys.meta_path.insert(0, Hidden())

from keras_s2s.preprocessing import SentencePieceTokenizer, TextPairPreprocessor

def fails(use, command):
    try:
        use()
    except ImportError as error:
        assert command in str(error), error
    else:
        raise AssertionError("no error")
"""

WITHOUT_TENSORFLOW = """
ids, = more
tokenizer = SentencePieceTokenizer(path, sample_alpha=0.1)
preprocessor = TextPairPreprocessor(tokenizer)
assert tokenizer.vocabulary_size == 120
assert SentencePieceTokenizer.from_config(tokenizer.get_config()).proto == tokenizer.proto
assert tokenizer.encode(["Hund"])[0].tolist() == ids

from keras_s2s.data import Batches
batches = Batches.from_raw(preprocessor, ["ein Hund"] * 9, ["Kinder"] * 9)
assert sum(float(weight.any(1).sum()) for _, _, weight in batches) == 9
assert "tensorflow" not in sys.modules

fails(lambda: tokenizer.tokenize(["Hund"]), "pip install tensorflow")
fails(lambda: tokenizer.detokenize([[5, 6]]), "pip install tensorflow")
fails(lambda: preprocessor(["Hund"], ["Hund"]), "pip install tensorflow")
"""

WITHOUT_TENSORFLOW_TEXT = """
tokenizer = SentencePieceTokenizer(path)
fails(lambda: tokenizer.tokenize(["Hund"]), "pip install tensorflow-text")
fails(lambda: tokenizer.resources, "pip install tensorflow-text")
fails(lambda: tokenizer.encode(["Hund"]), "pip install sentencepiece")
fails(lambda: SentencePieceTokenizer.train(["Hund"], 9), "pip install sentencepiece")
"""


def run(code, *arguments, backend):
    out = subprocess.run(
        [sys.executable, "-c", HIDE + code, *map(json.dumps, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert out.returncode == 0, out.stderr[-2000:]


@pytest.mark.slow
def test_without_tensorflow_on_jax(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "spm.model")
    ids = tokenizer.tokenize("Hund").numpy().tolist()
    hidden = ["tensorflow", "tensorflow_text"]
    run(WITHOUT_TENSORFLOW, hidden, str(tmp_path / "spm.model"), ids, backend="jax")


@pytest.mark.slow
def test_without_tensorflow_text_and_sentencepiece(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "spm.model")
    hidden = ["tensorflow_text", "sentencepiece"]
    run(WITHOUT_TENSORFLOW_TEXT, hidden, str(tmp_path / "spm.model"), backend="tensorflow")
