"""A desk of the tests' own: it remembers what it was asked, and answers from memory."""

# ruff: noqa: ARG002  # the signatures are those of the desk, and memory needs less
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from starlette.types import ASGIApp

from api.assembly import Parts, assemble
from api.pages.desk import Letter, OpenedSession, People, Session
from api.site import Site
from formats.algorithms import KeyDescription
from formats.errors import Refusal
from formats.mailbox import Mailbox
from services import access
from services.certificates import CertificateView, Revocation
from services.errors import AlreadyDelivered, AlreadyRevoked, CertificateNotFound, LinkRefused, SessionEnded
from services.handover import Handover
from services.messages.verify import Verified
from smime.report import Coverage, Report, Verdict
from tests.api.made_up import MADE, SITE, MadeUnacceptable, made_up_router
from tests.campus import charter

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
ALICE = Mailbox.parse("alice@campus.example")
TOKEN = "T" * 22
SECRET = "S" * 20
PASSPHRASE = "pilot-amber-sketch-rivet-ocean-42"
P12 = b"\x30\x82 a file"


def session(enrolment_id: str = "e1", mailbox: Mailbox = ALICE) -> Session:
    """A session that has just begun."""
    return Session(
        enrolment_id=enrolment_id,
        mailbox=mailbox,
        principal=access.link(enrolment_id, mailbox=mailbox, request_id="test"),
        expires_at=NOW + timedelta(minutes=30),
    )


def view(serial: str = "4f2a91c07e", **changed: object) -> CertificateView:
    """A certificate of Alice, with the campus's own as its chain."""
    chain = (charter().made.issuing, charter().made.root)
    made = CertificateView(
        serial=serial,
        issuer="CN=Campus",
        profile="mailbox",
        use="dual",
        subject="CN=alice@campus.example",
        person=None,
        proof="link",
        mailboxes=(str(ALICE),),
        not_before=NOW,
        not_after=NOW + timedelta(days=700),
        status="active",
        revocation=None,
        sha256="ab" * 32,
        key=KeyDescription(algorithm="RSA", bits=3072, curve=None),
        certificate=chain[0],
        chain=chain,
        cursor="1",
    )
    return replace(made, **changed)  # type: ignore[arg-type]  # by name, in tests alone


def report(verdict: Verdict = Verdict.VALID, *reasons: str, senders: tuple[Mailbox, ...] = (ALICE,)) -> Report:
    """A report without signers."""
    return Report(
        verdict=verdict,
        reasons=reasons,
        senders=senders,
        coverage=Coverage.FULL if verdict is Verdict.VALID else Coverage.NONE,
        signed_part=None,
        nested=(),
        signers=(),
        findings=(),
        checked_at=NOW,
    )


@dataclass
class FakeDesk:
    """Answers from memory; `refusal` is raised by the next call that may refuse."""

    asked: list[str] = field(default_factory=list)
    opened: dict[str, Session] = field(default_factory=dict)
    held: list[CertificateView] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    requests: list[bytes] = field(default_factory=list)
    checked: list[bytes] = field(default_factory=list)
    written: list[Letter] = field(default_factory=list)
    report: Report = field(default_factory=report)
    refusal: Refusal | None = None
    secrets: int = 0

    def request_link(self, *, address: str, request_id: str) -> None:
        self.asked.append(str(Mailbox.parse(address)))

    def new_browser_secret(self) -> str:
        self.secrets += 1
        return f"{SECRET}{self.secrets:02d}"

    def find_link(self, *, token: str, browser: str | None) -> bool:
        if token != TOKEN:
            raise LinkRefused("the link does not count")
        return browser in self.opened

    def open_session(self, *, token: str, browser: str, request_id: str) -> OpenedSession:
        if token != TOKEN:
            raise LinkRefused("the link does not count")
        secret = browser if browser in self.opened else browser[::-1]
        return OpenedSession(session=self.opened.setdefault(secret, session()), secret=secret)

    def session(self, *, browser: str | None, request_id: str) -> Session:
        if browser not in self.opened:
            raise SessionEnded("nothing is open")
        return self.opened[browser]

    def end_session(self, session: Session) -> None:
        self.opened.clear()

    def mine(self, session: Session) -> list[CertificateView]:
        return list(self.held)

    def make_file(self, session: Session, *, key: str, file_format: str, once: str) -> Handover:
        self._refuse()
        if once in self.made:
            raise AlreadyDelivered("it was handed out")
        self.made.add(once)
        self.held.insert(0, view())
        return Handover(view=self.held[0], pkcs12=P12, passphrase=PASSPHRASE)

    def certify_request(self, session: Session, *, request: bytes, once: str) -> CertificateView:
        self._refuse()
        self.requests.append(request)
        self.held.insert(0, view())
        return self.held[0]

    def end(self, session: Session, *, serial: str, reason: str) -> CertificateView:
        for index, one in enumerate(self.held):
            if one.serial == serial:
                if one.status == "revoked":
                    raise AlreadyRevoked("it is revoked already")
                gone = Revocation(reason="superseded", revoked_at=NOW, invalidity_date=None)
                self.held[index] = replace(one, status="revoked", revocation=gone)
                return self.held[index]
        raise CertificateNotFound("there is no such certificate")

    def check(self, data: bytes) -> Verified:
        self._refuse()
        self.checked.append(data)
        return Verified(report=self.report, signed_bytes=None)

    def letters(self) -> Sequence[Letter]:
        return self.written

    def now(self) -> datetime:
        return NOW

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


def unreadable() -> Refusal:
    """A refusal of what was sent."""
    return MadeUnacceptable("the <file> is not what it says")


def application(desk: FakeDesk, *, site: Site = SITE, demo: bool = True, patience: float = 0.0) -> ASGIApp:
    """The whole application around a desk."""
    people = People(
        desk=desk,
        mail_domains=("campus.example", "cuhk.example"),
        demo=demo,
        patience=patience,
        help_email="help@campus.example",
    )
    parts = Parts(
        site=site, routers=[made_up_router()], context=None, is_ready=lambda: True, home=lambda: MADE, people=people
    )
    return assemble(parts)
