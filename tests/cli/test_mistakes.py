from __future__ import annotations

import pytest

from cli import main


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("verify m.eml", "--anchor is missing", "see mailseal verify --help"),
        ("certificates issue", "FILE is missing", "see mailseal certificates issue --help"),
        ("verify m.eml --anchor a --at noon", "--at is not a time", "write it in UTC, like 2026-03-02T08:30:00"),
        ("serve --workers many", "--workers is not a whole number", "give digits alone, such as 4"),
        ("serve --workers 0", "--workers is too small", "give 1 or more"),
        ("serve --workers 65", "--workers is too large", "give 64 or less"),
        ("sign m.eml --p12 a --as seal", "--as is not one of its choices", "choose one of detached, opaque"),
        ("audit export --format xml", "--format is not one of its choices", "choose one of jsonl, csv"),
        (
            "verify m.eml --anchor a --revocation no",
            "--revocation is not one of its choices",
            "choose one of hard, soft",
        ),
        ("encrypt m.eml --cert a --algorithms x", "--algorithms is not one of its choices", "choose one of compatible"),
        (
            "revoke 4a --reason lost",
            "--reason is not one of its choices",
            "choose one of stolen, left, replaced, stopped",
        ),
        (
            "identities revoke desk@campus.example --reason lost",
            "--reason is not one of its choices",
            "choose one of stolen, left, replaced, stopped, withdrawn",
        ),
        ("verify m.eml more --anchor a", "there is one argument too many: more", "put quotes around what holds blanks"),
        ("serve --worker 2", "there is no option --worker", "did you mean --workers? see mailseal serve --help"),
        ("serve --init=3", "--init takes no value", "see mailseal"),
        ("verify m.eml --anchor", "--anchor needs a value after it", "see mailseal"),
    ],
)
def test_a_wrong_line_is_told_in_plain_words(
    capsys: pytest.CaptureFixture[str], line: str, message: str, hint: str
) -> None:
    assert main.run(line.split()) == 2
    error, advice = capsys.readouterr().err.splitlines()
    assert error == f"error: {message}"
    assert advice.startswith(f"hint: {hint}")


@pytest.mark.parametrize("command", [["verify"], ["encrypt"], ["certificates", "issue"], ["api-keys", "add"]])
def test_help_shows_no_name_of_a_type(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    main.run([*command, "--help"])
    shown = capsys.readouterr().out
    assert "list[" not in shown
    assert "..." in shown
