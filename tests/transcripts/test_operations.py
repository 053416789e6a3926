"""What docs/operations.md has pasted into a shell does what it says."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.house.source import ROOT


@pytest.mark.parametrize("name", ["MAILSEAL_URL", "MAILSEAL_API_KEY_FILE"])
@pytest.mark.parametrize("value", ["", "set for this shell"])
def test_the_shell_function_hands_on_what_sudo_drops(name: str, value: str) -> None:
    paper = (ROOT / "docs/operations.md").read_text()
    written = re.search(r"^mailseal\(\) \{.*?\}$", paper, re.MULTILINE | re.DOTALL)
    assert written is not None
    here = (
        written[0].replace("sudo -u mailseal env", "env -i").replace("/opt/mailseal/.venv/bin/mailseal", "/usr/bin/env")
    )
    given = f"{name}='{value}'\n" if value else ""
    ran = subprocess.run(
        ["bash", "-eu"],
        input=f"{given}{here}\nmailseal\n",
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{name}={value}" in ran.stdout.splitlines()
