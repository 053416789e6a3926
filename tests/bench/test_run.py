"""One round of everything, too short for its figures to mean anything."""

from __future__ import annotations

from pathlib import Path

from bench.figures import ratio
from bench.run import COMPARISONS, Plan, rounds
from tests.programs import require


def test_round_takes_every_measure_and_leaves_nothing_behind(tmp_path: Path) -> None:
    require("openssl", package="openssl")
    said: list[str] = []
    plan = Plan(rounds=1, seconds=0.05, connections=2, workers=1)
    (turns,) = rounds(plan, parent=tmp_path, tell=said.append)
    for comparison in COMPARISONS:
        assert ratio([turns], comparison).least > 0
    assert said[-1] == "round 1 of 1"
    assert list(tmp_path.iterdir()) == []
