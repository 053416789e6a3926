"""The run: rounds of measures, one after the other in each, so that what slows the machine for a while slows all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import material
from bench.client import Request
from bench.errors import Failed
from bench.figures import Comparison, Turn
from bench.material import Material
from bench.served import Served, serving
from bench.within import within

WARM_SECONDS = 0.4

Measure = Callable[[float], Turn]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it: rounds, the seconds of each measure in them, connections, and processes that serve."""

    rounds: int = 5
    seconds: float = 1.5
    connections: int = 16
    workers: int = 2


@dataclass(slots=True)
class Signed:
    """How many signatures were answered with."""

    times: int = 0


COMPARISONS = (
    Comparison(name="sign JSON / JSON echo, 1 process", measure="sign JSON, 1 process", against="JSON echo, 1 process", goal=0.55),
    Comparison(name="sign raw / JSON echo, 1 process", measure="sign raw, 1 process", against="JSON echo, 1 process", goal=0.8),
    Comparison(name="sign JSON / openssl cms", measure="sign JSON, all cores", against="openssl cms -sign", goal=10),
    Comparison(name="sign raw / openssl cms", measure="sign raw, all cores", against="openssl cms -sign", goal=10),
    Comparison(name="OCSP POST / static answer", measure="OCSP POST", against="static POST", goal=0.8),
    Comparison(name="OCSP GET / static answer", measure="OCSP GET", against="static GET", goal=0.8),
    Comparison(name="issue from CSR / lint alone", measure="issue from CSR", against="lint alone"),
)  # fmt: skip


def rounds(plan: Plan, *, parent: Path, tell: Callable[[str], None]) -> list[Mapping[str, Turn]]:
    """Found a CA, serve it, and take every measure once a round; Failed if anything was not as it should be."""
    with _stage(plan, parent=parent, tell=tell) as (measures, require_recorded):
        tell("warming up")
        for measure in measures.values():
            measure(min(plan.seconds, WARM_SECONDS))
        taken: list[Mapping[str, Turn]] = []
        for number in range(1, plan.rounds + 1):
            tell(f"round {number} of {plan.rounds}")
            taken.append({name: measure(plan.seconds) for name, measure in measures.items()})
        require_recorded()
        return taken


@contextmanager
def _stage(
    plan: Plan, *, parent: Path, tell: Callable[[str], None]
) -> Iterator[tuple[dict[str, Measure], Callable[[], None]]]:
    with ExitStack() as stack:
        tell("founding a CA and starting the service")
        folder = Path(stack.enter_context(TemporaryDirectory(dir=parent, prefix="mailseal-bench-")))
        opened = stack.enter_context(within(folder))
        data = opened.context.settings.data
        one = stack.enter_context(serving(data, workers=1))
        many = one if plan.workers == 1 else stack.enter_context(serving(data, workers=plan.workers))
        made = material.make(opened, one.ask, folder=folder)
        material.require_true(made, one, folder=folder)
        signed, before = Signed(), material.records(opened)

        def require_recorded() -> None:
            if (found := material.records(opened) - before) < signed.times:
                raise Failed(f"{signed.times} signatures left the service, {found} are on record")
            material.require_true(made, many, folder=folder)

        yield _measures(plan, made, one=one, many=many, signed=signed), require_recorded


def _measures(plan: Plan, made: Material, *, one: Served, many: Served, signed: Signed) -> dict[str, Measure]:
    """Every measure by name, what is compared standing side by side."""

    def ask(served: Served, request: Request, *, connections: int = plan.connections) -> Measure:
        def measure(seconds: float) -> Turn:
            pressed = served.press(request, connections=connections, seconds=seconds)
            if request.path == made.sign.path:
                signed.times += pressed.answers
            return pressed.turn

        return measure

    return {
        "sign JSON, 1 process": ask(one, made.sign),
        "JSON echo, 1 process": ask(one, made.echo),
        "sign raw, 1 process": ask(one, made.sign_raw),
        "sign JSON, all cores": ask(many, made.sign),
        "openssl cms -sign": _openssl(made, at_a_time=plan.workers),
        "sign raw, all cores": ask(many, made.sign_raw),
        "OCSP POST": ask(one, made.ocsp_post),
        "static POST": ask(one, made.static_post),
        "OCSP GET": ask(one, made.ocsp_get),
        "static GET": ask(one, made.static_get),
        "issue from CSR": ask(one, made.issue, connections=1),
        "lint alone": _lint(made),
    }


def _lint(made: Material) -> Measure:
    def measure(seconds: float) -> Turn:
        times, began, cpu = 0, time.perf_counter(), time.process_time()
        while times == 0 or time.perf_counter() - began < seconds:
            made.lint()
            times += 1
        return Turn(times=times, seconds=time.perf_counter() - began, answering=time.process_time() - cpu)

    return measure


def _openssl(made: Material, *, at_a_time: int) -> Measure:
    first = made.signer.sign(each=5, at_a_time=at_a_time)  # a loop cannot look at the clock, so it is given a number

    def measure(seconds: float) -> Turn:
        return made.signer.sign(each=max(1, round(first.rate * seconds / at_a_time)), at_a_time=at_a_time)

    return measure
