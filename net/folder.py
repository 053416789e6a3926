"""Folder, where letters go when there is no relay: one file each, readable by its owner only."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from net.errors import OutboxFolderClosed
from net.letter import Letter

_NAME: Final = re.compile(r"([0-9a-f]{32})\.eml")
# More names are never looked at, so that a folder which nobody empties does not fill the memory.
MAX_NAMES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Folder:
    """Takes each letter exactly once, under its id, and each file is there whole or not at all."""

    path: Path

    # How long a letter takes at most, in seconds.
    seconds: Final = 5.0

    @contextmanager
    def open(self) -> Iterator[Self]:
        """Ready to take letters, until the context ends."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                self.path.chmod(0o700)
        except OSError as error:
            raise _closed(error) from None
        yield self

    def send(self, letter: Letter) -> None:
        """Write the letter, unless it is there already; durable when this returns. OutboxFolderClosed if it cannot be."""
        try:
            self._remove_drafts(letter.id)
            self._write(letter)
        except OSError as error:
            raise _closed(error) from None

    def stop(self) -> None:
        """Nothing here takes long enough to be stopped."""

    def newest(self, limit: int, *, octets: int) -> list[tuple[str, bytes]]:
        """Id and octets of up to `limit` letters, newest first; larger ones and what is no letter are left out."""
        found = (self._read(name, octets) for name in self._names()[:limit])
        return [letter for letter in found if letter is not None]

    def _names(self) -> list[str]:
        """The names of letters, newest first: ids sort by the time of their making."""
        with suppress(OSError), os.scandir(self.path) as entries:
            names = (entry.name for entry, _ in zip(entries, range(MAX_NAMES), strict=False))
            return sorted((name for name in names if _NAME.fullmatch(name)), reverse=True)
        return []

    def _read(self, name: str, octets: int) -> tuple[str, bytes] | None:
        with suppress(OSError):
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(self.path / name, flags), "rb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and len(data := file.read(octets + 1)) <= octets:
                    return name.removesuffix(".eml"), data
        return None

    def _write(self, letter: Letter) -> None:
        path = self.path / f"{letter.id}.eml"
        if path.exists():
            return
        draft = self.path / f".{letter.id}.{secrets.token_hex(8)}.draft"
        try:
            _write_draft(draft, letter.data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(self.path)

    def _remove_drafts(self, letter_id: str) -> None:
        """Take away what was left by a process that ended while it wrote this very letter."""
        for draft in self.path.glob(f".{letter_id}.*.draft"):
            draft.unlink(missing_ok=True)


def _write_draft(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _closed(error: OSError) -> OutboxFolderClosed:
    return OutboxFolderClosed(f"the folder for letters cannot be written: {error.strerror or type(error).__name__}")
