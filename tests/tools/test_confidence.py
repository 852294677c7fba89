import pytest

import confidence


def test_threshold_has_half_of_the_bad_ones_below():
    confidences = [-3.0, -2.0, -1.0, -2.5, -0.5, -0.4]
    is_bad = [True, True, True, False, False, False]
    value, caught, others, precision = confidence.threshold(confidences, is_bad)
    assert (value, caught, others, precision) == pytest.approx((-2.0, 2 / 3, 1 / 3, 2 / 3))


@pytest.mark.slow
def test_table(run_main, tmp_path, preset):
    pytest.importorskip("sacrebleu")
    (tmp_path / "test.tsv").write_text("I have one.\tIch habe eins.\ntwo three\tzwei drei\n")
    output = run_main(confidence, preset, tmp_path / "test.tsv", "--columns", "1,0", "--bad", 101)
    assert "sentences" in output and "100.0%" in output and "threshold" not in output
