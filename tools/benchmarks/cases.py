"""The cases to measure. A case prepares once, then each call of `window` measures once."""

import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec

import keras
import numpy as np

import keras_s2s
from benchmarks import corpus, flops, report

#: The length that every output is forced to have, so that all decode the same number of tokens.
FORCED_LENGTH = 16


@dataclass(frozen=True)
class Setting:
    """Settings that all cases of a run share."""

    workspace: str
    batch_size: int = 64
    dtype: str = "float32"
    """Dtype policy of the models; the products of `Gemm` are in its compute dtype. "int8" is
    float32 with quantized weights, for cases that decode."""
    max_buckets: int | None = None
    """Batch shapes in training; None as `ExamplesPerBatch` has it."""


def build(cell="gru", attention="bahdanau", input_feeding=False):
    """Encoder and decoder of configuration M, with the sizes of the peers' models.

    One size differs: the readout before the vocabulary has the size of the embeddings, 256, as in
    Bahdanau's paper, where the peers have 512.
    """
    size = corpus.VOCABULARY_SIZE
    encoder = keras_s2s.layers.RNNEncoder(
        512, cell=cell, vocabulary_size=size, embedding_dim=256, dropout=0.3
    )
    decoder = keras_s2s.layers.RNNDecoder(
        size,
        512,
        embedding_dim=256,
        cell=cell,
        attention=attention,
        input_feeding=input_feeding,
        dropout=0.3,
        tie_embeddings=False,
    )
    return encoder, decoder


class Case:
    """One thing to measure."""

    #: Whether it needs the sentences of the workspace.
    needs_corpus = False

    def prepare(self, setting):
        """Prepares the measurements; its time does not count."""

    def window(self):
        """Measures one window, a dict with at least `"seconds"`."""
        raise NotImplementedError


class Gemm(Case):
    """The rate of the machine: products of square matrices."""

    REPEATS = 12

    def prepare(self, setting):
        # A size that fills a CPU's cores would leave most of a GPU idle.
        size, self.count = (8192, 10) if report.gpus() else (2048, 1)
        self._multiply(size, size, size)

    def _multiply(self, rows, dim, units):
        """Products of `rows` rows by `(dim, units)` and, in turn, by `(units, dim)`."""
        dtype = keras.config.dtype_policy().compute_dtype
        x = keras.random.normal((rows, dim), dtype=dtype)
        matrix = keras.random.normal((dim, units), stddev=dim**-0.5, dtype=dtype)
        back = keras.random.normal((units, dim), stddev=units**-0.5, dtype=dtype)
        self.flops = 2 * rows * dim * units

        def products(x):
            for i in range(self.count):
                x = keras.ops.matmul(x, back if i % 2 else matrix)
            return keras.ops.cast(x[0, 0], "float32")  # NumPy knows no bfloat16.

        compiled = _compiled(products)
        # The value is there only after all products are computed.
        self.run = lambda: keras.ops.convert_to_numpy(compiled(x))
        self.window()

    def window(self):
        times = []
        for _ in range(self.REPEATS):
            start = time.perf_counter()
            self.run()
            times.append((time.perf_counter() - start) / self.count)
        return {"seconds": float(np.median(times)), "flops": self.flops}


class GemmStep(Gemm):
    """The best rate of a recurrent step: products of a batch of rows and the weights of a GRU."""

    def prepare(self, setting):
        self.count = 1000 if report.gpus() else 100
        self._multiply(setting.batch_size, 512, 3 * 512)


