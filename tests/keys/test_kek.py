from __future__ import annotations

import base64
import multiprocessing
import os
import stat
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from keys.errors import KekMalformed, KekMissing, KekUnreadable, KekUnsafe
from keys.kek import check_private, create_kek, kek_id, read_kek

KEK = bytes(range(32))
TEXT = base64.b64encode(KEK) + b"\n"


def write(path: Path, text: bytes = TEXT, *, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def status(*, mode: int, uid: int | None = None, gid: int = 1000) -> os.stat_result:
    uid = os.geteuid() if uid is None else uid
    return cast("os.stat_result", SimpleNamespace(st_mode=mode, st_uid=uid, st_gid=gid))


def test_reads_one_line_of_base64(tmp_path: Path) -> None:
    assert read_kek(write(tmp_path / "kek")) == KEK


@pytest.mark.parametrize("text", [base64.b64encode(KEK), base64.b64encode(KEK) + b"\r\n"])
def test_reads_whatever_an_editor_did_to_the_end_of_the_line(tmp_path: Path, text: bytes) -> None:
    assert read_kek(write(tmp_path / "kek", text)) == KEK


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KekMissing, match=r"there is no file .*/kek$"):
        read_kek(tmp_path / "kek")


def test_refuses_a_name_that_cannot_be() -> None:
    with pytest.raises(KekMissing):
        read_kek(Path("a\0b"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        base64.b64encode(KEK[:31]),
        base64.b64encode(KEK + b"x"),
        KEK,
        b"!" + TEXT,
        TEXT + TEXT,
        b"A" * 5000,
        "ü".encode() * 22,
    ],
)
def test_refuses_what_is_not_the_base64_of_32_octets(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(KekMalformed) as refused:
        read_kek(write(tmp_path / "kek", text))
    assert "base64 of 32 octets" in refused.value.detail


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610, 0o644, 0o777])
def test_refuses_a_file_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KekUnsafe, match=f"mode {mode:04o}"):
        read_kek(write(tmp_path / "kek", mode=mode))


def test_accepts_a_file_that_its_owner_can_only_read(tmp_path: Path) -> None:
    assert read_kek(write(tmp_path / "kek", mode=0o400)) == KEK


def test_accepts_a_systemd_credential_whose_access_list_shows_as_group_bits() -> None:
    check_private(status(mode=stat.S_IFREG | 0o440, uid=0, gid=0), path=Path("kek"))


@pytest.mark.parametrize(("mode", "uid", "gid"), [(0o440, 0, 1000), (0o640, 0, 0), (0o444, 0, 0)])
def test_refuses_group_bits_on_any_other_file(mode: int, uid: int, gid: int) -> None:
    with pytest.raises(KekUnsafe):
        check_private(status(mode=stat.S_IFREG | mode, uid=uid, gid=gid), path=Path("kek"))


def test_refuses_a_file_of_another_user() -> None:
    with pytest.raises(KekUnsafe, match="another user"):
        check_private(status(mode=stat.S_IFREG | 0o600, uid=os.geteuid() + 1), path=Path("kek"))


def test_refuses_a_pipe_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kek", 0o600)
    with pytest.raises(KekUnsafe, match="regular file"):
        read_kek(tmp_path / "kek")


def test_refuses_a_folder(tmp_path: Path) -> None:
    (tmp_path / "kek").mkdir(mode=0o700)
    with pytest.raises(KekUnsafe, match="regular file"):
        read_kek(tmp_path / "kek")


def test_follows_a_symbolic_link_and_judges_the_file_behind_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(write(tmp_path / "kek"))
    assert read_kek(tmp_path / "link") == KEK
    (tmp_path / "kek").chmod(0o644)
    with pytest.raises(KekUnsafe):
        read_kek(tmp_path / "link")


def test_says_that_symbolic_links_go_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "kek").symlink_to(tmp_path / "kek")
    with pytest.raises(KekUnreadable):
        read_kek(tmp_path / "kek")


def test_makes_a_file_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        kek = create_kek(tmp_path / "kek")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "kek").stat().st_mode) == 0o600
    assert read_kek(tmp_path / "kek") == kek
    assert [each.name for each in tmp_path.iterdir()] == ["kek"]


def test_makes_a_new_one_each_time(tmp_path: Path) -> None:
    assert create_kek(tmp_path / "one") != create_kek(tmp_path / "two")


def test_never_overwrites(tmp_path: Path) -> None:
    write(tmp_path / "kek")
    assert create_kek(tmp_path / "kek") == KEK
    assert (tmp_path / "kek").read_bytes() == TEXT


@pytest.mark.parametrize("text", [b"", b"half"])
def test_leaves_a_file_alone_that_holds_no_kek(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "kek", text)
    with pytest.raises(KekMalformed):
        create_kek(tmp_path / "kek")
    assert (tmp_path / "kek").read_bytes() == text


def test_makes_nothing_behind_a_symbolic_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "kek").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((KekMissing, KekUnreadable)):
        create_kek(tmp_path / "kek")
    assert [each.name for each in tmp_path.iterdir()] == ["kek"]


def test_says_that_the_folder_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KekUnreadable, match="cannot make"):
        create_kek(tmp_path / "nowhere" / "kek")


def test_takes_away_the_second_name_that_an_interrupted_run_left(tmp_path: Path) -> None:
    write(tmp_path / "kek")
    os.link(tmp_path / "kek", tmp_path / ".kek.0123456789abcdef.new")
    write(tmp_path / ".kek.of-somebody-else.new", b"another file")
    assert create_kek(tmp_path / "kek") == KEK
    assert sorted(each.name for each in tmp_path.iterdir()) == [".kek.of-somebody-else.new", "kek"]


def test_many_threads_at_once_end_with_one_kek(tmp_path: Path) -> None:
    gate = threading.Barrier(16)
    found: list[bytes] = []

    def make() -> None:
        gate.wait(10)
        found.append(create_kek(tmp_path / "kek"))

    threads = [threading.Thread(target=make) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert len(found) == 16
    assert set(found) == {read_kek(tmp_path / "kek")}
    assert [each.name for each in tmp_path.iterdir()] == ["kek"]


def _make_in_a_process(path: Path, gate: Barrier, answer: Path) -> None:
    gate.wait(60)
    answer.write_bytes(create_kek(path))


def test_two_processes_at_once_end_with_one_kek(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(2)
    answers = [tmp_path / "answer1", tmp_path / "answer2"]
    folder = tmp_path / "folder"
    folder.mkdir()
    processes = [spawn.Process(target=_make_in_a_process, args=(folder / "kek", gate, answer)) for answer in answers]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)
    assert [each.exitcode for each in processes] == [0, 0]
    assert {each.read_bytes() for each in answers} == {read_kek(folder / "kek")}
    assert [each.name for each in folder.iterdir()] == ["kek"]


def test_its_id_tells_keks_apart_and_nothing_about_them() -> None:
    assert kek_id(KEK) == kek_id(bytes(KEK))
    assert kek_id(KEK) != kek_id(bytes(32))
    assert len(kek_id(KEK)) == 16
    assert int(kek_id(KEK), 16)
    assert kek_id(KEK) not in KEK.hex()
