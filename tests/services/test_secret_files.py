import os
from pathlib import Path

import pytest

from services.errors import DataUnsafe, FolderNotWritable
from services.secret_files import write_once


def test_is_written_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert write_once(file, lambda: b"first") == b"first"
    assert write_once(file, lambda: b"second") == b"first"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o666])
def test_a_file_that_others_can_open_is_not_believed(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"laid there")
    file.chmod(mode)
    with pytest.raises(DataUnsafe):
        write_once(file, lambda: b"ours")


def test_neither_is_what_is_no_plain_file(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises((DataUnsafe, FolderNotWritable)):
        write_once(tmp_path / "secret", lambda: b"ours")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_neither_is_another_user_s(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"laid there")
    file.chmod(0o600)
    os.chown(file, 65534, 65534)
    with pytest.raises(DataUnsafe):
        write_once(file, lambda: b"ours")
