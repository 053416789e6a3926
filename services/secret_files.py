"""Secret files: written whole or not at all, never twice, and readable by their owner only."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.errors import DataUnsafe, FolderNotWritable

MAX_OCTETS: Final = 64 * 1024


def write_once(path: Path, content: Callable[[], bytes]) -> bytes:
    """What is in the file; if there is none, it is written first with what `content` makes."""
    try:
        if not path.exists():
            _write(path, content())
        return _read(path)
    except OSError as error:
        raise FolderNotWritable(f"{path} cannot be written or read: {error.strerror}") from None


def check_owner(status: os.stat_result, *, path: Path, others: int) -> None:
    """DataUnsafe unless it belongs to root or the service's user, and others may not do what `others` masks."""
    if status.st_uid not in {0, os.geteuid()}:
        raise DataUnsafe(f"{path} belongs to another user")
    if status.st_mode & others:
        raise DataUnsafe(f"{path} is open to others: mode {stat.S_IMODE(status.st_mode):04o}")


def _read(path: Path) -> bytes:
    """What somebody else may have laid there is not believed: a plain file of our own, that nobody else can read."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DataUnsafe(f"{path} is not a plain file")
        check_owner(status, path=path, others=0o077)
        return file.read(MAX_OCTETS)


def remove_drafts(path: Path) -> None:
    """Take away what somebody left who was interrupted while writing this file; nobody may be writing it now."""
    for draft in path.parent.glob(f".{path.name}.*.draft"):
        with suppress(OSError):
            draft.unlink()


def _write(path: Path, text: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.draft")
    try:
        _write_draft(draft, text)
        # A link, unlike a rename, never replaces what another process was faster to write.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_draft(path: Path, text: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
