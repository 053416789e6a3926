"""The command line, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.house.source import ROOT

SECONDS = 60


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed where."""

    code: int
    out: str
    err: str


def mailseal(
    *arguments: str | Path, environ: Mapping[str, str] | None = None, given: bytes = b"", folder: Path | None = None
) -> Ran:
    """Run `mailseal` with these arguments, and no settings but those of `environ`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAILSEAL_")}
    ran = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        env={**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **(environ or {})},
        input=given,
        capture_output=True,
        timeout=SECONDS,
        cwd=folder,
        check=False,
    )
    return Ran(code=ran.returncode, out=ran.stdout.decode(), err=ran.stderr.decode())
