import functools
import gc
import os
import zlib
from unittest import mock

import pytest

# All must be set before Keras and TensorFlow are first imported.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# There is a process for each core already, and what tests compute is small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# So they are where they are needed: the process that hands out the tests does without.


def pytest_collection_modifyitems(config, items):
    """Leaves out thorough tests, and lets every worker begin with long ones.

    Long tests that end late would keep the others waiting. The first worker has those that share
    long preparations right after its long ones; others, when they have nothing left, take from the
    end.
    """
    # Whoever names a test gets it.
    if not (os.environ.get("ALL_CASES") or any("::" in argument for argument in config.args)):
        thorough = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=thorough)
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.get_closest_marker("long")]
    rest = [item for item in items if not item.get_closest_marker("long")]
    rest.sort(key=lambda item: item.get_closest_marker("prepared") is None)
    total, items[:] = len(items), []
    for k in range(workers):
        # `--dist=worksteal` cuts the list into equal runs.
        head = long[k::workers]
        size = (total - len(items)) // (workers - k)
        items += head + rest[: max(size - len(head), 0)]
        rest = rest[max(size - len(head), 0) :]


def pytest_collection_finish():
    """Before the first test of a process."""
    import keras
    import tensorflow as tf
    from tensorflow.python.util import tf_stack

    if keras.backend.backend() == "jax":
        from tests import jax_compiles_less

        jax_compiles_less.apply()
    # Most graphs of tests run once or twice, and optimizing one takes about as long as tracing it.
    # The processes that tests start have TensorFlow as it comes.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # TensorFlow records the Python stack of each operation for error messages. Tests do without.
    tf_stack.extract_stack = functools.partial(lambda stack, **_: stack, tf_stack.extract_stack())
    # What is imported stays: the garbage collector need not look through it again and again. It
    # looks less often through the rest, too.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.fixture(scope="module", autouse=True)
def collected():
    """Frees what a module leaves behind, and keeps the collector from what stays for others."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def same_start(request):
    """Gives every test the same random numbers and the default dtype policy."""
    import keras
    import tensorflow as tf
    from tensorflow.python.eager import context

    # A new seed makes TensorFlow throw away all kernels of operations, which takes a quarter of
    # the time of quick tests. Kept, those that draw go on where they were: each test gets others.
    with mock.patch.object(context.pywrap_tfe, "TFE_ContextClearCaches"):
        keras.utils.set_random_seed(1)
        tf.random.set_seed(zlib.crc32(request.node.nodeid.encode()))
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder which stands in for the shipped presets."""
    from keras_s2s.models import preset_folders

    root = tmp_path / "shipped"
    root.mkdir()
    monkeypatch.setattr(preset_folders, "root", lambda: root)
    return root


@pytest.fixture(scope="session")
def captioner():
    """A trained captioner; leave its weights alone."""
    import keras

    from tests.captioners import trained_captioner

    keras.utils.set_random_seed(1)
    return trained_captioner()


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """The folder of a tiny untrained translator with a card; read it, never write into it.

    It is for what does not depend on the layers. Only processes that know those of
    `tests.word_layers` can load it.
    """
    from tests.word_layers import WordDecoder, WordEncoder

    folder = tmp_path_factory.mktemp("presets") / "tiny_de_en"
    return _write_preset(folder, WordEncoder(8, 27), WordDecoder(27, 8))


@pytest.fixture(scope="session")
def preset_for_all(tmp_path_factory):
    """As `preset`, of layers that every process knows."""
    from keras_s2s.layers import RNNDecoder, RNNEncoder

    encoder = RNNEncoder(8, "rnn", bidirectional=False, vocabulary_size=27)
    decoder = RNNDecoder(27, 8, cell="rnn", attention="luong")
    return _write_preset(tmp_path_factory.mktemp("presets") / "tiny_de_en", encoder, decoder)


def _write_preset(folder, encoder, decoder):
    import keras

    import keras_s2s

    keras.utils.set_random_seed(1)
    text = ["ein Hund bellt", "eine Katze", "guten Morgen", "a dog barks", "a cat", "good morning"]
    tokenizer = keras_s2s.preprocessing.SentencePieceTokenizer.train(text, vocabulary_size=27)
    model = keras_s2s.models.Translator(
        encoder,
        decoder,
        keras_s2s.preprocessing.TextPairPreprocessor(tokenizer, target_length=10),
        sampler=keras_s2s.decoding.Beam(num_beams=3),
    )
    model.save_to_preset(folder)
    # Loaded anew, because the weights were rounded on their way to the disk.
    outputs = keras_s2s.zoo.load(folder).generate(text[:3])
    card = {
        "title": "Tiny: German to English",
        "description": "Knows nothing yet.",
        "task": "translation",
        "languages": ["de", "en"],
        "licence": "CC0-1.0",
        "data": [{"name": "Six sentences", "licence": "CC0-1.0"}],
        "metrics": [],
        "recipe": {"train": "none", "evaluate": "none"},
        "examples": [{"input": i, "output": o} for i, o in zip(text, outputs)],
    }
    keras_s2s.zoo.write_card(folder, card)
    return folder
