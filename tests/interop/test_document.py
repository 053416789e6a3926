import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMED = sorted(set(re.findall(r"`(test_\w+)::(test_\w+)`", (HERE.parents[1] / "docs" / "clients.md").read_text())))


@pytest.mark.parametrize(("file", "test"), NAMED, ids="::".join)
def test_the_document_names_tests_that_are_there(file: str, test: str) -> None:
    assert f"\ndef {test}(" in (HERE / f"{file}.py").read_text()


def test_the_document_names_every_limit() -> None:
    limits = re.findall(r"^def (test_\w+)", (HERE / "test_limits.py").read_text(), re.MULTILINE)
    assert limits
    assert {("test_limits", limit) for limit in limits} <= set(NAMED)
