import sys

import pytest


@pytest.fixture
def run_main(monkeypatch, capsys):
    """Function that runs the `main` of a tool in this process, and returns what it printed."""

    def run(tool, *arguments):
        monkeypatch.setattr(sys, "argv", [tool.__name__, *map(str, arguments)])
        tool.main()
        return capsys.readouterr().out

    return run
