from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys, structlog
from api import log
log.configure(sys.argv[1])
with structlog.contextvars.bound_contextvars(request_id="r1"):
    structlog.get_logger("api").info("request", status=200)
    structlog.get_logger("api").warning("not_ready", problem="x")
    logging.getLogger("library").info("SELECT 1")
    logging.getLogger("library").warning("slow %s", "disk", extra={"more": "no"})
    try:
        secret = "4711"
        raise RuntimeError("broke")
    except RuntimeError:
        structlog.get_logger("api").exception("internal_error")
"""


def lines(level: str) -> list[dict[str, object]]:
    ran = subprocess.run([sys.executable, "-c", SCRIPT, level], capture_output=True, check=True, text=True)
    assert ran.stdout == ""
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_each_line_is_json_with_time_level_and_request_id() -> None:
    found = lines("info")
    assert [line["event"] for line in found] == ["request", "not_ready", "slow disk", "internal_error"]
    assert [line["level"] for line in found] == ["info", "warning", "warning", "error"]
    assert {line["request_id"] for line in found} == {"r1"}
    assert all(str(line["timestamp"]).endswith("Z") for line in found)


def test_traceback_tells_where_and_no_value_of_a_variable() -> None:
    (broken,) = [line for line in lines("info") if line["event"] == "internal_error"]
    assert "RuntimeError: broke" in str(broken["exception"])
    assert "more" not in str(lines("info")[2].keys())


@pytest.mark.parametrize(
    ("level", "events"),
    [("warning", ["not_ready", "slow disk", "internal_error"]), ("error", ["internal_error"])],
)
def test_level_counts_for_libraries_too(level: str, events: list[str]) -> None:
    assert [line["event"] for line in lines(level)] == events
