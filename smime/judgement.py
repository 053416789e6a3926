"""Judgement: what one signer is worth, by signature, path, usage, revocation and time (RFC 8550 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from formats import algorithms, oids
from formats.algorithms import AlgorithmRefused, Digest, KeyDescription, UnsupportedAlgorithm
from formats.certificate import Certificate
from smime.binding import Addresses
from smime.cms import signatures
from smime.cms.signatures import Content, Outcome, SignatureResult
from smime.cms.signed import SignerInfo
from smime.path.effort import Effort
from smime.path.evidence import RevocationResult
from smime.path.judge import PathPolicy, PathResult, judge_path
from smime.report import (
    Algorithm,
    Revocation,
    SignerReport,
    Time,
    Verdict,
    verdict_of,
    worst_first,
)
from smime.trust import TimeRecord, Trust

MAX_SIGNATURE_CHECKS: Final = 128

# Where the key or the CA's was known to others, earlier signatures may be forged as well (RFC 5280 5.3.1).
_COMPROMISED: Final = frozenset({"keyCompromise", "cACompromise", "aACompromise"})
_MAIL: Final = frozenset({oids.EMAIL_PROTECTION})
_SIGNING: Final = frozenset({"digitalSignature", "nonRepudiation"})  # RFC 8550 4.4.2
_ORDER: Final = (Verdict.VALID, Verdict.INDETERMINATE, Verdict.INVALID)


@dataclass(slots=True, kw_only=True)
class Bench:
    """What the judgement of one message rests on, and what it may still cost."""

    trust: Trust
    effort: Effort = field(default_factory=Effort)
    signature_checks: int = MAX_SIGNATURE_CHECKS
    paths: dict[tuple[Certificate, datetime, tuple[Certificate, ...]], PathResult] = field(default_factory=dict)

    def path(self, certificate: Certificate, *, at: datetime, certificates: tuple[Certificate, ...]) -> PathResult:
        """The path of a signer's certificate at a moment, judged once however often it signed."""
        key = (certificate, at, certificates)
        if key not in self.paths:
            self.paths[key] = judge_path(
                certificate,
                intermediates=(*certificates, *self.trust.intermediates),
                anchors=self.trust.anchors,
                evidence=self.trust.evidence,
                policy=_policy(self.trust, at),
                effort=self.effort,
            )
        return self.paths[key]

    def take_check(self) -> bool:
        """Take one signature check, if one is left."""
        self.signature_checks -= 1
        return self.signature_checks >= 0


def judge_signer(
    info: SignerInfo, *, content: Content, certificates: Sequence[Certificate], bench: Bench
) -> SignerReport:
    """Judge one signer; whether it may speak for the sender is not asked here.

    (1) every certificate that the signer may mean is tried, since key identifiers need not be unique (RFC 8551 2.6)
    (2) the signature picks the certificate; where it fits none, the first is reported
    (3) of several that it fits, the one with the best path counts
    """
    meant = [one for one in dict.fromkeys([*certificates, *bench.trust.intermediates]) if info.id.names(one)]
    tried = [one for one in meant if bench.take_check()]  # (1)
    if not tried:
        result = signatures.check(info, content=content, certificate=None)
        return _without_certificate(info, result, bench.trust, exhausted=bool(meant))
    checked = [(one, signatures.check(info, content=content, certificate=one)) for one in tried]
    best = [pair for pair in checked if not pair[1].reasons]  # (2)
    best = best or [pair for pair in checked if pair[1].signature is Outcome.OK][:1] or checked[:1]
    reports: list[SignerReport] = []
    for certificate, result in best:  # (3)
        time = _time(info, bench.trust, [one.at for one in _records(info, content, certificate, bench.trust)])
        reports.append(_report(result, certificate, certificates, time=time, bench=bench))
        if reports[-1].verdict is Verdict.VALID:
            break
    return min(reports, key=lambda report: _ORDER.index(report.verdict))


def _report(
    result: SignatureResult,
    certificate: Certificate,
    certificates: Sequence[Certificate],
    *,
    time: Time,
    bench: Bench,
) -> SignerReport:
    path = bench.path(certificate, at=time.judged_at, certificates=tuple(certificates))
    revoked, remarks = _revocation(path.revocation, time)
    addresses = Addresses.of(certificate)
    if addresses.in_subject:
        remarks = (*remarks, "address_in_subject")
    reasons = _reasons(result, (*path.reasons, *revoked))
    return SignerReport(
        verdict=verdict_of(reasons),
        reasons=reasons,
        integrity=result.integrity,
        signature=result.signature,
        certificate=certificate,
        mailboxes=tuple(str(mailbox) for mailbox in addresses.mailboxes),
        chain=path.chain[1:],
        revocation=_status(path),
        time=time,
        algorithm=_algorithm(result, certificate),
        findings=tuple(dict.fromkeys((*result.findings, *path.findings, *remarks))),
    )


