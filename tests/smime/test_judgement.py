from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from formats import der, oids
from formats.certificate import Certificate
from formats.serial import Serial
from smime.cms.signatures import Content, Outcome
from smime.cms.signed import SignedData, read_signed_data
from smime.judgement import Bench, judge_signer
from smime.path.evidence import StatusRecord
from smime.report import SignerReport, Verdict
from smime.trust import Options, TimeRecord, Trust
from tests.smime.campus import NOW, Authority, OpenSsl, Person, authority, good, name, person, revoked, trust_in
from tests.smime.cms.forging import issuer_and_serial, signed_data, signer_info, usual_attributes
from tests.smime.mails import ENTITY, cms

SIGNED = NOW - timedelta(days=10)


def judged(data: SignedData, trust: Trust, *, certificates: tuple[Certificate, ...] | None = None) -> SignerReport:
    return judge_signer(
        data.signers[0],
        content=Content(ENTITY, content_type=oids.DATA),
        certificates=data.certificates if certificates is None else certificates,
        bench=Bench(trust=trust),
    )


@pytest.fixture
def signed(alice: Person) -> SignedData:
    """Alice signed ten days ago, as she says."""
    return read_signed_data(cms(alice, now=SIGNED))


def proof(data: SignedData, at: datetime) -> TimeRecord:
    (signer,) = filter(data.signers[0].id.names, data.certificates)
    return TimeRecord(
        signature_sha256=hashlib.sha256(data.signers[0].signature).hexdigest(),
        content_sha256=hashlib.sha256(ENTITY).hexdigest(),
        serial=signer.serial,
        issuer_der=signer.issuer_der,
        at=at,
    )


@pytest.fixture
def above(root: Authority, issuing: Authority) -> StatusRecord:
    return good(root, issuing.certificate)


def test_a_signer_of_our_own_is_valid(signed: SignedData, trust: Trust, issuing: Authority, root: Authority) -> None:
    report = judged(signed, trust)
    assert (report.verdict, report.reasons, report.findings) == (Verdict.VALID, (), ())
    assert (report.integrity, report.signature) == (Outcome.OK, Outcome.OK)
    assert report.chain == (issuing.certificate, root.certificate)
    assert (report.time.basis, report.time.judged_at, report.time.claimed) == ("at", NOW, SIGNED)


# --- revocation and time ----------------------------------------------------------------------------------------------
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("reason", "revoked_at", "reasons"),
    [
        ("keyCompromise", SIGNED - DAY, ("signer_revoked",)),
        ("keyCompromise", SIGNED + DAY, ("signer_revoked",)),
        ("keyCompromise", NOW + DAY, ("signer_revoked",)),
        ("cACompromise", SIGNED + DAY, ("signer_revoked",)),
        ("superseded", SIGNED - DAY, ("signer_revoked",)),
        ("superseded", SIGNED, ("signer_revoked",)),
        ("superseded", SIGNED + DAY, ("signer_revoked_later",)),
        (None, SIGNED + DAY, ("signer_revoked_later",)),
        ("superseded", NOW, ("signer_revoked_later",)),
        ("superseded", NOW + DAY, ()),
        ("certificateHold", SIGNED + DAY, ("signer_on_hold",)),
    ],
)
def test_revoked_without_proof_of_time(
    signed: SignedData,
    *,
    root: Authority,
    issuing: Authority,
    alice: Person,
    above: StatusRecord,
    reason: str | None,
    revoked_at: datetime,
    reasons: tuple[str, ...],
) -> None:
    record = revoked(issuing, alice.certificate, reason=reason, at=revoked_at)
    assert judged(signed, trust_in(root, records=[above, record])).reasons == reasons


@pytest.mark.parametrize(
    ("reason", "revoked_at", "reasons"),
    [
        ("keyCompromise", SIGNED + 2 * DAY, ("signer_revoked",)),
        ("superseded", SIGNED - DAY, ("signer_revoked",)),
        ("superseded", SIGNED + DAY, ("signer_revoked",)),
        ("superseded", SIGNED + 2 * DAY, ()),
    ],
)
def test_revoked_with_proof_of_time(
    signed: SignedData,
    *,
    root: Authority,
    issuing: Authority,
    alice: Person,
    above: StatusRecord,
    reason: str,
    revoked_at: datetime,
    reasons: tuple[str, ...],
) -> None:
    """The proved moment is a day after the claimed one: it alone counts."""
    record = revoked(issuing, alice.certificate, reason=reason, at=revoked_at)
    trust = trust_in(root, records=[above, record], times=[proof(signed, SIGNED + DAY)])
    report = judged(signed, trust)
    assert report.reasons == reasons
    assert report.time.basis == "service_record"
    assert report.time.proved == SIGNED + DAY


