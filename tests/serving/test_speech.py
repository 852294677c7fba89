"""An exported recognizer gives in a process without this library what the model gives here."""

import numpy as np
import pytest

from tests.models.test_speech_recognizer import RATE, clips, make_model, make_tokenizer
from tests.preprocessing.test_wav_files import as_bits, wav
from tests.serving.conftest import in_new_process

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")
pytestmark = [pytest.mark.slow, pytest.mark.prepared]

# The graphs are run once or twice, which is too seldom for optimizing them for seconds.
UNOPTIMIZED = """
import tensorflow as tf

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
"""


@pytest.fixture(scope="module")
def model():
    return make_model(make_tokenizer())


@pytest.fixture(scope="module")
def files():
    """The same clips in several kinds of files."""
    low, high, nothing = clips()
    stereo = np.stack([high, high], axis=1).reshape(-1)
    return [
        wav(as_bits(low, 24), bits=24, rate=RATE),
        wav(as_bits(stereo, 16), channels=2, rate=RATE),
        wav(as_bits(nothing, 16), rate=RATE),
        wav(as_bits(high, 8), bits=8, rate=RATE * 2),
    ]


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "1"
    model.export(folder, verbose=False)
    return folder


@pytest.fixture(scope="module")
def served(model, files, folder, tmp_path_factory):
    contents = np.array(files, object)
    width = max(map(len, clips()))
    samples = np.stack(
        [np.pad(clip, (0, width - len(clip)), constant_values=9) for clip in clips()]
    )
    lengths = np.array(list(map(len, clips())), "int32")
    requests = {name: (folder, name, {"wav_bytes": contents}) for name in ("nbest", "align")}
    requests["serving_default"] = folder, "serving_default", {"wav_bytes": contents}
    requests["none"] = folder, "serving_default", {"wav_bytes": contents[:0]}
    requests["audio"] = folder, "audio", {"audio": samples, "length": lengths}
    log_mels = model.preprocessor.generate_preprocess(clips())["log_mels"]
    requests["tokens"] = folder, "tokens", {"log_mels": np.asarray(log_mels)}
    answers = in_new_process(list(requests.values()), tmp_path_factory, UNOPTIMIZED)
    return dict(zip(requests, answers))


def decoded(array):
    return [text.decode() for text in array]


def test_texts_and_scores(model, files, served):
    texts, scores, confidences = model.transcribe(files, return_scores=True, return_confidence=True)
    answer = served["serving_default"]
    assert decoded(answer["text"]) == texts and len(set(texts)) > 2
    np.testing.assert_allclose(answer["score"], scores, atol=1e-3)
    np.testing.assert_allclose(answer["confidence"], confidences, atol=1e-3)
    assert served["none"]["text"].shape == (0,)


def test_samples_behind_the_length_are_not_heard(model, served):
    texts, scores = model.transcribe(clips(), return_scores=True)
    assert decoded(served["audio"]["text"]) == texts
    np.testing.assert_allclose(served["audio"]["score"], scores, atol=1e-3)
    np.testing.assert_allclose(served["tokens"]["score"], scores, atol=1e-3)


def test_nbest(model, files, served):
    config = {**model.sampler.get_config(), "num_return_sequences": 3}
    texts, scores = model.transcribe(
        files, sampler=type(model.sampler)(**config), return_scores=True
    )
    assert [decoded(row) for row in served["nbest"]["text"]] == texts
    np.testing.assert_allclose(served["nbest"]["score"], scores, atol=1e-3)


def test_times_and_attention(model, files, served):
    answer = served["align"]
    texts, looked = model.transcribe(files, return_attention=True)
    assert decoded(answer["text"]) == texts
    for row, alignment in enumerate(looked):
        number = len(alignment.target_tokens)
        assert decoded(answer["target_tokens"][row, :number]) == alignment.target_tokens
        np.testing.assert_allclose(answer["times"][row, :number], alignment.times, atol=1e-5)
        positions = alignment.weights.shape[1]
        np.testing.assert_allclose(
            answer["attention"][row, :number, :positions], alignment.weights, atol=1e-4
        )


def test_a_damaged_file_fails_the_request_with_its_number(files, folder):
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for bad, message in ((files[0][:60], "number 1 of the batch"), (b"no sound", "number 1 of")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            signature(wav_bytes=tf.constant([files[1], bad]))
