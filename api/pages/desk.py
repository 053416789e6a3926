"""Desk, what the pages for people ask of the services; api/desk answers it, and tests have one of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from api.addresses import Network
from services.certificates import CertificateView
from services.delivery import Letter
from services.enrolments import OpenedSession, Session
from services.handover import Handover
from services.messages.verify import Verified

__all__ = ["Desk", "Letter", "OpenedSession", "People", "Session"]


class Desk(Protocol):
    """The calls behind the pages; each refuses by raising, and none is for the event loop."""

    def request_link(self, *, address: str, request_id: str) -> None:
        """Mail a link to an address of the campus; nothing tells whether it is one. MailboxError if it cannot be read."""

    def new_browser_secret(self) -> str:
        """What a browser keeps as a cookie."""

    def find_link(self, *, token: str, browser: str | None) -> bool:
        """Whether this browser has opened this link already; LinkRefused if it can not be opened (any more)."""

    def open_session(self, *, token: str, browser: str, request_id: str) -> OpenedSession:
        """Use up the link for this browser, which is to keep the secret of its session from now on."""

    def session(self, *, browser: str | None, request_id: str) -> Session:
        """What this browser has open."""

    def end_session(self, session: Session) -> None:
        """End it."""

    def mine(self, session: Session) -> list[CertificateView]:
        """The certificates of the mailbox, those that can be ended first."""

    def make_file(self, session: Session, *, key: str, file_format: str, once: str) -> Handover:
        """A key, its certificate and the file with both; once for each `once`."""

    def certify_request(self, session: Session, *, request: bytes, once: str) -> CertificateView:
        """A certificate for a key that a program of the person made."""

    def end(self, session: Session, *, serial: str, reason: str) -> CertificateView:
        """End a certificate of the mailbox for good."""

    def check(self, data: bytes) -> Verified:
        """Judge a message by what is trusted here; nothing is kept."""

    def letters(self) -> Sequence[Letter]:
        """The demo's letters, newest first."""

    def now(self) -> datetime:
        """The time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The pages for people: who answers them, whose mailboxes they are for, and how long an answer is held back.

    `patience` is the least time in seconds in which the request for a link is answered, so that its answer tells
    nothing by coming early or late.
    """

    desk: Desk
    mail_domains: tuple[str, ...]
    demo: bool = False
    trusted_proxies: tuple[Network, ...] = field(default=())
    patience: float = 0.4
    help_url: str | None = None
    help_email: str | None = None
