"""Where the time of one call goes: `python -m bench.profile [sign|sign-raw]`, by cProfile within one process."""

from __future__ import annotations

import asyncio
import base64
import cProfile
import json
import os
import pstats
import sys
import time

import uvloop

from bench.mail import mail
from bench.within import Call, Within, repeat, within

TIMES = 2000


def calls(opened: Within, which: str) -> list[Call]:
    """The requests of this name."""
    key = {"Authorization": f"Bearer {opened.key}"}
    raw = {**key, "Content-Type": "message/rfc822"}
    if which == "sign":
        body = json.dumps({"message": base64.b64encode(mail()).decode()}).encode()
        return [Call(path="/v1/sign", body=body, headers={**key, "Content-Type": "application/json"})]
    if which == "sign-raw":
        return [Call(path="/v1/sign", body=mail(), headers=raw)]
    raise SystemExit(f"error: no call {which!r}")


def main() -> None:
    which = sys.argv[1] if len(sys.argv) > 1 else "sign"
    by = sys.argv[2] if len(sys.argv) > 2 else "tottime"
    if "-v" not in sys.argv:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with within() as opened, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        made = calls(opened, which)
        runner.run(repeat(opened.app, made, times=200))
        for _ in range(3):
            began, cpu, mine = time.perf_counter(), time.process_time(), time.thread_time()
            runner.run(repeat(opened.app, made, times=TIMES))
            n = TIMES / 1e6
            print(
                f"{which}: {(time.perf_counter() - began) / n:.0f} us wall, "
                f"{(time.process_time() - cpu) / n:.0f} us CPU, {(time.thread_time() - mine) / n:.0f} us loop thread"
            )
        profile = cProfile.Profile()
        profile.enable()
        runner.run(repeat(opened.app, made, times=TIMES))
        profile.disable()
        pstats.Stats(profile, stream=sys.stdout).sort_stats(by).print_stats(
            int(sys.argv[3]) if len(sys.argv) > 3 else 15
        )


if __name__ == "__main__":
    main()
