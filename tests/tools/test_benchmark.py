import functools
import json

import numpy as np
import pytest

import benchmark
import keras_s2s
from benchmarks import cases, corpus, flops, report
from benchmarks.cases import CASES, FORCED_LENGTH, Batches, Decode, Setting, Train
from benchmarks.processes import Worker, WorkerError, run_peer

RUN = {"corpus": "made up", "backend": "jax", "gpus": [], "settings": {}}


def model(**decoder):
    """A source vocabulary of 50, embeddings of 6, states of 4 and 5."""
    built = keras_s2s.models.Seq2Seq(
        keras_s2s.layers.RNNEncoder(4, vocabulary_size=50, embedding_dim=6),
        keras_s2s.layers.RNNDecoder(30, 5, embedding_dim=7, **decoder),
    )
    built({"encoder_token_ids": np.ones((1, 2)), "decoder_token_ids": np.ones((1, 3))})
    return built


def products(source, target, order, cell):
    """Sizes `(rows, inner, columns)` of all matrix products of one pair, written down by hand."""
    gates = {"gru": 3, "lstm": 4, "rnn": 1}[cell]
    encoder = [(source, 6, 12), (source, 4, 12)] * 2 + [(1, 8, 5 * (2 if cell == "lstm" else 1))]
    into_cell = 7 + 8 if order == "bahdanau" else 7
    into_readout = 5 + 8 + 7 if order == "bahdanau" else 5 + 8
    decoder = [
        (target, into_cell, 5 * gates),
        (target, 5, 5 * gates),
        (target, into_readout, 7),
        (target, 7, 30),
        (target, source, 8),
        (target, 5, source),
        (source, 8, 5),
    ]
    if order == "bahdanau":
        decoder.append((target, 5, 5))
    return encoder, decoder


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("attention", ["bahdanau", "luong"])
def test_operations_are_those_of_the_products(attention, cell):
    pairs = [(3, 4), (7, 2)]
    expected = sum(
        2 * a * b * c
        for pair in pairs
        for part in products(*pair, attention, cell)
        for a, b, c in part
    )
    lengths = np.array(pairs).T
    built = model(attention=attention, cell=cell)
    assert flops.forward(built, *lengths) == expected
    assert flops.training(built, *lengths) == 3 * expected


def test_operations_of_many_heads():
    """Written down by hand: keys, values and outputs of 8 heads of size 1."""
    pair = source, target = 3, 4
    encoder, decoder = products(*pair, "luong", "gru")
    without = decoder[:4]
    heads = [
        *[(source, 8, 8), (source, 8, 8)],  # keys and values
        *[(target, 5, 8), (target, 8, 8)],  # queries and outputs
        *[(target, 8, source), (target, source, 8)],  # scores and contexts
    ]
    expected = sum(2 * a * b * c for a, b, c in [*encoder, *without, *heads])
    built = model(attention="multi_head")
    assert flops.forward(built, *np.array([pair]).T) == expected


@pytest.mark.slow
def test_beams_repeat_what_is_of_the_target():
    sources, targets = np.array([4]), np.array([6])
    once, *more = (flops.forward(model(), sources, targets, n) for n in (1, 2, 3, 4))
    steps = np.diff(more)
    assert 0 < steps[0] == steps[1] < once


def test_beams_share_what_contexts_are_multiplied_by():
    """Written down by hand, for 3 beams: the memory goes through both kernels once."""
    source, rows = 4, 3 * 6
    encoder, _ = products(source, 6, "bahdanau", "gru")
    decoder = [
        (source, 8, 15 + 7),  # the parts of cell and readout that contexts are multiplied by
        (rows, source, 15 + 7),
        (rows, 7, 15),
        (rows, 5, 15),
        (rows, 5 + 7, 7),
        (rows, 7, 30),
        (rows, 5, source),
        (source, 8, 5),
        (rows, 5, 5),
    ]
    expected = sum(2 * a * b * c for a, b, c in encoder + decoder)
    built = model(attention="bahdanau", cell="gru")
    assert flops.forward(built, np.array([source]), np.array([6]), 3) == expected


