"""A light HTTP client: connections that send the same bytes again as soon as the answer is there.

It shares the machine with the service, so it does little: no request is made anew, and of an answer only the status and
the length are read.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

import uvloop

from bench.errors import Failed
from bench.figures import Turn

DRAIN_SECONDS = 20.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it goes over the wire; an answer with a body of fewer octets than `shortest` is a failure."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    shortest: int = 0

    @property
    def wire(self) -> bytes:
        fields = (("Host", "localhost"), ("Content-Length", str(len(self.body))), *self.headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


@dataclass(slots=True)
class Tally:
    """What all connections of one turn have in common: how many answers there are, and whether it goes on."""

    answers: int = 0
    waiting: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str | None = None

    def fail(self, why: str) -> None:
        """End it; only the first cause counts."""
        self.failure = self.failure or why
        self.over.set()
        self.idle.set()


class Asker(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, request: Request, tally: Tally) -> None:
        self._wire = request.wire
        self._shortest = request.shortest
        self._tally = tally
        self._came = b""
        self._end: int | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of TCP
        self._transport = transport

    def ask(self) -> None:
        self._tally.waiting += 1
        self._transport.write(self._wire)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if self._end is None:
            self._read_head()
        if self._end is not None and len(self._came) >= self._end:
            self._came, self._end = b"", None
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None or self._tally.waiting:
            self._tally.fail(f"the connection was lost ({exc})")

    def close(self) -> None:
        self._transport.close()

    def _read_head(self) -> None:
        at = self._came.find(_END)
        if at < 0:
            return
        status, length = _STATUS.match(self._came), _LENGTH.search(self._came, 0, at + 2)
        if status is None or length is None or not status[1].startswith(b"2") or int(length[1]) < self._shortest:
            self._tally.fail(f"not what was asked for: {self._came[:1000].decode(errors='replace')}")
            return
        self._end = at + len(_END) + int(length[1])

    def _go_on(self) -> None:
        tally = self._tally
        tally.answers += 1
        tally.waiting -= 1
        if not tally.over.is_set():
            self.ask()
        elif not tally.waiting:
            tally.idle.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A turn, and how many answers came in all, with those after its end."""

    turn: Turn
    answers: int

    def answered_in(self, seconds: float) -> Pressed:
        """The same, with the CPU time that the answers took."""
        return replace(self, turn=replace(self.turn, answering=seconds))


def press(request: Request, *, port: int, connections: int, seconds: float) -> Pressed:
    """Ask on so many connections for so long; Failed if an answer is not a success."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_press(request, port, connections, seconds))


async def _press(request: Request, port: int, connections: int, seconds: float) -> Pressed:
    loop, tally = asyncio.get_running_loop(), Tally()
    askers: list[Asker] = []
    for _ in range(connections):
        _, asker = await loop.create_connection(lambda: Asker(request, tally), "127.0.0.1", port)
        askers.append(asker)
    began, cpu = time.perf_counter(), time.process_time()
    for asker in askers:
        asker.ask()
    with suppress(TimeoutError):
        await asyncio.wait_for(tally.over.wait(), seconds)
    if not tally.answers:  # a turn that is too short for any lasts until the first ones
        await _drain(tally)
    turn = Turn(times=tally.answers, seconds=time.perf_counter() - began, asking=time.process_time() - cpu)
    await _drain(tally)
    for asker in askers:
        asker.close()
    if tally.failure is not None:
        raise Failed(f"{request.method} {request.path.split('?')[0][:40]}: {tally.failure}")
    return Pressed(turn=turn, answers=tally.answers)


async def _drain(tally: Tally) -> None:
    """Send no more, and let what is under way end, so that it does not run into the next turn."""
    tally.over.set()
    if not tally.waiting:
        return
    try:
        await asyncio.wait_for(tally.idle.wait(), DRAIN_SECONDS)
    except TimeoutError:
        tally.fail(f"no answer for {DRAIN_SECONDS:g} s")
