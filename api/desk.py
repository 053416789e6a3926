"""The desk of the pages for people: each of its calls is one call of a service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services import delivery, enrolments
from services.certificates import CertificateView
from services.context import Context
from services.delivery import Letter
from services.enrolments import OpenedSession, Session
from services.handover import Handover
from services.messages import verify
from services.messages.verify import Verified


@dataclass(frozen=True, slots=True)
class ServiceDesk:
    """Answers api/pages/desk.Desk, where the calls are described."""

    context: Context

    def request_link(self, *, address: str, request_id: str) -> None:
        """Mail a link, if the address is one of the campus."""
        enrolments.request_link(self.context, address=address, request_id=request_id)

    def new_browser_secret(self) -> str:
        """What a browser keeps."""
        return enrolments.new_browser_secret()

    def find_link(self, *, token: str, browser: str | None) -> bool:
        """Look at a link."""
        return enrolments.find_link(self.context, token=token, browser=browser)

    def open_session(self, *, token: str, browser: str, request_id: str) -> OpenedSession:
        """Use up a link."""
        return enrolments.open_session(self.context, token=token, browser=browser, request_id=request_id)

    def session(self, *, browser: str | None, request_id: str) -> Session:
        """What a browser has open."""
        return enrolments.session(self.context, browser=browser, request_id=request_id)

    def end_session(self, session: Session) -> None:
        """End it."""
        enrolments.end_session(self.context, session)

    def mine(self, session: Session) -> list[CertificateView]:
        """The certificates of the mailbox."""
        return enrolments.mine(self.context, session)

    def make_file(self, session: Session, *, key: str, file_format: str, once: str) -> Handover:
        """A file with a key made here."""
        return enrolments.make_file(self.context, session, key=key, file_format=file_format, once=once)

    def certify_request(self, session: Session, *, request: bytes, once: str) -> CertificateView:
        """A certificate for a key made elsewhere."""
        return enrolments.certify_request(self.context, session, request=request, once=once)

    def end(self, session: Session, *, serial: str, reason: str) -> CertificateView:
        """End a certificate."""
        return enrolments.end(self.context, session, serial=serial, reason=reason)

    def check(self, data: bytes) -> Verified:
        """Judge a message."""
        return verify.check(self.context, data=data)

    def letters(self) -> list[Letter]:
        """The demo's letters."""
        return delivery.demo_letters(self.context)

    def now(self) -> datetime:
        """The time."""
        return self.context.clock()
