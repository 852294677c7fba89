import json

import pytest

import benchmark_long_sources as tool


@pytest.mark.thorough
@pytest.mark.slow
def test_table(run_main, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "LENGTHS", (2, 4))
    monkeypatch.setattr(tool, "KINDS", {"luong": {"attention": "luong", "copy": True}})
    for name in ("VOCABULARY", "EMBEDDING", "ENCODER", "DECODER", "OUTPUT"):
        monkeypatch.setattr(tool, name, 8)
    monkeypatch.setattr(tool, "memory", lambda kind: 12.0)
    output = run_main(tool, "--repeats", "1", "--output", tmp_path / "run")
    assert "training step" in output and "12" in output
    found = json.loads((tmp_path / "run" / "long_sources.json").read_text())
    assert set(found["seconds"]["luong"]) == {"2", "4"} and found["mib"] == {"luong": 12.0}
    assert int(run_main(tool, "--memory-of", "luong")) >= 0
