"""Report: what a verification found, in the fields and slugs that callers rely on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from formats.algorithms import KeyDescription
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from smime.cms.signatures import Outcome


class Verdict(StrEnum):
    """What a message, or one of its signers, is."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"
    NOT_SIGNED = "not_signed"


class Coverage(StrEnum):
    """How much of the message the outermost signature covers."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class AddressBinding(StrEnum):
    """Whether the signer's certificate names the sender."""

    MATCH = "match"
    MISMATCH = "mismatch"
    ABSENT = "absent"
    UNPARSEABLE = "unparseable"
    AMBIGUOUS = "ambiguous"
    NOT_CHECKED = "not_checked"


REASONS: Final[Mapping[str, Verdict]] = MappingProxyType(
    {
        "message_altered": Verdict.INVALID,
        "signature_wrong": Verdict.INVALID,
        "signature_malformed": Verdict.INVALID,
        "signed_attributes_wrong": Verdict.INVALID,
        "algorithm_refused": Verdict.INVALID,
        "signer_revoked": Verdict.INVALID,
        "path_invalid": Verdict.INVALID,
        "usage_not_allowed": Verdict.INVALID,
        "address_mismatch": Verdict.INVALID,
        "from_ambiguous": Verdict.INVALID,
        "from_unparseable": Verdict.INVALID,
        "from_absent": Verdict.INVALID,
        "no_trusted_path": Verdict.INDETERMINATE,
        "revocation_unknown": Verdict.INDETERMINATE,
        "signer_expired": Verdict.INDETERMINATE,
        "signer_revoked_later": Verdict.INDETERMINATE,
        "signer_on_hold": Verdict.INDETERMINATE,
        "address_absent": Verdict.INDETERMINATE,
        "coverage_partial": Verdict.INDETERMINATE,
        "unsupported_algorithm": Verdict.INDETERMINATE,
        "policy_unsupported": Verdict.INDETERMINATE,
        "message_encrypted": Verdict.INDETERMINATE,
        "engines_disagree": Verdict.INDETERMINATE,
        "test_certificate": Verdict.INDETERMINATE,
    }
)
"""What each reason makes of a message, worst first."""

_RANK: Final = {slug: rank for rank, slug in enumerate(REASONS)}
_SEVERITY: Final = {Verdict.VALID: 0, Verdict.NOT_SIGNED: 1, Verdict.INDETERMINATE: 2, Verdict.INVALID: 3}


def worst_first(reasons: Iterable[str]) -> tuple[str, ...]:
    """Each reason once, in the order of `REASONS`."""
    return tuple(sorted(dict.fromkeys(reasons), key=_RANK.__getitem__))


def verdict_of(reasons: Iterable[str]) -> Verdict:
    """The worst that these reasons make of it; valid without any."""
    return max((REASONS[reason] for reason in reasons), key=_SEVERITY.__getitem__, default=Verdict.VALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What is known of the signer's certificate: good, revoked, on_hold, unknown or not_checked."""

    status: str = "not_checked"
    reason: str | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """The moment at which a signer was judged.

    `basis`: `service_record` where our own record proves that the signature existed then, else `at`, the moment of
    the verification. `claimed` is what the signature says, which proves nothing.
    """

    basis: str
    judged_at: datetime
    claimed: datetime | None = None
    proved: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """How it was signed: names such as `rsa-sha256` and `sha256`, None where they are not known."""

    signature: str | None
    digest: str | None
    key: KeyDescription | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerReport:
    """One signer of a signature: `reasons` are those that make its verdict; binding is the message's affair."""

    verdict: Verdict
    reasons: tuple[str, ...]
    integrity: Outcome
    signature: Outcome
    certificate: Certificate | None
    mailboxes: tuple[str, ...]
    chain: tuple[Certificate, ...]
    revocation: Revocation
    time: Time
    algorithm: Algorithm
    findings: tuple[str, ...]
    address_binding: AddressBinding = AddressBinding.NOT_CHECKED


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedReport:
    """A signature further in: for information, it lifts and lowers nothing."""

    part: str
    verdict: Verdict
    reasons: tuple[str, ...]
    senders: tuple[Mailbox, ...]
    signers: tuple[SignerReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole report; `signed_part` is a part number such as `1.2`, "" for the root, None where nothing is signed.

    `findings` are slugs of what was seen in the message and decides nothing.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    senders: tuple[Mailbox, ...]
    coverage: Coverage
    signed_part: str | None
    nested: tuple[NestedReport, ...]
    signers: tuple[SignerReport, ...]
    findings: tuple[str, ...]
    checked_at: datetime
    policy: Mapping[str, object] = field(default_factory=dict)


def as_json(report: Report, *, summary: Sequence[str]) -> dict[str, Any]:
    """The report in its fixed fields, with the sentences that tell it to a person."""
    return {
        "verdict": report.verdict.value,
        "reasons": list(report.reasons),
        "summary": list(summary),
        "message": {
            "from": [str(sender) for sender in report.senders],
            "coverage": report.coverage.value,
            "signed_part": report.signed_part,
            "nested": [_nested(nested) for nested in report.nested],
            "findings": list(report.findings),
        },
        "signers": [_signer(signer) for signer in report.signers],
        "checked_at": wire(report.checked_at),
        "policy": dict(report.policy),
    }


def _nested(nested: NestedReport) -> dict[str, Any]:
    return {
        "part": nested.part,
        "verdict": nested.verdict.value,
        "reasons": list(nested.reasons),
        "from": [str(sender) for sender in nested.senders],
        "signers": [_signer(signer) for signer in nested.signers],
    }


def _signer(signer: SignerReport) -> dict[str, Any]:
    certificate = signer.certificate
    return {
        "verdict": signer.verdict.value,
        "integrity": signer.integrity.value,
        "signature": signer.signature.value,
        "address_binding": signer.address_binding.value,
        "certificate": certificate.pem if certificate else None,
        "subject": certificate.subject if certificate else None,
        "serial": str(certificate.serial) if certificate else None,
        "sha256": certificate.sha256 if certificate else None,
        "mailboxes": list(signer.mailboxes),
        "chain": [issuer.pem for issuer in signer.chain],
        "revocation": {
            "status": signer.revocation.status,
            "reason": signer.revocation.reason,
            "revoked_at": wire(signer.revocation.revoked_at),
        },
        "time": {
            "basis": signer.time.basis,
            "judged_at": wire(signer.time.judged_at),
            "claimed": wire(signer.time.claimed),
            "proved": wire(signer.time.proved),
        },
        "algorithm": _algorithm(signer.algorithm),
        "findings": list(signer.findings),
    }


def _algorithm(algorithm: Algorithm) -> dict[str, Any]:
    key = algorithm.key
    return {
        "signature": algorithm.signature,
        "digest": algorithm.digest,
        "key": {"algorithm": key.algorithm, "bits": key.bits, "curve": key.curve} if key else None,
    }


def wire(moment: datetime | None) -> str | None:
    """A moment as it is written outside: RFC 3339 in whole seconds, with Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