def _without_certificate(info: SignerInfo, result: SignatureResult, trust: Trust, *, exhausted: bool) -> SignerReport:
    reasons = worst_first((*result.reasons, "no_trusted_path"))
    return SignerReport(
        verdict=verdict_of(reasons),
        reasons=reasons,
        integrity=result.integrity,
        signature=result.signature,
        certificate=None,
        mailboxes=(),
        chain=(),
        revocation=Revocation(),
        time=_time(info, trust, ()),
        algorithm=_algorithm(result, None),
        findings=(*result.findings, "budget_exhausted" if exhausted else "certificate_missing"),
    )


def _reasons(result: SignatureResult, others: tuple[str, ...]) -> tuple[str, ...]:
    """All reasons; nothing is valid only because nobody found fault with what was not checked."""
    found = (*result.reasons, *others)
    if not found and (result.integrity, result.signature) != (Outcome.OK, Outcome.OK):
        found = ("signature_wrong",)
    return worst_first(found)


def _policy(trust: Trust, at: datetime) -> PathPolicy:
    options = trust.options
    return PathPolicy(
        at=at,
        required_eku=_MAIL if options.require_email_eku else None,
        key_usage_any_of=_SIGNING,
        revocation=options.revocation,
        policies=options.policies,
        require_explicit_policy=options.require_explicit_policy,
        inhibit_policy_mapping=options.inhibit_policy_mapping,
        inhibit_any_policy=options.inhibit_any_policy,
    )


def _records(info: SignerInfo, content: Content, certificate: Certificate, trust: Trust) -> list[TimeRecord]:
    """Our records of this signature, made with this certificate over this content (duplicate-signature keys)."""
    digest = hashlib.sha256(info.signature).hexdigest()
    return [
        record
        for record in trust.records_of_time
        if record.signature_sha256 == digest
        and (record.serial, record.issuer_der) == (certificate.serial, certificate.issuer_der)
        and record.content_sha256 == content.digest(Digest.SHA256).hex()
    ]


def _time(info: SignerInfo, trust: Trust, records: Sequence[datetime]) -> Time:
    """The moment to judge at: the one that our record proves, else that of the verification; never the claimed one.

    A record made after the moment of the verification proves nothing at that moment.
    """
    proved = min((at for at in records if at <= trust.at), default=None)
    claimed = info.signed_attributes.signing_time if info.signed_attributes is not None else None
    return Time(
        basis="at" if proved is None else "service_record",
        judged_at=trust.at if proved is None else proved,
        claimed=claimed,
        proved=proved,
    )


def _revocation(found: RevocationResult, time: Time) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The reasons and findings that follow from what is known of the signer's own certificate.

    (1) a hold is no end
    (2) a compromised key ends every signature, whenever it was made
    (3) one revoked after the moment of the judgement was good then
    (4) one revoked at or before it is bad where the moment is proved, or where it claims to be made after that;
        if it claims to be made before, nothing proves or disproves it
    """
    if found.status == "on_hold":  # (1)
        return ("signer_on_hold",), ()
    if found.status != "revoked":
        return (), ()
    dates = [date for date in (found.revoked_at, found.invalidity_date) if date is not None]
    if found.reason in _COMPROMISED or not dates:  # (2)
        return ("signer_revoked",), ()
    since = min(dates)
    if since > time.judged_at:  # (3)
        return (), ("signer_revoked_since",)
    if time.proved is None and time.claimed is not None and time.claimed < since:  # (4)
        return ("signer_revoked_later",), ()
    return ("signer_revoked",), ()


def _status(path: PathResult) -> Revocation:
    found = path.revocation
    return Revocation(status=found.status, reason=found.reason, revoked_at=found.revoked_at)


def _algorithm(result: SignatureResult, certificate: Certificate | None) -> Algorithm:
    return Algorithm(signature=result.algorithm, digest=result.digest, key=_key(certificate))


def _key(certificate: Certificate | None) -> KeyDescription | None:
    try:
        return algorithms.describe_key(certificate.public_key) if certificate is not None else None
    except (AlgorithmRefused, UnsupportedAlgorithm):
        return None


def with_findings(report: SignerReport, findings: Sequence[str]) -> SignerReport:
    """The report with what was seen in the entity that carries the signature."""
    return replace(report, findings=tuple(dict.fromkeys((*report.findings, *findings))))
