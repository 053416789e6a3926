"""Trust: whom a verification believes, what is known of their certificates, and by which rules it judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from formats.certificate import Certificate
from formats.serial import Serial
from smime.path.chains import Anchor
from smime.path.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The rules of one verification.

    `address_binding`: `required` or `off`. `revocation`: `hard` (unknown is not valid), `soft` (unknown is told) or
    `off`. Without `require_email_eku` the extended key usage is not looked at. The rest are the initial policy
    inputs of RFC 5280 6.1.1.
    """

    address_binding: str = "required"
    revocation: str = "hard"
    require_email_eku: bool = True
    policies: tuple[str, ...] = ()
    require_explicit_policy: bool = False
    inhibit_policy_mapping: bool = False
    inhibit_any_policy: bool = False

    def as_json(self) -> Mapping[str, object]:
        """The options by their names, as a report repeats them."""
        return {
            "address_binding": self.address_binding,
            "revocation": self.revocation,
            "require_email_eku": self.require_email_eku,
            "policies": list(self.policies),
            "require_explicit_policy": self.require_explicit_policy,
            "inhibit_policy_mapping": self.inhibit_policy_mapping,
            "inhibit_any_policy": self.inhibit_any_policy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRecord:
    """Our own durable record that a signature existed at a moment.

    The octets of a signature alone do not say whose it is, since a key can be made to fit them: so our certificate,
    by serial and issuer name, and the content belong to the record. The SHA-256 values are in hexadecimal.
    """

    signature_sha256: str
    content_sha256: str
    serial: Serial
    issuer_der: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All that a judgement rests on besides the message: it fetches nothing and asks nobody.

    Everything is judged at the moment `at`; `now` is when the report is made.
    """

    anchors: tuple[Anchor, ...]
    intermediates: tuple[Certificate, ...]
    evidence: Evidence
    at: datetime
    now: datetime
    options: Options
    records_of_time: tuple[TimeRecord, ...] = ()
