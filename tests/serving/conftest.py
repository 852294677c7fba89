import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_s2s
from keras_s2s.decoding import Beam, Greedy
from tests import fresh_process
from tests.fewer import chosen
from tests.word_layers import WordDecoder, WordEncoder

SAMPLERS = {"greedy": Greedy(), "beam": Beam(num_beams=3, length_penalty=0.8)}
#: The names of those that are exported and served.
SERVED = chosen(SAMPLERS, "beam")
WORDS = {
    "eins": "one",
    "zwei": "two",
    "drei": "three",
    "vier": "four",
    "fünf": "five",
    "sechs": "six",
}
TEXTS = [
    "eins zwei drei",
    "vier",
    "",
    "fünf eins eins vier zwei",
    b"eins \xff\xfe zwei",
    "drei " * 2000,  # 10,000 characters
    "nichts davon",
]
UNITS = 64


def corpus(count):
    rng = np.random.default_rng(1)
    draws = [rng.choice(list(WORDS), rng.integers(1, 6)) for _ in range(count)]
    return [" ".join(d) for d in draws], [" ".join(WORDS[word] for word in d) for d in draws]


def build(dtype=None, encoder=keras_s2s.layers.RNNEncoder, simple=False, **decoder):
    """A translator of a few words, not trained yet; with `simple`, of layers without loops."""
    sources, targets = corpus(100)
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(
        sources + targets, vocabulary_size=34
    )
    if simple:
        encoder, decoder = WordEncoder(UNITS, 34), WordDecoder(34, UNITS)
    else:
        # The simplest cell is the soonest traced; a preset with another one is served, too.
        encoder = encoder(UNITS, "rnn", vocabulary_size=34, dtype=dtype)
        options = {"cell": "rnn", "dtype": dtype, **decoder}
        decoder = keras_s2s.layers.RNNDecoder(34, UNITS, **options)
    preprocessor = keras_s2s.preprocessing.TextPairPreprocessor(
        tokenizer, source_length=20, target_length=24
    )
    return keras_s2s.models.Translator(encoder, decoder, preprocessor)


@pytest.fixture(scope="session")
def model():
    """A trained translator; leave its weights alone."""
    keras.utils.set_random_seed(1)
    model = build()
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(*corpus(960), batch_size=32, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    """From the name of a sampler to the folder of an export with it."""
    folders = {name: tmp_path_factory.mktemp(name) / "1" for name in SERVED}
    for name, folder in folders.items():
        model.export(folder, sampler=SAMPLERS[name])
    return folders


@pytest.fixture(scope="session")
def source_ids(model):
    return model.preprocessor.generate_preprocess(TEXTS)["encoder_token_ids"]


@pytest.fixture(scope="session")
def served(exported, source_ids, tmp_path_factory):
    """The answers of a new process: `served[sampler, signature, batch]`.

    Batches are `"all"`, `"none"`, and for single texts their indices.
    """
    texts = np.array([t if isinstance(t, bytes) else t.encode() for t in TEXTS], object)
    requests = {}
    for sampler, folder in exported.items():
        for signature in ("serving_default", "nbest", "align", "tokens"):
            name, rows = ("token_ids", source_ids) if signature == "tokens" else ("text", texts)
            requests[sampler, signature, "all"] = folder, signature, {name: rows}
            requests[sampler, signature, "none"] = folder, signature, {name: rows[:0]}
        for i in range(len(TEXTS)):
            inputs = {"text": texts[i : i + 1]}
            requests[sampler, "serving_default", i] = folder, "serving_default", inputs
    return dict(zip(requests, in_new_process(list(requests.values()), tmp_path_factory)))


def in_new_process(requests, tmp_path_factory, beginning=""):
    """The answers of a program that begins with the code `beginning`."""
    folder = tmp_path_factory.mktemp("client")
    requests = [(str(path), *rest) for path, *rest in requests]
    (folder / "requests").write_bytes(pickle.dumps(requests))
    client = Path(__file__).with_name("client.py").read_text()
    result = fresh_process.run(beginning + client, "requests", "answers", cwd=folder)
    assert result.returncode == 0, result.stderr
    return pickle.loads((folder / "answers").read_bytes())
