"""What must work where packages are missing."""

import copy
import importlib
import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from keras_s2s.preprocessing import SentencePieceTokenizer
from tests.preprocessing.sentences import make_sentences

HIDE = """
import json, sys

import numpy as np

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
strings, ids = more
tokenizer = SentencePieceTokenizer(path, sample_alpha=0.1)
preprocessor = TextPairPreprocessor(tokenizer)
assert tokenizer.vocabulary_size == 120
assert SentencePieceTokenizer.from_config(tokenizer.get_config()).proto == tokenizer.proto
assert [row.tolist() for row in tokenizer.encode(strings)] == ids
assert tokenizer.decode(ids) == tokenizer.decode([np.array(row) for row in ids])
assert tokenizer.decode([[2, 0, *ids[0], 3, *ids[0]]]) == ["ein Hund"]

from keras_s2s.data import Batches
batches = Batches.from_raw(preprocessor, ["ein Hund"] * 9, ["Kinder"] * 9)
assert sum(float(weight.any(1).sum()) for _, _, weight in batches) == 9
assert "tensorflow" not in sys.modules

fails(lambda: tokenizer.tokenize(["Hund"]), "pip install tensorflow")
fails(lambda: tokenizer.detokenize([[5, 6]]), "pip install tensorflow")
x, labels, weights = preprocessor(["Hund"], ["Hund"])
assert tokenizer.decode(labels).tolist() == ["Hund"]
"""

WITHOUT_TENSORFLOW_TEXT = """
import tensorflow as tf

strings, ids, texts = more
tokenizer = SentencePieceTokenizer(path, sample_alpha=0.1)
dataset = tf.data.Dataset.from_tensor_slices(strings)
batches = list(dataset.batch(3).map(tokenizer.tokenize, num_parallel_calls=2))
assert all(batch.dtype == tf.int32 and batch.shape[1] is None for batch in batches)
assert [row for batch in batches for row in batch.to_list()] == ids
assert [row.numpy().tolist() for row in dataset.map(tokenizer.tokenize)] == ids

@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def there_and_back(strings):
    ids = tokenizer.tokenize(strings).to_tensor()
    drawn = tokenizer.tokenize(strings, sample=True)
    return tokenizer.detokenize(ids), tokenizer.detokenize(drawn), tokenizer.ids_to_tokens(ids)

best, drawn, tokens = there_and_back(tf.constant(strings))
assert [text.decode() for text in best.numpy()] == texts
assert [text.decode() for text in drawn.numpy()] == texts
assert tokens.numpy()[0, 0].decode() == tokenizer.id_to_token(ids[0][0])
assert tokenizer.tokenize(strings * 20, sample=True).to_list() != ids * 20
assert tokenizer.tokenize("ein Hund").numpy().tolist() == ids[0]

for advice in ("pip install tensorflow-text", "`export`", "Linux on x86-64", "save_to_preset"):
    fails(lambda: tokenizer.resources, advice)
"""


def run(code, *arguments, backend):
    out = subprocess.run(
        [sys.executable, "-c", HIDE + code, *map(json.dumps, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert out.returncode == 0, out.stderr[-2000:]


@pytest.fixture
def strings():
    """Some with invalid UTF-8 would not pass through JSON; those are tested elsewhere."""
    return ["ein Hund", "", "  zwei  Männer\n", "日本語 <s>", *make_sentences(5)]


@pytest.mark.thorough
@pytest.mark.slow
def test_without_tensorflow_on_jax(tokenizer, strings, tmp_path):
    tokenizer.save(tmp_path / "spm.model")
    ids = tokenizer.tokenize(strings).to_list()
    hidden = ["tensorflow", "tensorflow_text"]
    run(WITHOUT_TENSORFLOW, hidden, str(tmp_path / "spm.model"), strings, ids, backend="jax")


@pytest.mark.thorough
@pytest.mark.slow
def test_without_tensorflow_text(tokenizer, strings, tmp_path):
    tokenizer.save(tmp_path / "spm.model")
    ids = tokenizer.tokenize(strings)
    texts = [text.decode() for text in tokenizer.detokenize(ids).numpy()]
    more = strings, ids.to_list(), texts
    path = str(tmp_path / "spm.model")
    run(WITHOUT_TENSORFLOW_TEXT, ["tensorflow_text"], path, *more, backend="tensorflow")


def test_without_sentencepiece(tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    tokenizer = copy.deepcopy(tokenizer)
    assert tokenizer.vocabulary_size == 120
    for use in (
        lambda: tokenizer.encode(["Hund"]),
        lambda: tokenizer.decode([[5]]),
        lambda: SentencePieceTokenizer.train(["Hund"], 9),
    ):
        with pytest.raises(ImportError, match="pip install sentencepiece"):
            use()


def test_tensorflow_text_for_another_tensorflow(tokenizer, monkeypatch):
    """Its libraries do not load then, which is no ImportError."""
    import_module = importlib.import_module

    def import_but_text(name):
        if name == "tensorflow_text":
            raise tf.errors.NotFoundError(None, None, "undefined symbol: _ZN10tensorflow")
        return import_module(name)

    expected = tokenizer.tokenize(["ein Hund"]).to_list()
    monkeypatch.setattr(importlib, "import_module", import_but_text)
    tokenizer = copy.deepcopy(tokenizer)
    assert tokenizer.tokenize(["ein Hund"]).to_list() == expected
    with pytest.raises(ImportError, match="undefined symbol.*must equal tensorflow's"):
        _ = tokenizer.resources
