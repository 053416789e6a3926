from __future__ import annotations

import os
from pathlib import Path

import pytest

from net.errors import OutboxFolderClosed
from net.folder import Folder
from tests.net.relays import letter


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_letter_is_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data" / "outbox")
    with folder.open() as way:
        way.send(letter(letter_id="a" * 32))
    file = folder.path / f"{'a' * 32}.eml"
    assert file.read_bytes() == letter().data
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert names(folder.path) == [file.name]


def test_a_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with Folder(tmp_path).open():
        assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_the_same_letter_comes_once(tmp_path: Path) -> None:
    with Folder(tmp_path).open() as way:
        way.send(letter(letter_id="a" * 32))
        before = (tmp_path / f"{'a' * 32}.eml").stat().st_ino
        way.send(letter(letter_id="a" * 32, data=b"something else"))
    assert (tmp_path / f"{'a' * 32}.eml").stat().st_ino == before
    assert len(names(tmp_path)) == 1


def test_what_an_interrupted_process_left_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / f".{'a' * 32}.0123.draft").write_bytes(b"half a let")
    (tmp_path / f".{'b' * 32}.0123.draft").write_bytes(b"somebody is writing this")
    with Folder(tmp_path).open() as way:
        way.send(letter(letter_id="a" * 32))
    assert names(tmp_path) == [f".{'b' * 32}.0123.draft", f"{'a' * 32}.eml"]


def test_a_folder_that_cannot_be_written_is_told_without_the_letter(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with (
        pytest.raises(OutboxFolderClosed, match="the folder for letters cannot be written"),
        Folder(tmp_path / "outbox").open(),
    ):
        pass
    folder = Folder(tmp_path / "other")
    with folder.open() as way:
        folder.path.rmdir()
        with pytest.raises(OutboxFolderClosed, match="No such file") as caught:
            way.send(letter())
    assert "alice" not in str(caught.value)


def test_newest_letters_come_first_and_only_plain_files_of_a_bounded_size(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    folder = Folder(tmp_path / "outbox")
    with folder.open() as way:
        for digit in "1234":
            way.send(letter(letter_id=digit * 32, data=digit.encode()))
        way.send(letter(letter_id="5" * 32, data=b"x" * 101))
    (folder.path / f"{'6' * 32}.eml").symlink_to(outside)
    os.mkfifo(folder.path / f"{'7' * 32}.eml")
    (folder.path / "notes.eml").write_bytes(b"no letter")
    assert folder.newest(6, octets=100) == [(digit * 32, digit.encode()) for digit in "432"]
    assert Folder(tmp_path / "nowhere").newest(5, octets=100) == []


def test_repeats_no_letter_in_its_looks() -> None:
    assert "alice" not in repr(letter())
    assert "hello" not in repr(letter())
