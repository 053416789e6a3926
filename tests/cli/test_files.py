from __future__ import annotations

from pathlib import Path

import pytest

from cli import main
from tests.mails import mail


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with a mail and with something that is nothing."""
    (tmp_path / "mail.eml").write_bytes(mail())
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "word").write_text("correct\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("verify mail.eml --anchor noise", 2, "noise is not a certificate, or a list of them"),
        ("encrypt mail.eml --cert noise --to all@campus.example", 2, "noise is not a certificate, or a list of them"),
        (
            "sign mail.eml --p12 noise --passphrase-file word",
            2,
            "noise is not a .p12 file with a key and its certificate",
        ),
        (
            "decrypt mail.eml --p12 noise --passphrase-file word",
            2,
            "noise is not a .p12 file with a key and its certific",
        ),
        ("sign mail.eml --p12 noise --passphrase-file noise", 2, "noise is not text"),
        ("verify nowhere --anchor noise", 2, "nowhere cannot be read: no such file or directory"),
        ("verify noise --anchor noise", 1, "noise is not a whole mail: "),
        ("sign noise --p12 noise", 1, "noise is not a whole mail: "),
    ],
)
def test_a_wrong_file_is_named_with_what_to_give(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, code: int, message: str
) -> None:
    assert main.run(line.split()) == code
    error, advice = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {message}")
    assert advice.startswith("hint: ")
    assert not {"octets", "DER,", "PKCS#8"} & set(error.split())
