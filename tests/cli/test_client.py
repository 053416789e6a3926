from __future__ import annotations

from pathlib import Path

import pytest

from cli import client, main
from services import credential


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with an API key and settings of a campus at port 8443."""
    (tmp_path / "key").write_text(credential.new())
    (tmp_path / "mailseal.toml").write_text('port = 8443\ndata = "elsewhere"\n')
    monkeypatch.chdir(tmp_path)
    for name in ("MAILSEAL_URL", "MAILSEAL_PORT", "MAILSEAL_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAILSEAL_CONFIG", "mailseal.toml")
    monkeypatch.setenv("MAILSEAL_API_KEY_FILE", "key")
    return tmp_path


def called() -> str:
    with client.connect() as service:
        return str(service.base_url).rstrip("/")


def test_calls_at_the_port_of_the_settings_file(folder: Path) -> None:
    assert called() == "http://localhost:8443"


def test_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILSEAL_PORT", "8555")
    assert called() == "http://localhost:8555"
    monkeypatch.setenv("MAILSEAL_URL", "https://mailseal.campus.example")
    assert called() == "https://mailseal.campus.example"


def test_calls_the_usual_port_where_no_other_is_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILSEAL_CONFIG")
    assert called() == "http://localhost:8000"


@pytest.mark.parametrize(
    ("text", "wrong"), [('port = "many"', "MAILSEAL_PORT: must be a whole number"), ("port", "MAILSEAL_CONFIG: the")]
)
def test_calls_nobody_while_the_port_is_unknown(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, wrong: str
) -> None:
    (folder / "mailseal.toml").write_text(text)
    assert main.run(["identities", "list"]) == 2
    assert f"error: {wrong}" in capsys.readouterr().err


def test_a_fault_of_another_setting_is_in_nobodys_way(folder: Path) -> None:
    (folder / "mailseal.toml").write_text('port = 8443\nworkers = "many"\n')
    assert called() == "http://localhost:8443"
