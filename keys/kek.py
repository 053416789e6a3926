"""KEK, the key-encryption key, and the file it lives in: one line, the base64 of 32 octets, for its owner alone."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from keys.errors import KekMalformed, KekMissing, KekUnreadable, KekUnsafe

SIZE: Final = 32
_MAX_FILE: Final = 1024
_ID_LABEL: Final = b"mailseal kek id"
_OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def kek_id(kek: bytes) -> str:
    """The name of a KEK, 16 hexadecimal digits that tell nothing about it."""
    return hmac.digest(kek, _ID_LABEL, "sha256").hex()[:16]


def read_kek(path: Path) -> bytes:
    """Read the KEK; raises KekMissing, KekUnsafe, KekUnreadable and KekMalformed."""
    try:
        # Without O_NONBLOCK a FIFO in this place would make the start hang.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KekMissing(f"there is no file {path}") from None
    except OSError as error:
        raise KekUnreadable(f"cannot open {path}: {error.strerror}") from None
    except ValueError:  # a NUL in the name
        raise KekMissing("the name of the key-encryption key file cannot be a name") from None
    try:
        # The open file is judged, not its name, so nobody can change one for the other in between. A symbolic link is
        # followed: container platforms mount secrets so.
        check_private(os.fstat(descriptor), path=path)
        kek = _decode(os.read(descriptor, _MAX_FILE + 1))
    except OSError as error:
        raise KekUnreadable(f"cannot read {path}: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if kek is None:
        raise KekMalformed(f"{path} does not hold the base64 of {SIZE} octets")
    return kek


def create_kek(path: Path) -> bytes:
    """Make the file with a fresh KEK unless it is there, and read it; of several at once one wins, and all read its.

    (1) write a new file beside it, for its owner alone, and bring it to the disk;
    (2) give it the final name by a hard link, which never replaces another file;
    (3) take the first name away;
    (4) bring the folder to the disk;
    (5) read what now has the name. Interrupted between (2) and (3), the next call takes the first name away.
    """
    try:
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
            try:
                _write_new(draft, base64.b64encode(secrets.token_bytes(SIZE)) + b"\n")  # (1)
                with suppress(FileExistsError):
                    os.link(draft, path)  # (2)
            finally:
                draft.unlink(missing_ok=True)  # (3)
        _remove_second_names(path)
        _sync_folder(path.parent)  # (4)
    except OSError as error:
        raise KekUnreadable(f"cannot make {path}: {error.strerror}") from None
    return read_kek(path)  # (5)


def check_private(status: os.stat_result, *, path: Path) -> None:
    """Raise KekUnsafe unless the file is a regular one that only root and the service's user can read or change."""
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise KekUnsafe(f"{path} is not a regular file")
    if status.st_uid not in {0, os.geteuid()}:
        raise KekUnsafe(f"{path} belongs to another user")
    # systemd credentials are root's, and an access list grants the service its read; the group bits then show that
    # list's mask, and the group itself is root's.
    is_credential = (status.st_uid, status.st_gid, mode) == (0, 0, 0o440)
    if mode & _OPEN_TO_OTHERS and not is_credential:
        raise KekUnsafe(f"{path} is open to others than its owner: mode {mode:04o}")


def _decode(text: bytes) -> bytes | None:
    try:
        kek = base64.b64decode(text.rstrip(b"\r\n"), validate=True)
    except binascii.Error:
        return None
    return kek if len(kek) == SIZE else None


def _write_new(path: Path, text: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # whatever the umask says
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _remove_second_names(path: Path) -> None:
    """Take away what a process that died at the wrong moment left: another name of the very same file."""
    status = path.stat()
    if status.st_nlink == 1:
        return
    for draft in path.parent.glob(f".{path.name}.*.new"):
        with suppress(FileNotFoundError):
            if os.path.samestat(draft.lstat(), status):
                draft.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
