import json

import pytest

import benchmark_growth
import keras_s2s
from tests.word_layers import WordDecoder, WordEncoder


@pytest.mark.parametrize("power", [0, 1, 2])
def test_slope_is_the_power(power):
    rows = [{"size": n, "train": 3.0 * n**power} for n in (1, 4, 8, 16)]
    assert benchmark_growth.slope(rows, "train") == pytest.approx(power)


def test_unknown_axis(run_main, tmp_path):
    with pytest.raises(SystemExit, match="no axis 'depth'"):
        run_main(benchmark_growth, "--axes", "depth", "--output", tmp_path)


@pytest.mark.thorough
@pytest.mark.slow
def test_table_and_plot(run_main, tmp_path, monkeypatch):
    def build(vocabulary):
        model = keras_s2s.models.Seq2Seq(
            WordEncoder(4, vocabulary_size=vocabulary), WordDecoder(vocabulary, 4)
        )
        model.compile(weighted_metrics=None)
        return model

    monkeypatch.setattr(benchmark_growth, "build", build)
    monkeypatch.setattr(benchmark_growth, "AXES", {"beam": (1, 2, 3), "batch": (1, 2, 4)})
    output = run_main(benchmark_growth, "--repeats", "1", "--output", tmp_path / "run")
    found = json.loads((tmp_path / "run" / "growth.json").read_text())["growth"]
    assert [row["size"] for row in found["beam"]] == [1, 2, 3]
    assert "train" not in found["beam"][0] and found["batch"][0]["train"] > 0
    assert output.count("slope") == 2
    assert (tmp_path / "run" / "growth.png").read_bytes().startswith(b"\x89PNG")