def test_summary():
    rounds = {
        "gemm": [{"seconds": 1.0, "flops": 1e11}, {"seconds": 2.0, "flops": 1e11}],
        "greedy": [
            {"seconds": 4.0, "tokens": 100, "flops": 2e11, "peak_mib": 7},
            {"seconds": 8.0, "tokens": 100, "flops": 2e11, "peak_mib": 9},
        ],
        "a peer": [{"tokens_per_second": 30.0}, {"tokens_per_second": 60.0}],
    }
    found = report.summarize(rounds)
    # The machine was half as fast in the second round, and the case too.
    assert found["greedy"]["share_of_gemm"] == pytest.approx(0.5)
    assert found["greedy"]["seconds"] == 6
    assert found["greedy"]["spread"] == pytest.approx(1)
    assert found["greedy"]["tokens_per_second"] == pytest.approx(18.75)
    assert found["greedy"]["peak_mib"] == 9
    assert found["a peer"] == {"tokens_per_second": 45, "spread": 1}


def test_each_setting_has_its_own_rate():
    rounds = {
        "gemm, 64, float32": [{"seconds": 1.0, "flops": 100}],
        "gemm, 64, bfloat16": [{"seconds": 1.0, "flops": 200}],
        "greedy, 64, float32": [{"seconds": 1.0, "flops": 50}],
        "greedy, 64, bfloat16": [{"seconds": 1.0, "flops": 50}],
    }
    found = report.summarize(rounds)
    assert found["greedy, 64, float32"]["share_of_gemm"] == 0.5
    assert found["greedy, 64, bfloat16"]["share_of_gemm"] == 0.25


def test_settings():
    one = {"batch_size": 64, "dtype": "float32", "max_buckets": None}
    assert benchmark.read_settings("64", "float32") == {"": one}
    several = benchmark.read_settings("1,8", "float32,float16", max_buckets=2)
    assert len(several) == 4
    assert several[", 8, float16"] == {"batch_size": 8, "dtype": "float16", "max_buckets": 2}
    assert benchmark.read_settings("1", "int8")[""]["dtype"] == "int8"


def test_comparison(run_main, tmp_path):
    for name, seconds in (("before", 3.0), ("after", 2.0)):
        results = {"greedy": {"seconds": seconds}, name: {"seconds": 1.0}}
        found = {"run": RUN, "results": results}
        (tmp_path / name).write_text(json.dumps(found))
    output = run_main(benchmark, "--compare", tmp_path / "before", tmp_path / "after")
    [row] = [line for line in output.splitlines() if "greedy" in line]
    assert "1.50" in row
    assert "before" not in output.split("greedy")[1]


@pytest.mark.parametrize(
    "after, message",
    [
        ({"run": {**RUN, "corpus": "multi30k"}, "results": {}}, "cannot be compared: the corpus"),
        ({"run": {**RUN, "gpus": ["H100"]}, "results": {}}, "cannot be compared: the gpus"),
        ({"run": RUN, "results": {"gemm": {"seconds": 1.0}}}, "no case in common"),
        ({"results": {}}, "no output of a benchmark: it lacks 'run'"),
        ("oops", "Expecting value"),
    ],
)
def test_what_cannot_be_compared(after, message, run_main, tmp_path):
    before = {"run": RUN, "results": {"greedy": {"seconds": 1.0}}}
    (tmp_path / "before").write_text(json.dumps(before))
    (tmp_path / "after").write_text(after if after == "oops" else json.dumps(after))
    with pytest.raises(SystemExit, match=message):
        run_main(benchmark, "--compare", tmp_path / "before", tmp_path / "after")


def test_peer(tmp_path):
    (tmp_path / "run.sh").write_text(
        'echo "noise"\n'
        'echo "RESULT $1 beam 1 batch 64: median 2.50 s of [2.5, 2.6]  6400 out tok/s"\n'
        'echo "RESULT $1: batch-1 latency median 42.0 ms  p90 50.0 ms  n 100"\n'
        'echo "RESULT $1 bucket=1: train median 2480 tgt tok/s  90.1 sent/s; rss 1366 MiB"\n'
        'echo "RESULT $1 bench rss 762 MiB"\n'
        'echo "LOAD $1: 8.10 s from process start to first translation"\n'
    )
    assert run_peer(tmp_path, "them") == {
        "them beam 1 batch 64": {"seconds": 2.5},
        "them latency": {"seconds": pytest.approx(0.042)},
        "them bucket=1": {"tokens_per_second": 2480},
        "them bucket=1 memory": {"peak_mib": 1366},
        "them bench memory": {"peak_mib": 762},
        "them start": {"seconds": 8.1},
    }


