import json

import pytest

import summary_baselines

TEXT = "We show a long thing first. The dog Zorb sleeps here. It is late now."


def test_best_sentence_is_that_nearest_to_the_summary():
    best = summary_baselines.best_sentences([TEXT, "one"], ["Zorb sleeps", "two"])
    assert best == ["The dog Zorb sleeps here.", "one"]


def test_shares():
    # Four trigrams, of which the last came before.
    assert summary_baselines.repeated_trigrams(["A b c a b c", "x"]) == 1 / 4
    assert summary_baselines.copied_words(["a Dog", "x y"], ["the dog a", "Y"]) == 3 / 4


@pytest.mark.slow
def test_table(run_main, tmp_path, preset):
    pytest.importorskip("rouge_score")
    row = {"text": TEXT, "title": "We show a long thing"}
    (tmp_path / "test.jsonl").write_text(f"{json.dumps(row)}\n")
    path = tmp_path / "test.jsonl"
    output = run_main(summary_baselines, path, "--keys", "text,title", "--preset", preset)
    lines = {line.split("  ")[0].strip(): line for line in output.splitlines()}
    # Six of ten words; and all of five in six.
    assert "66.67" in lines["first 10 words"] and "90.91" in lines["best sentence"]