def test_what_was_invalid_before_it_was_signed_is_revoked(
    signed: SignedData, root: Authority, issuing: Authority, alice: Person, above: StatusRecord
) -> None:
    """RFC 5280 5.3.2: invalidityDate may lie before the revocation."""
    record = revoked(
        issuing, alice.certificate, reason="affiliationChanged", at=NOW - DAY, invalidity_date=SIGNED - DAY
    )
    assert judged(signed, trust_in(root, records=[above, record])).reasons == ("signer_revoked",)


def test_without_a_claimed_time_a_revocation_ends_it(
    root: Authority, issuing: Authority, alice: Person, above: StatusRecord
) -> None:
    data = read_signed_data(
        signed_data(
            [signer_info(alice, usual_attributes(ENTITY)[:2])],
            certificates=[alice.certificate.der, issuing.certificate.der],
        )
    )
    record = revoked(issuing, alice.certificate, reason="superseded", at=NOW - DAY)
    assert judged(data, trust_in(root, records=[above, record])).reasons == ("signer_revoked",)


def test_a_claimed_time_proves_nothing_for_an_expired_certificate(
    root: Authority, issuing: Authority, alice_key: ec.EllipticCurvePrivateKey, above: StatusRecord
) -> None:
    expired = person(issuing, alice_key, not_before=NOW - timedelta(days=60), days=55)
    data = read_signed_data(cms(expired, now=SIGNED))
    records = [above, good(issuing, expired.certificate)]
    assert judged(data, trust_in(root, records=records)).reasons == ("signer_expired",)
    proved = trust_in(root, records=records, times=[proof(data, SIGNED)])
    assert judged(data, proved).verdict is Verdict.VALID
    assert judged(data, trust_in(root, records=records, at=SIGNED)).verdict is Verdict.VALID


def test_a_record_of_another_signature_proves_nothing(
    root: Authority, issuing: Authority, alice_key: ec.EllipticCurvePrivateKey, above: StatusRecord
) -> None:
    expired = person(issuing, alice_key, not_before=NOW - timedelta(days=60), days=55)
    data, other = (read_signed_data(cms(expired, now=SIGNED)) for _ in range(2))
    trust = trust_in(root, records=[above, good(issuing, expired.certificate)], times=[proof(other, SIGNED)])
    assert judged(data, trust).reasons == ("signer_expired",)


@pytest.mark.parametrize(
    "other",
    [{"serial": Serial(1)}, {"issuer_der": b"0\0"}, {"content_sha256": hashlib.sha256(b"other").hexdigest()}],
)
def test_a_record_for_another_certificate_or_content_proves_nothing(
    signed: SignedData, trust: Trust, other: dict[str, object]
) -> None:
    """A key can be made that fits the octets of somebody else's signature (duplicate-signature key selection)."""
    record = proof(signed, SIGNED)
    assert judged(signed, replace(trust, records_of_time=(record,))).time.proved == SIGNED
    foreign = replace(record, **other)  # type: ignore[arg-type]  # of the table
    assert judged(signed, replace(trust, records_of_time=(foreign,))).time.basis == "at"


def test_a_record_after_the_moment_of_the_verification_proves_nothing(signed: SignedData, trust: Trust) -> None:
    later = replace(trust, at=SIGNED, records_of_time=(proof(signed, SIGNED + DAY),))
    assert judged(signed, later).time.basis == "at"


def test_of_several_records_the_first_counts(signed: SignedData, trust: Trust) -> None:
    records = (proof(signed, SIGNED + DAY), proof(signed, SIGNED))
    assert judged(signed, replace(trust, records_of_time=records)).time.proved == SIGNED


