import time
from collections import Counter

import pytest
import tensorflow as tf

import benchmark_profile
from benchmarks import report


def test_operations_are_those_that_ran(tmp_path):
    @tf.function
    def products(x):
        for _ in range(3):
            x = tf.matmul(x, x)
        return tf.tanh(x)

    x = tf.random.normal((300, 300))
    products(x)

    def run():
        products(x)
        products(x).numpy()

    start = time.perf_counter()
    seconds, number = benchmark_profile.operations(run, tmp_path)
    wall = time.perf_counter() - start
    assert number["MatMul"] == 6 and number["Tanh"] == 2
    assert 0 < sum(seconds.values()) < wall


def test_table_adds_up(capsys):
    seconds = Counter(MatMul=3.0, Tanh=1.0, Add=0.5, Mul=0.5)
    number = Counter(MatMul=6, Tanh=2, Add=1, Mul=1)
    report.show_operations(seconds, number, top=2)
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("│")
    ]
    assert rows == [
        ["MatMul", "3", "60%", "6", "500,000"],
        ["Tanh", "1", "20%", "2", "500,000"],
        ["others", "1", "20%", "2", "500,000"],
        ["all", "5", "100%", "10", "500,000"],
    ]


def test_unknown_case(run_main):
    with pytest.raises(SystemExit):
        run_main(benchmark_profile, "load")
