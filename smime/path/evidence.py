"""Evidence of a certificate's status: records of whoever issued it, and CRLs (RFC 5280 6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from formats import oids
from formats.ber import SEQUENCE, BerError, BerTooLarge, context, read_der
from formats.certificate import Certificate
from formats.serial import Serial
from smime.path import crls, names
from smime.path.chains import Anchor
from smime.path.crls import HOLD, Crl, Entry, Lookup
from smime.path.effort import Effort, Outcome
from smime.path.names import DistinguishedName

BUDGET_EXHAUSTED: Final = "budget_exhausted"

_KNOWN: Final = frozenset({oids.AUTHORITY_KEY_ID, oids.CRL_NUMBER, oids.ISSUING_DISTRIBUTION_POINT})
_RANK: Final = {"good": 0, "unknown": 1, "on_hold": 2, "revoked": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRecord:
    """What an issuer's own records say of a certificate: `good`, `revoked` or `unknown`.

    `issuer_sha256` is the SHA-256 (hexadecimal) of a certificate of the issuer, which must be among the anchors or
    intermediates: a serial number means nothing without it. A revocation with the reason `certificateHold` is a hold.
    """

    issuer_sha256: str
    serial: Serial
    status: str
    reason: str | None = None
    revoked_at: datetime | None = None
    invalidity_date: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """CRLs in DER and records, all from whom the caller trusts to bring them; never from the message itself."""

    crls: tuple[bytes, ...] = ()
    records: tuple[StatusRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationResult:
    """What is known of one certificate: `good`, `revoked`, `on_hold`, `unknown` or `not_checked`.

    `source` is `record` or `crl` where something was known. `revoked_at` may be later than the moment of the
    judgement, if a record says so. Findings are slugs.
    """

    status: str
    reason: str | None = None
    revoked_at: datetime | None = None
    invalidity_date: datetime | None = None
    source: str | None = None
    findings: tuple[str, ...] = field(default=(), compare=False)


NOT_CHECKED: Final = RevocationResult(status="not_checked")


class Archive:
    """Evidence in the order in which it is asked for; CRLs that cannot be read are left out and counted."""

    def __init__(self, evidence: Evidence, *, issuers: Iterable[Anchor]) -> None:
        self._records: dict[tuple[object, Serial], StatusRecord] = {}
        keys = {issuer.certificate.sha256: _key(issuer) for issuer in issuers if issuer.certificate is not None}
        for record in evidence.records:
            key = (keys.get(record.issuer_sha256), record.serial)
            held = self._records.get(key)
            if held is None or _RANK[_status(held)] < _RANK[_status(record)]:
                self._records[key] = record
        self._crls: dict[DistinguishedName, list[Crl]] = {}
        self._unreadable = False
        for der in dict.fromkeys(evidence.crls):
            self._enter(der)
        self._known: dict[tuple[Certificate, Anchor], RevocationResult] = {}

    def status(self, certificate: Certificate, *, issuer: Anchor, at: datetime, effort: Effort) -> RevocationResult:
        """The certificate's status at a moment, as far as evidence that this issuer vouches for tells it."""
        key = (certificate, issuer)
        if key not in self._known:
            record = self._record(certificate, issuer)
            self._known[key] = record or self._by_crl(certificate, issuer, at, effort)
        return self._known[key]

    def _enter(self, der: bytes) -> None:
        try:
            crl = crls.read_crl(der)
            self._crls.setdefault(names.distinguished(crl.issuer_der), []).append(crl)
        except (BerError, BerTooLarge):
            self._unreadable = True

    def _record(self, certificate: Certificate, issuer: Anchor) -> RevocationResult | None:
        """A record is the issuer's last word: where it says unknown, no CRL makes it good."""
        record = self._records.get((_key(issuer), certificate.serial))
        if record is None:
            return None
        return RevocationResult(
            status=_status(record),
            reason=record.reason,
            revoked_at=record.revoked_at,
            invalidity_date=record.invalidity_date,
            source="record",
        )

    def _by_crl(self, certificate: Certificate, issuer: Anchor, at: datetime, effort: Effort) -> RevocationResult:
        """The newest CRL that may be used decides; of several of one moment, the worst."""
        findings = dict.fromkeys(["crl_malformed"] if self._unreadable else [])
        found: list[tuple[Crl, Entry | None]] = []
        own = self._crls.get(names.distinguished(certificate.issuer_der), [])
        for crl in sorted(own, key=lambda crl: crl.this_update, reverse=True):
            if found and crl.this_update < found[0][0].this_update:
                break
            fault = _fault(crl, certificate, issuer, at, effort)
            lookup = _look_up(crl, certificate.serial, effort) if fault is None else Lookup(fault=fault)
            if lookup.fault is None:
                found.append((crl, lookup.entry))
                continue
            findings[lookup.fault] = None
            if lookup.fault == BUDGET_EXHAUSTED:  # an older CRL must not speak instead of one that was left untried
                found.clear()
                break
        if not found:
            return RevocationResult(status="unknown", findings=tuple(findings))
        return _worst(found)


