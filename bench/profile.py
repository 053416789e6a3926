"""Where the time of one call goes: `python -m bench.profile CALL [ORDER [LINES]]`, by cProfile within one process.

CALL is one of sign, sign_raw, echo, ocsp_post, ocsp_get, static_get, issue. What is counted is the CPU time of the event
loop's thread: time in which another thread runs is nobody's here.
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import pstats
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import uvloop

from bench import machine, material, yardsticks
from bench.client import Request
from bench.errors import Failed
from bench.within import Within, repeat, require, within

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = ("sign", "sign_raw", "echo", "ocsp_post", "ocsp_get", "static_get", "issue")
SECONDS = 2.0


def main() -> None:
    which, order, lines = (*sys.argv[1:4], *("sign", "tottime", "20")[len(sys.argv[1:4]) :])
    if which not in CALLS:
        raise SystemExit(f"error: no call {which!r}\nhint: name one of {', '.join(CALLS)}")
    with _opened() as (opened, runner, folder):
        made = material.make(opened, lambda request: runner.run(require(opened.app, request)), folder=folder)
        _profile(opened, runner, getattr(made, which), order=order, lines=int(lines))


def _profile(opened: Within, runner: asyncio.Runner, request: Request, *, order: str, lines: int) -> None:
    times = _times(opened, runner, request)
    for _ in range(3):
        began, cpu, mine = time.perf_counter(), time.process_time(), time.thread_time()
        runner.run(repeat(opened.app, request, times=times))
        n = times / 1e6
        print(
            f"{request.method} {request.path[:20]}: {(time.perf_counter() - began) / n:.0f} us wall, "
            f"{(time.process_time() - cpu) / n:.0f} us CPU, {(time.thread_time() - mine) / n:.0f} us loop thread"
        )
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    runner.run(repeat(opened.app, request, times=times))
    profile.disable()
    pstats.Stats(profile, stream=sys.stdout).sort_stats(order).print_stats(lines)


def _times(opened: Within, runner: asyncio.Runner, request: Request) -> int:
    """As many calls as take about two seconds, once everything is warm."""
    runner.run(repeat(opened.app, request, times=100))
    began = time.perf_counter()
    runner.run(repeat(opened.app, request, times=100))
    return max(100, round(100 * SECONDS / (time.perf_counter() - began)))


@contextmanager
def _opened() -> Iterator[tuple[Within, asyncio.Runner, Path]]:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # the log costs what it costs in production, and is not read
    with (
        TemporaryDirectory(dir=machine.disk(), prefix="mailseal-bench-") as folder,
        within(Path(folder)) as opened,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        yardsticks.mount(opened.app)
        yield opened, runner, Path(folder)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        raise SystemExit(f"error: {failed}") from None