@pytest.mark.parametrize("script", ["echo nothing", 'echo "LOAD them: 1.0 s"; exit 3'])
def test_peer_that_fails(script, tmp_path):
    (tmp_path / "run.sh").write_text(script)
    with pytest.raises(WorkerError, match="'them' failed"):
        run_peer(tmp_path, "them")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--cases", "gemm,sprint"], "no case 'sprint'"),
        (["--peer", "joeynmt"], "--peers"),
        (["--peer", "joeynmt", "--peers", "/nowhere"], "run.sh"),
        (["--batch-size", "0"], "at least 1"),
        (["--max-buckets", "0"], "at least 1"),
        (["--dtype", "float31"], "float31"),
        (["--dtype", "float32,int8"], "int8 is for decoding: --cases greedy,beam-5,latency"),
        (["--rounds", "0"], "at least 1"),
        (["--batch-size", "64,large"], "large"),
        (["--cases", "gemm", "--output", "/nowhere/now.json"], "No such file"),
    ],
)
def test_wrong_arguments(arguments, message, run_main):
    with pytest.raises(SystemExit, match=message):
        run_main(benchmark, *arguments)


@pytest.mark.thorough
@pytest.mark.slow
def test_measures(run_main, tmp_path):
    names, file = {"gemm", "import-after-keras"}, tmp_path / "now.json"
    arguments = "--cases", ",".join(sorted(names)), "--rounds", 1, "--output", file
    output = run_main(benchmark, *arguments)
    found = json.loads(file.read_text())
    assert set(found["results"]) == names
    assert found["results"]["gemm"]["peak_mib"] > 100
    # That would be of the process that waits.
    assert "peak_mib" not in found["results"]["import-after-keras"]
    assert [len(windows) for windows in found["windows"].values()] == [1, 1]
    assert found["results"]["gemm"]["gflops_per_second"] > 0
    assert "gemm" in output


@pytest.mark.thorough
@pytest.mark.slow
def test_products_of_a_step():
    case = CASES["gemm-step"]
    case.prepare(Setting(""))
    assert case.window()["flops"] == 2 * 64 * 512 * 1536


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """With a few sentences, a small vocabulary and model, and one run in each window."""
    small = ["a dog barks", "a cat", "good morning my dog", "the cat sees a dog"] * 50
    monkeypatch.setattr(corpus, "_made_up", lambda: (small, small, small[:7]))
    monkeypatch.setattr(corpus, "VOCABULARY_SIZE", 24)
    cheap = {"cell": "rnn", "bidirectional": False, "vocabulary_size": 24}
    encoder = functools.partial(keras_s2s.layers.RNNEncoder, 4, **cheap)
    decoder = functools.partial(keras_s2s.layers.RNNDecoder, 24, 4, cell="rnn", attention="luong")
    monkeypatch.setattr(cases, "build", lambda: (encoder(), decoder()))
    monkeypatch.setattr(cases, "_mean", lambda run: run())
    corpus.prepare(tmp_path)
    return Setting(str(tmp_path))


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("name", ["greedy", "beam-5"])
def test_all_outputs_have_as_many_tokens(name, setting):
    case = Decode(CASES[name].sampler)
    case.prepare(setting)
    ids = case.model.preprocessor.generate_preprocess(case.tests)
    found = case.model.generate(ids, max_length=FORCED_LENGTH, sampler=case.sampler)
    assert np.all(found["lengths"] == FORCED_LENGTH)
    first, second = case.window(), case.window()
    assert first["tokens"] == FORCED_LENGTH * len(case.tests)
    assert first["traces"] == second["traces"]


@pytest.mark.thorough
@pytest.mark.slow
def test_training_counts_the_tokens_of_its_batches(setting):
    case = Train()
    case.BATCHES = 1
    case.prepare(setting)
    first, second = case.window(), case.window()
    assert first["tokens"] == sum(int(weights.sum()) for _, _, weights in case.batches.batches)
    assert first["traces"] == second["traces"] < 4


def test_batches_count_the_tokens_of_all_targets(setting):
    case = Batches()
    case.prepare(setting)
    preprocessor, sentences = corpus.read(setting.workspace)
    ids = preprocessor.target_tokenizer.encode(sentences["targets"])
    window = json.loads(json.dumps(case.window()))  # as workers answer
    assert window["tokens"] == sum(len(row) + 1 for row in ids)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_worker_that_fails_says_why(tmp_path):
    with pytest.raises(WorkerError, match="greedy failed:(.|\n)*spm.model"):
        Worker("greedy", Setting(str(tmp_path))).ready()
