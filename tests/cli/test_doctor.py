from __future__ import annotations

from pathlib import Path

import pytest

from cli import main


def test_one_finding_is_not_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without a CA has just this one fault."""
    monkeypatch.setenv("MAILSEAL_DATA", str(tmp_path / "data"))
    assert main.run(["doctor"]) == 1
    assert capsys.readouterr().err.rstrip().endswith(": 1 finding")
