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
    """Run `mailseal` with these arguments, and no settings but those of `environ`; no terminal is there to ask."""
    ran = subprocess.run(
        _line(arguments),
        env=_environ(environ or {}),
        input=given,
        capture_output=True,
        timeout=SECONDS,
        cwd=folder,
        check=False,
        start_new_session=True,
    )
    return Ran(code=ran.returncode, out=ran.stdout.decode(), err=ran.stderr.decode())


def mailseal_unread(*arguments: str | Path, environ: Mapping[str, str]) -> Ran:
    """Run `mailseal` into a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            _line(arguments),
            env=_environ(environ),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(writer)
    return Ran(code=ran.returncode, out="", err=ran.stderr.decode())


def _line(arguments: tuple[str | Path, ...]) -> list[str]:
    return [sys.executable, "-m", "cli", *map(str, arguments)]


def _environ(given: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAILSEAL_")}
    return {**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **given}
