"""`make bench`: the service held against what it could be, as ratios taken in one run, in Markdown."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from bench import command, figures, machine
from bench.errors import Failed
from bench.run import COMPARISONS, Plan, rounds

LIMIT_SECONDS = 175


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _give_up)
    signal.alarm(LIMIT_SECONDS)
    try:
        print(report(Plan(workers=machine.take_cores())))
    except Failed as failed:
        print(f"error: {failed}", *([f"hint: {failed.hint}"] if failed.hint else []), sep="\n", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def report(plan: Plan) -> str:
    """Machine, versions, both tables."""
    openssl, load, place = command.version(), os.getloadavg()[0], machine.disk()
    taken = rounds(plan, parent=place, tell=lambda text: print(text, file=sys.stderr, flush=True))
    how = (
        f"{plan.rounds} rounds of {plan.seconds:g} s a measure, {plan.connections} connections, P-256, a mail of 10 KiB; "
        f"all cores = {plan.workers} processes."
    )
    about = machine.describe(place, cores=plan.workers, openssl=openssl, load=load)
    return "\n\n".join((about, how, figures.ratios(taken, COMPARISONS), figures.measures(taken)))


def _give_up(number: int, _frame: object) -> NoReturn:
    if number == signal.SIGALRM:
        raise Failed(f"not done after {LIMIT_SECONDS} s", hint="see what else the machine is doing")
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