class Train(Case):
    """Training: batches of Multi30k's lengths, made beforehand, through `fit` with its metrics."""

    #: Number of batches in an epoch, where there is no GPU.
    BATCHES = 24
    needs_corpus = True

    def __init__(self, **model):
        self.model_options = model

    def prepare(self, setting):
        preprocessor, sentences = corpus.read(setting.workspace)
        keras.utils.set_random_seed(1)
        self.model = keras_s2s.models.Seq2Seq(*build(**self.model_options))
        self.model.compile(keras_s2s.optimizers.Adam(1e-3, global_clipnorm=5.0))
        batches = _training_batches(setting, preprocessor, sentences)
        self.batches = _Some(batches, len(batches) if report.gpus() else self.BATCHES)
        self.traces = _Calls(self.model, "compute_loss")
        self.model.train_on_batch(*self.batches[0])
        pairs = [_lengths(batch) for batch in self.batches]
        self.tokens = int(sum(targets.sum() for _, targets in pairs))
        self.flops = sum(flops.training(self.model, *lengths) for lengths in pairs)
        self.padding = batches.padding_share
        self.window()

    def _fit(self):
        clock = _Clock()
        self.model.fit(self.batches, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds

    def window(self):
        return {
            "seconds": _mean(self._fit),
            "tokens": self.tokens,
            "flops": self.flops,
            "traces": self.traces.count,
            "padding": self.padding,
        }


class Batches(Case):
    """Making an epoch's batches, without training: the time below which no epoch could get."""

    needs_corpus = True

    def prepare(self, setting):
        self.batches = _training_batches(setting, *corpus.read(setting.workspace))
        self.window()

    def window(self):
        start, tokens = time.perf_counter(), 0
        self.batches.on_epoch_end()
        for i in range(len(self.batches)):
            tokens += np.count_nonzero(self.batches[i][1])
        return {"seconds": time.perf_counter() - start, "tokens": int(tokens)}


class Decode(Case):
    """Decoding of 1,000 sentences, 16 tokens each.

    With TensorFlow from strings to strings; on other backends from token ids to token ids, since
    those need not have TensorFlow Text.
    """

    needs_corpus = True

    def __init__(self, sampler):
        self.sampler = sampler

    def prepare(self, setting):
        preprocessor, sentences = corpus.read(setting.workspace)
        keras.utils.set_random_seed(1)
        self.model = keras_s2s.models.Translator(*build(), preprocessor)
        if setting.dtype == "int8":
            self.model.generate(sentences["tests"][0], max_length=1)  # Builds it.
            self.model.quantize("int8")
        self.batch_size = setting.batch_size
        self.traces = _Calls(self.model.encoder, "call")
        ids = [[*row, 3] for row in preprocessor.source_tokenizer.encode(sentences["tests"])]
        self.tests = sentences["tests"] if keras.backend.backend() == "tensorflow" else ids
        lengths = np.array([len(row) for row in ids])
        targets = np.full(len(lengths), FORCED_LENGTH)
        self.tokens = int(targets.sum())
        self.flops = flops.forward(self.model, lengths, targets, self.sampler.rows_per_example)
        self.window()

    def _generate(self, tests):
        start = time.perf_counter()
        self._run(tests)
        return time.perf_counter() - start

    def _run(self, tests):
        options = {"max_length": FORCED_LENGTH, "sampler": self.sampler}
        if isinstance(tests[0], str):
            self.model.generate(tests, batch_size=self.batch_size, **options)
            return
        tests = sorted(tests, key=len)
        for at in range(0, len(tests), self.batch_size):
            rows = tests[at : at + self.batch_size]
            # Padded to few widths, as `generate` does for strings.
            ids = np.zeros((len(rows), -(-len(rows[-1]) // 16) * 16), "int32")
            for i, row in enumerate(rows):
                ids[i, : len(row)] = row
            self.model.generate({"encoder_token_ids": ids}, **options)

    def window(self):
        return {
            "seconds": _mean(lambda: self._generate(self.tests)),
            "tokens": self.tokens,
            "flops": self.flops,
            "traces": self.traces.count,
        }


class Latency(Decode):
    """One sentence at a time, greedily: the median time of one."""

    SENTENCES = 100

    def window(self):
        times = [self._generate([text]) for text in self.tests[: self.SENTENCES]]
        return {
            "seconds": float(np.median(times)),
            "tokens": FORCED_LENGTH,
            "flops": self.flops / len(self.tests),
            "p90": float(np.quantile(times, 0.9)),
            "traces": self.traces.count,
        }


class NewProcess(Case):
    """Seconds that a program prints, in a new process each time."""

    def __init__(self, program):
        self.program = program

    def window(self):
        result = subprocess.run(
            [sys.executable, "-c", "import time\n" + self.program],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return {"seconds": float(result.stdout.split()[-1])}


_IMPORT = """
import keras
start = time.perf_counter()
import keras_s2s
print(time.perf_counter() - start)
"""
_LOAD = """
import keras_s2s, tensorflow, tensorflow_text
start = time.perf_counter()
keras_s2s.zoo.load("translation")
print(time.perf_counter() - start)
"""
_FIRST = """
import keras_s2s, tensorflow, tensorflow_text
start = time.perf_counter()
keras_s2s.zoo.load("translation").generate("Wo ist der Bahnhof?")
print(time.perf_counter() - start)
"""

_GREEDY = keras_s2s.decoding.Greedy(min_length=FORCED_LENGTH - 1)

CASES = {
    "gemm": Gemm(),
    "gemm-step": GemmStep(),
    "batches": Batches(),
    "train-gru-bahdanau": Train(),
    "train-gru-luong": Train(attention="luong"),
    "train-gru-luong-feeding": Train(attention="luong", input_feeding=True),
    "train-gru-multi-head": Train(attention="multi_head"),
    "train-gru-coverage": Train(attention="coverage"),
    "train-gru-location-aware": Train(attention="location_aware"),
    "train-gru-local": Train(attention="local"),
    "train-gru-no-attention": Train(attention=None),
    "train-lstm-bahdanau": Train(cell="lstm"),
    "train-rnn-bahdanau": Train(cell="rnn"),
    "greedy": Decode(_GREEDY),
    "beam-5": Decode(keras_s2s.decoding.Beam(num_beams=5, min_length=FORCED_LENGTH - 1)),
    "latency": Latency(_GREEDY),
    "import-after-keras": NewProcess(_IMPORT),
}
if find_spec("tensorflow_text"):
    CASES |= {"load": NewProcess(_LOAD), "load-and-translate": NewProcess(_FIRST)}


def _training_batches(setting, preprocessor, sentences):
    plan = keras_s2s.data.ExamplesPerBatch(
        setting.batch_size, "auto" if setting.max_buckets is None else setting.max_buckets
    )
    return keras_s2s.data.Batches.from_raw(
        preprocessor, sentences["sources"], sentences["targets"], plan
    )


def _mean(run):
    """The mean of the seconds that `run` returns, over runs that together take a second."""
    times = [run()]
    while sum(times) < 1:
        times.append(run())
    return sum(times) / len(times)


def _compiled(function):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


class _Some(keras.utils.PyDataset):
    """`count` of the batches, evenly spread over their lengths."""

    def __init__(self, batches, count):
        super().__init__()
        step = max(len(batches) // count, 1)
        order = sorted(range(len(batches)), key=lambda i: batches[i][1].shape[1])
        self.batches = [batches[i] for i in order[step // 2 :: step][:count]]
        # Keras derives from the first two batches which axes vary in length.
        self.batches.insert(1, self.batches.pop())

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class _Clock(keras.callbacks.Callback):
    """Times the first batch to the last: TensorFlow takes up to 5 s to discard its iterator."""

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_end(self, logs=None):
        self.seconds = time.perf_counter() - self.start


class _Calls:
    """Counts the calls of a method, which graphs make only while they are traced."""

    def __init__(self, owner, name):
        self.count = 0
        method = getattr(owner, name)

        def counted(*args, **kwargs):
            self.count += 1
            return method(*args, **kwargs)

        setattr(owner, name, counted)


def _lengths(batch):
    inputs, _, weights = batch
    sources = np.sum(inputs["encoder_token_ids"] != 0, axis=1)
    targets = np.sum(weights != 0, axis=1).astype("int64")
    return sources[targets > 0], targets[targets > 0]