def test_not_yet_valid_is_invalid(
    root: Authority, issuing: Authority, alice_key: ec.EllipticCurvePrivateKey, above: StatusRecord
) -> None:
    early = person(issuing, alice_key, not_before=NOW + DAY)
    trust = trust_in(root, records=[above, good(issuing, early.certificate)])
    assert judged(read_signed_data(cms(early)), trust).reasons == ("path_invalid",)


@pytest.mark.parametrize(
    ("revocation", "reasons", "status"),
    [("hard", ("revocation_unknown",), "unknown"), ("soft", (), "unknown"), ("off", (), "not_checked")],
)
def test_an_unknown_status(
    signed: SignedData, root: Authority, above: StatusRecord, *, revocation: str, reasons: tuple[str, ...], status: str
) -> None:
    report = judged(signed, trust_in(root, records=[above], options=Options(revocation=revocation)))
    assert report.reasons == reasons
    assert report.revocation.status == status
    assert ("revocation_unknown" in report.findings) is (revocation != "off")


# --- usage ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("usage", "ekus", "is_ca", "reasons"),
    [
        ({"content_commitment": True}, (ExtendedKeyUsageOID.EMAIL_PROTECTION,), False, ()),
        (None, None, False, ()),
        ({"digital_signature": True}, (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), False, ()),
        ({"digital_signature": True}, (ExtendedKeyUsageOID.SERVER_AUTH,), False, ("usage_not_allowed",)),
        ({"key_agreement": True}, (ExtendedKeyUsageOID.EMAIL_PROTECTION,), False, ("usage_not_allowed",)),
        ({"digital_signature": True}, (ExtendedKeyUsageOID.EMAIL_PROTECTION,), True, ("usage_not_allowed",)),
    ],
)
def test_usage(
    root: Authority,
    *,
    alice_key: ec.EllipticCurvePrivateKey,
    usage: dict[str, bool] | None,
    ekus: tuple[object, ...] | None,
    is_ca: bool,
    reasons: tuple[str, ...],
) -> None:
    signer = person(root, alice_key, usage=usage, ekus=ekus, is_ca=is_ca)  # type: ignore[arg-type]  # of the table
    trust = trust_in(root, records=[good(root, signer.certificate)])
    assert judged(read_signed_data(cms(signer)), trust).reasons == reasons


def test_the_extended_key_usage_is_not_looked_at_where_the_caller_says_so(
    root: Authority, alice_key: ec.EllipticCurvePrivateKey
) -> None:
    signer = person(root, alice_key, ekus=(ExtendedKeyUsageOID.SERVER_AUTH,))
    trust = trust_in(root, records=[good(root, signer.certificate)], options=Options(require_email_eku=False))
    assert judged(read_signed_data(cms(signer)), trust).verdict is Verdict.VALID


def test_policy_options_are_never_valid(signed: SignedData, trust: Trust) -> None:
    asking = replace(trust, options=Options(policies=("2.5.29.32.0",)))
    assert judged(signed, asking).reasons == ("policy_unsupported",)


# --- which certificate ------------------------------------------------------------------------------------------------
def test_a_signer_without_certificate(signed: SignedData, trust: Trust) -> None:
    report = judged(signed, trust, certificates=())
    assert report.reasons == ("no_trusted_path",)
    assert (report.integrity, report.signature) == (Outcome.OK, Outcome.NOT_CHECKED)
    assert report.certificate is None
    assert "certificate_missing" in report.findings


def test_a_certificate_that_the_caller_brings(
    signed: SignedData, trust: Trust, alice: Person, issuing: Authority
) -> None:
    brought = replace(trust, intermediates=(issuing.certificate, alice.certificate))
    assert judged(signed, brought, certificates=()).verdict is Verdict.VALID


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_certificates_does_not_matter(
    signed: SignedData, trust: Trust, mallory: Person, *, turned: bool
) -> None:
    bag = (mallory.certificate, *signed.certificates, *signed.certificates)
    assert judged(signed, trust, certificates=bag[::-1] if turned else bag).verdict is Verdict.VALID


def test_an_unknown_authority_is_not_trusted(signed: SignedData) -> None:
    stranger = authority("Another Root")
    assert judged(signed, trust_in(stranger)).reasons == ("no_trusted_path",)


