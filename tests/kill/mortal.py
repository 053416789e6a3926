"""Processes that are killed at a chosen point, by SIGKILL, as a machine that loses its power would end them.

Or stopped there, by SIGSTOP, as one that is frozen: then somebody has to wake them up.

Run as a script, it reads a plan from standard input and for each entry forks a process that does the entry's deed and
is killed at the entry's point, if it gets there. A point is named by the function of ours that is writing:
`before intents.issue_together 1` is just before its first commit.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ca.issuance import Issuer, Prepared
from db.engine import Database, Write
from formats.algorithms import KeyKind
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from keys import software
from keys.software import PrivateKey
from keys.vault import Vault
from services import certificates, founding, identities, secret_files, start
from services.access import Principal, operator
from services.certificates import Order
from services.context import Context
from services.errors import IssuingTooLate
from tests.campus import KEK, csr, demo_settings, open_campus_context

SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What one process does, and where it is killed, or stopped if it is `frozen`; `now` is its clock."""

    verb: str
    point: str
    url: str
    folder: str
    now: str
    frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class End:
    """How one process ended: whether it was killed, what it had signed, and what it had handed out."""

    point: str
    killed: bool
    signed: list[str]
    given: list[str]


@contextmanager
def frozen(deed: Deed) -> Iterator[Callable[[], End]]:
    """A process that does the deed and is stopped at its point; what is given wakes it up and tells how it ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kill.mortal"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as parent:
        assert parent.stdin is not None
        parent.stdin.write(json.dumps([asdict(deed)]).encode())
        parent.stdin.close()
        parent.stdin = None
        child = _stopped_child(parent)

        def wake() -> End:
            os.kill(child, signal.SIGCONT)
            told, errors = parent.communicate(timeout=SECONDS)
            assert parent.returncode == 0, errors.decode()
            return End(**json.loads(told)[0])

        try:
            yield wake
        finally:
            if parent.poll() is None:
                os.kill(child, signal.SIGKILL)


def _stopped_child(parent: subprocess.Popen[bytes]) -> int:
    """The process id of the only child, once it is stopped."""
    deadline = time.monotonic() + SECONDS
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while time.monotonic() < deadline:
        assert parent.poll() is None, (parent.stderr or sys.stdin.buffer).read().decode()
        for child in map(int, children.read_text().split()):
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return child
        time.sleep(0.02)
    raise AssertionError("no process was stopped")


def carry_out(deeds: list[Deed]) -> list[End]:
    """Do one deed after the other, each in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.kill.mortal"],
        input=json.dumps([asdict(deed) for deed in deeds]).encode(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return [End(**end) for end in json.loads(ran.stdout)]


class Points:
    """Counts the points that a process passes, and kills it at the one that was chosen."""

    def __init__(self, chosen: str, *, frozen: bool = False) -> None:
        self._chosen = chosen
        self._frozen = frozen
        self._passed = Counter[str]()

    def name(self, what: str) -> str:
        """The name of what begins now: the same thing done again has the next number."""
        self._passed[what] += 1
        return f"{what} {self._passed[what]}"

    def passing(self, point: str) -> None:
        if point != self._chosen:
            return
        os.kill(os.getpid(), signal.SIGSTOP if self._frozen else signal.SIGKILL)
        if not self._frozen:
            threading.Event().wait()  # the signal comes


class MortalDatabase(Database):
    """A database whose process may be killed around each commit."""

    points: Points

    @contextmanager
    def write(self) -> Iterator[Write]:
        name = self.points.name(_writer())
        with super().write() as write:
            yield write
            self.points.passing(f"before {name}")
        self.points.passing(f"after {name}")


class MortalIssuer(Issuer):
    """An issuer whose process may be killed around each signature, which it notes in the file `signed`."""

    __slots__ = ("points", "signed")
    points: Points
    signed: Path

    def issue(self, prepared: Prepared) -> Certificate:
        name = self.points.name("signature")
        self.points.passing(f"before {name}")
        made = Issuer.issue(self, prepared)
        with self.signed.open("a") as file:
            file.write(f"{made.serial}\n")
        self.points.passing(f"after {name}")
        return made


def _writer() -> str:
    """The function of ours that opens a Write, as module.function."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.parent.name == "services":
            return f"{path.stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "?"


# --- in the process that is killed -------------------------------------------------------------------------------------


def _issue(deed: Deed, points: Points, given: Path) -> None:
    context, caller = _context(deed, points), operator(request_id="killed")
    with suppress(IssuingTooLate):
        view = certificates.issue(context, caller, order=Order(request=csr()))
        given.write_text(view.serial)


def _add_identity(deed: Deed, points: Points, given: Path) -> None:
    context, caller = _context(deed, points), operator(request_id="killed")
    _given_identity(context, caller, given)


def _given_identity(context: Context, caller: Principal, given: Path) -> None:
    mailbox = Mailbox.parse("notices@campus.example")
    view, _ = identities.add(context, caller, mailbox=mailbox, key="p256", encryption_key="p256")
    given.write_text(f"{view.serial}\n{view.encryption_serial}")


def _context(deed: Deed, points: Points) -> Context:
    MortalDatabase.points = points
    database, now = MortalDatabase.open(deed.url), datetime.fromisoformat(deed.now)
    context = open_campus_context(database, Path(deed.folder), vault=Vault(KEK), clock=lambda: now)
    held = context.issuers.issuing
    issuer = MortalIssuer(**{field.name: getattr(held, field.name) for field in fields(held) if field.init})
    object.__setattr__(issuer, "points", points)  # it is frozen
    object.__setattr__(issuer, "signed", Path(deed.folder) / "signed")
    object.__setattr__(context.issuers, "issuing", issuer)
    return context


def _found(deed: Deed, points: Points, given: Path) -> None:
    """Found the demo; its files and commits are points, and its RSA keys come from a pool that the test made."""
    folder, now = Path(deed.folder), datetime.fromisoformat(deed.now)
    MortalDatabase.points = points
    for module in (founding, start):
        module.Database = MortalDatabase  # type: ignore[attr-defined]
    software.generate = _from_pool(folder / "pool")  # type: ignore[assignment]  # keys made ahead
    for name in ("_write_draft", "_write"):
        setattr(secret_files, name, _passing(points, name, getattr(secret_files, name)))
    settings = demo_settings(folder / "data", MAILSEAL_DATABASE_URL=deed.url)
    founded = founding.found(settings, demo=True, clock=lambda: now, progress=points.passing, agree=lambda _plan: True)
    given.write_text(founded.root.sha256)


def _passing(points: Points, name: str, write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
    def written(path: Path, text: bytes) -> None:
        write(path, text)
        points.passing(f"{name} {path.name.lstrip('.').split('.')[0]}")

    return written


def _from_pool(pool: Path) -> Callable[[KeyKind], PrivateKey]:
    """Takes keys that take long to make from a folder, each once."""
    generate = software.generate

    def take(kind: KeyKind) -> PrivateKey:
        kept = sorted(pool.glob(f"{kind.value}-*"))
        if not kept:
            return generate(kind)
        key = software.load_pkcs8(kept[0].read_bytes(), check=False)
        kept[0].unlink()
        return key

    return take


_VERBS: dict[str, Callable[[Deed, Points, Path], None]] = {
    "issue": _issue,
    "add_identity": _add_identity,
    "found": _found,
}


def _one(deed: Deed) -> End:
    signed, given = Path(deed.folder) / "signed", Path(deed.folder) / "given"
    for note in (signed, given):
        note.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            _VERBS[deed.verb](deed, Points(deed.point, frozen=deed.frozen), given)
            os._exit(0)
        except BaseException:  # noqa: BLE001  # told on stderr; nothing of the parent may run here
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"{deed.verb} failed, to be killed at {deed.point}")
    return End(
        point=deed.point,
        killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
        signed=signed.read_text().split() if signed.exists() else [],
        given=given.read_text().split() if given.exists() else [],
    )


def later(now: datetime, minutes: int) -> str:
    """A time for a deed's clock."""
    return (now + timedelta(minutes=minutes)).isoformat()


if __name__ == "__main__":
    json.dump([asdict(_one(Deed(**entry))) for entry in json.load(sys.stdin)], sys.stdout)
