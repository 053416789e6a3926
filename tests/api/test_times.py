from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api import times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"),
        ("2026-01-31t09:00:00z", "2026-01-31T09:00:00Z"),
        ("2026-01-31T09:00:00.999999Z", "2026-01-31T09:00:00Z"),
        ("2026-01-31T17:00:00+08:00", "2026-01-31T09:00:00Z"),
        ("2026-01-31T00:30:00-01:30", "2026-01-31T02:00:00Z"),
    ],
)
def test_reads_rfc_3339_and_cuts_fractions(text: str, expected: str) -> None:
    assert times.write(times.read(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31T09:00:00",
        "2026-01-31 09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-01-31T24:00:00Z",
        "1769850000",
        1769850000,
        None,
        "2026-01-31T09:00:00+99:00",
        "0001-01-01T00:00:00+10:00",
        "२०२६-01-31T09:00:00Z",
    ],
)
def test_refuses_anything_else(text: object) -> None:
    with pytest.raises(ValueError, match="not a time"):
        times.read(text)


def test_writes_utc_with_z() -> None:
    at = datetime(2026, 1, 31, 17, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    assert times.write(at) == "2026-01-31T09:00:00Z"
    assert times.read(at).astimezone(UTC) == at