def test_a_self_signed_certificate_is_not_trusted(alice_key: ec.EllipticCurvePrivateKey, trust: Trust) -> None:
    itself = Authority(certificate=person(authority("Alice"), alice_key).certificate, key=alice_key)
    own = person(itself, alice_key, subject=itself.name)
    assert judged(read_signed_data(cms(own)), trust).reasons == ("no_trusted_path",)


def test_every_certificate_with_the_key_identifier_is_tried(
    root: Authority, issuing: Authority, alice_key: ec.EllipticCurvePrivateKey, above: StatusRecord
) -> None:
    """RFC 8551 2.6: two people, one key identifier; then one person, of whose certificates one has expired."""
    twin = person(issuing, ec.generate_private_key(ec.SECP256R1()), key_id=b"one")
    expired = person(issuing, alice_key, key_id=b"one", not_before=NOW - timedelta(days=60), days=55)
    signer = person(issuing, alice_key, key_id=b"one")
    info = signer_info(signer, usual_attributes(ENTITY), id_=der.implicit(0, b"one", constructed=False))
    people = (twin, expired, signer)
    for order in (people, people[::-1]):
        bag = [one.certificate.der for one in order]
        data = read_signed_data(signed_data([info], certificates=[*bag, issuing.certificate.der]))
        records = [good(issuing, one.certificate) for one in people]
        report = judged(data, trust_in(root, records=[above, *records]))
        assert report.verdict is Verdict.VALID
        assert report.certificate == signer.certificate


def test_the_same_serial_of_another_issuer_is_not_taken(trust: Trust, root: Authority, alice: Person) -> None:
    twin = person(root, alice.key, serial=alice.certificate.serial.value)
    data = read_signed_data(
        signed_data([signer_info(alice, usual_attributes(ENTITY))], certificates=[twin.certificate.der])
    )
    assert judged(data, trust).certificate is None
    assert issuer_and_serial(twin.certificate) != issuer_and_serial(alice.certificate)


def test_a_substitute_certificate_with_the_same_key(
    root: Authority, issuing: Authority, alice: Person, above: StatusRecord
) -> None:
    """The rector's name on Alice's key: the signature fits, and signingCertificateV2 tells it."""
    rector = person(
        issuing,
        alice.key,
        mailboxes=("rector@campus.example",),
        subject=name("Rector"),
        serial=alice.certificate.serial.value,
    )
    data = read_signed_data(cms(alice))
    trust = trust_in(root, records=[above, good(issuing, alice.certificate)])
    report = judged(data, trust, certificates=(rector.certificate, issuing.certificate))
    assert report.signature is Outcome.OK
    assert report.reasons == ("signed_attributes_wrong",)


def test_the_address_in_the_subject_is_told(
    root: Authority, issuing: Authority, alice_key: ec.EllipticCurvePrivateKey, above: StatusRecord
) -> None:
    old = person(issuing, alice_key, mailboxes=(), subject=name("Alice", email="alice@campus.example"))
    trust = trust_in(root, records=[above, good(issuing, old.certificate)])
    report = judged(read_signed_data(cms(old)), trust)
    assert report.mailboxes == ("alice@campus.example",)
    assert report.findings == ("address_in_subject",)


def test_signature_checks_are_bounded(signed: SignedData, trust: Trust) -> None:
    bench = Bench(trust=trust, signature_checks=1)
    content = Content(ENTITY, content_type=oids.DATA)
    first, second = (
        judge_signer(signed.signers[0], content=content, certificates=signed.certificates, bench=bench)
        for _ in range(2)
    )
    assert first.verdict is Verdict.VALID
    assert second.reasons == ("no_trusted_path",)
    assert "budget_exhausted" in second.findings


@pytest.mark.parametrize("person_name", ["alice_p384", "alice_rsa"])
def test_other_keys(
    request: pytest.FixtureRequest,
    *,
    openssl: OpenSsl,
    root: Authority,
    issuing: Authority,
    above: StatusRecord,
    person_name: str,
) -> None:
    signer: Person = request.getfixturevalue(person_name)
    trust = trust_in(root, records=[above, good(issuing, signer.certificate)])
    assert judged(read_signed_data(cms(signer)), trust).verdict is Verdict.VALID
    assert judged(read_signed_data(openssl.sign(ENTITY, [signer], "-outform DER")), trust).verdict is Verdict.VALID