def _key(issuer: Anchor) -> object:
    """Whose serial numbers they are: the issuer's name and key, in whichever certificate they stand."""
    return issuer.subject_der, issuer.spki


def _look_up(crl: Crl, serial: Serial, effort: Effort) -> Lookup:
    if not effort.search(crl.entries[1] - crl.entries[0]):
        return Lookup(fault=BUDGET_EXHAUSTED)
    return crls.look_up(crl, serial)


def _status(record: StatusRecord) -> str:
    if record.status == "revoked" and record.reason == HOLD:
        return "on_hold"
    return record.status if record.status in _RANK else "unknown"


def _worst(found: Iterable[tuple[Crl, Entry | None]]) -> RevocationResult:
    return max((_result(crl, entry) for crl, entry in found), key=lambda result: _RANK[result.status])


def _result(crl: Crl, entry: Entry | None) -> RevocationResult:
    findings = () if oids.CRL_NUMBER in crl.extensions else ("crl_without_number",)
    if entry is None:
        return RevocationResult(status="good", source="crl", findings=findings)
    return RevocationResult(
        status="on_hold" if entry.reason == HOLD else "revoked",
        reason=entry.reason,
        revoked_at=min(entry.revoked_at, crl.this_update),  # who is listed is revoked when the CRL is made
        invalidity_date=entry.invalidity_date,
        source="crl",
        findings=findings,
    )


def _fault(crl: Crl, certificate: Certificate, issuer: Anchor, at: datetime, effort: Effort) -> str | None:
    """Why the CRL cannot tell this certificate's status, None where it can (RFC 5280 6.3.3).

    (1) it is complete, and every critical extension is understood
    (2) it is of this time
    (3) the certificate is in its scope
    (4) the issuer may sign CRLs, and its key is meant
    (5) the issuer's key made the signature: only then is anything in it believed
    """
    if oids.DELTA_CRL_INDICATOR in crl.extensions:  # (1)
        return "crl_delta"
    if any(extension.critical and oid not in _KNOWN for oid, extension in crl.extensions.items()):
        return "crl_critical_extension"
    if crl.next_update is None or not crl.this_update <= at <= crl.next_update:  # (2)
        return "crl_stale"
    fault = _scope_fault(crl, certificate)  # (3)
    if fault is not None:
        return fault
    if not _may_sign(crl, issuer.certificate):  # (4)
        return "crl_issuer_not_allowed"
    outcome = effort.check(crl.signed, signer=issuer)  # (5)
    if outcome is Outcome.GOOD and crl.algorithms_agree:
        return None
    return BUDGET_EXHAUSTED if outcome is Outcome.UNTRIED else "crl_signature_wrong"


def _scope_fault(crl: Crl, certificate: Certificate) -> str | None:
    """RFC 5280 6.3.3 b; indirect CRLs and those for some reasons only are not used."""
    scope = crl.scope
    if scope.indirect:
        return "crl_indirect"
    if scope.some_reasons:
        return "crl_some_reasons"
    if scope.only_attributes or (scope.only_users and certificate.is_ca):
        return "crl_other_scope"
    if scope.only_authorities and not certificate.is_ca:
        return "crl_other_scope"
    if scope.names is not None and not scope.names & _points(certificate):
        return "crl_other_scope"
    return None


def _points(certificate: Certificate) -> frozenset[object]:
    """The names of the distribution points that cover all reasons and are the issuer's own, and the implied one."""
    found = {crls.directory_name(certificate.issuer_der)}
    extension = certificate.extensions.get(oids.CRL_DISTRIBUTION_POINTS)
    if extension is None:
        return frozenset(found)
    try:
        for point in read_der(extension.value).fields(SEQUENCE).rest():
            fields = point.fields(SEQUENCE)
            name = fields.optional(context(0))
            if name is not None and not fields.rest():  # reasons or cRLIssuer would follow
                found |= crls.point_names(name)
    except BerError:
        return frozenset()
    return frozenset(found)


def _may_sign(crl: Crl, issuer: Certificate | None) -> bool:
    if issuer is None:
        return True
    if issuer.key_usage is not None and "cRLSign" not in issuer.key_usage:
        return False
    return crl.key_id is None or issuer.subject_key_id is None or crl.key_id == issuer.subject_key_id
