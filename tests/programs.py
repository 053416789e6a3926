"""What the drivers of outside mail programs have in common."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from tests.openssl import Answer


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who got key and certificate from the service as a PKCS#12 file; the certificates are PEM."""

    mailbox: str
    kind: str
    serial: str
    certificate: str
    pkcs12: bytes = field(repr=False)
    passphrase: str = field(repr=False)


class Program(Protocol):
    """A mail program's engine that trusts the campus root, and has a key store of its own.

    `content` is the signed entity beside a detached signature, None for one that wraps it.
    """

    @property
    def version(self) -> str: ...

    def verify(self, cms: bytes, content: bytes | None) -> Answer: ...

    def sign(self, content: bytes, *, by: Person, detached: bool) -> bytes: ...

    def open(self, sealed: bytes, *, by: Person) -> Answer: ...

    def seal(self, content: bytes, *, to: str) -> bytes: ...

    def hear_of_revocations(self, crls: list[bytes]) -> None:
        """From now on go by these CRLs (DER) or later ones, whatever was remembered."""


def require(*commands: str, package: str) -> None:
    """Skip where a command is missing, or fail where nothing may be skipped."""
    missing = [command for command in commands if shutil.which(command) is None]
    if not missing:
        return
    reason = f"{', '.join(missing)} missing: apt-get install {package}"
    if os.environ.get("MAILSEAL_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def laid(folder: Path, content: bytes) -> Path:
    """A new file with this content."""
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Path(name)
