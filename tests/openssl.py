"""openssl as an outside judge."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """What openssl printed, and whether it was content."""

    ok: bool
    out: bytes
    text: str


def openssl(*arguments: str | Path, given: bytes = b"") -> Answer:
    """Run one openssl command."""
    ran = subprocess.run(
        ["openssl", *map(str, arguments)], input=given, capture_output=True, timeout=SECONDS, check=False
    )
    return Answer(ok=ran.returncode == 0, out=ran.stdout, text=(ran.stdout + ran.stderr).decode(errors="replace"))
