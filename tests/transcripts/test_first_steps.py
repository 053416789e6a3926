"""The lines that are printed, and those of the README, do what they say: pasted into a shell, twice."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.words import first_steps
from tests.house.source import ROOT
from tests.served import Served, serve


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("service")) as served:
        yield served


def not_ignored(folder: Path) -> set[str]:
    """What lies in the folder, and would be in the way of a commit if it were the project's."""
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    return {file.name for file in folder.iterdir()} - {line.removeprefix("/") for line in ignored}


def paste(lines: str, *, folder: Path) -> str:
    ran = subprocess.run(["bash", "-e"], input=lines.encode(), cwd=folder, capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.decode()


@pytest.mark.parametrize("time", ["first", "second"])
def test_printed_lines_work_pasted_twice(service: Served, tmp_path: Path, time: str) -> None:
    shown = paste(first_steps.lines(service.url, key_file=str(service.key_file)), folder=tmp_path)
    verdicts = re.findall(r"^(valid|invalid|indeterminate|not signed):", shown, re.MULTILINE)
    assert verdicts == ["valid", "invalid", "invalid", "invalid"], f"the {time} time: {shown}"
    assert "(message_altered)" in shown
    assert "(address_mismatch)" in shown
    assert "(signer_revoked)" in shown
    assert not_ignored(tmp_path) == set()


def test_service_prints_just_these_lines(service: Served) -> None:
    assert first_steps.lines(service.url, key_file=str(service.key_file.resolve())).strip() in service.log


def test_readme_commands_run_and_show_what_they_say(service: Served, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    called = [block for block in blocks if "curl" in block or "mailseal verify" in block]
    assert len(called) == 4
    here = (
        "".join(called)
        .replace("localhost:8000", service.url.removeprefix("http://"))
        .replace("data/admin.key", str(service.key_file))
        .replace(".venv/bin/mailseal", f"PYTHONPATH={ROOT} {sys.executable} -m cli")
    )
    shown = paste(here, folder=tmp_path)
    # openssl prints the body of what it verified: of the signed mail, and of the forged one too
    assert shown.count("You are enrolled.") == 2
    assert shown.count("What is my mark?") == 1
    assert "Signed by registry@campus.example." in shown
    expected = re.search(r"^```text\n(invalid.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert expected is not None
    assert expected.group(1).strip() in shown
    assert not_ignored(tmp_path) == set()


@pytest.mark.parametrize("workers", [1, 2])
def test_says_in_one_line_where_it_listens_once_it_does(tmp_path: Path, workers: int) -> None:
    with serve(tmp_path, workers=workers) as served:
        port = served.url.rpartition(":")[2]
        line = f"mailseal: listening on http://127.0.0.1:{port} as {served.url}, stop with Ctrl-C"
        assert served.wait_for(line)
        assert served.log.count("listening on") == 1
        assert served.log.index("Paste these lines") < served.log.index("listening on")
