"""Figures: what was counted in each round, and the two Markdown tables that are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One measure, taken once: how often in how many seconds, and the CPU seconds that it took on either side.

    `answering` is None where the system does not tell what another process took.
    """

    times: int
    seconds: float
    answering: float | None = None
    asking: float | None = None

    @property
    def rate(self) -> float:
        return self.times / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of some rounds, and the least and the most of them."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        found = sorted(values)
        return cls(middle=median(found), least=found[0], most=found[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A measure held against another of the same rounds; `goal` is the least that we want."""

    name: str
    measure: str
    against: str
    goal: float | None = None


Rounds = Sequence[Mapping[str, Turn]]


def ratio(rounds: Rounds, comparison: Comparison) -> Spread:
    """The ratio of two rates, taken round by round, so that what slows the machine for a while slows both."""
    return Spread.of(turns[comparison.measure].rate / turns[comparison.against].rate for turns in rounds)


def ratios(rounds: Rounds, comparisons: Iterable[Comparison]) -> str:
    """The table of ratios; a median below its goal says so."""
    head = ("ratio", "median", "min..max", "goal")
    return _table(head, (_ratio_row(rounds, comparison) for comparison in comparisons))


def measures(rounds: Rounds) -> str:
    """The table of what was measured: how often a second, and the CPU time of one on either side."""
    head = ("measure", "a second", "min..max", "CPU us, answering", "CPU us, asking")
    return _table(head, (_measure_row(name, [turns[name] for turns in rounds]) for name in rounds[0]))


def _ratio_row(rounds: Rounds, comparison: Comparison) -> Sequence[str]:
    found, goal = ratio(rounds, comparison), comparison.goal
    wanted = "-" if goal is None else f">= {goal:g}"
    if goal is not None and found.middle < goal:
        wanted += " (below)"
    return comparison.name, f"**{_short(found.middle)}**", f"{_short(found.least)}..{_short(found.most)}", wanted


def _measure_row(name: str, turns: Sequence[Turn]) -> Sequence[str]:
    rate = Spread.of(turn.rate for turn in turns)
    return (
        name,
        _short(rate.middle),
        f"{_short(rate.least)}..{_short(rate.most)}",
        _each(turns, [turn.answering for turn in turns]),
        _each(turns, [turn.asking for turn in turns]),
    )


def _each(turns: Sequence[Turn], seconds: Sequence[float | None]) -> str:
    """The median CPU time of one, in microseconds."""
    known = [s * _MICRO / turn.times for turn, s in zip(turns, seconds, strict=True) if s is not None and turn.times]
    return f"{median(known):,.0f}" if known else "-"


def _short(number: float) -> str:
    """Two decimals for small numbers, one for tens, none for more: a ratio is no more exact than that."""
    decimals = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:,.{decimals}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
