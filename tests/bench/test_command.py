import subprocess
import sys
from pathlib import Path

import pytest

from bench import command
from bench.command import Signer
from bench.errors import Failed
from tests.house.source import ROOT
from tests.programs import require

NOWHERE = Path("/nonexistent")


def test_missing_openssl_is_said_in_a_line_with_what_to_do() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench"],
        cwd=ROOT,
        env={"PATH": str(NOWHERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    error, hint = ran.stderr.splitlines()
    assert ran.returncode == 2
    assert error.startswith("error: the command openssl is missing")
    assert hint.startswith("hint: install it")


def test_refuses_a_mail_that_openssl_does_not_verify(tmp_path: Path) -> None:
    require("openssl", package="openssl")
    mail = tmp_path / "mail"
    mail.write_bytes(b"From: a@campus.example\r\n\r\nnot signed\r\n")
    with pytest.raises(Failed, match="openssl cms -verify refuses"):
        command.require_signed(mail, root=mail)


def test_refuses_to_count_signatures_that_were_not_made() -> None:
    require("openssl", package="openssl")
    signer = Signer(mail=NOWHERE, key=NOWHERE, certificate=NOWHERE, chain=NOWHERE)
    with pytest.raises(Failed, match="openssl cms -sign"):
        signer.sign(each=1, at_a_time=1)
