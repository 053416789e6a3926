import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from services import certificates, identities, revocation
from services.certificates import Order
from services.errors import ScopeMissing
from services.messages.sign import Wish, sign
from services.messages.verify import check, verify
from services.revocation import Cause
from services.trust import Given
from smime.message import read_message
from smime.report import Report
from smime.sign import Form, sign_message
from smime.signer import Signer
from tests.campus import Campus, csr
from tests.mails import mail
from tests.services.deeds import entries

DESK = Mailbox.parse("desk@campus.example")


def judged(campus: Campus, data: bytes, given: Given | None = None) -> Report:
    return asyncio.run(verify(campus.context, campus.admin, data=data, given=given or Given())).report


def signed_by_desk(campus: Campus) -> bytes:
    identities.add(campus.context, campus.admin, mailbox=DESK, key="p256", encryption_key="p256")
    data = mail(sender=str(DESK), at=campus.clock())
    return asyncio.run(sign(campus.context, campus.admin, data=data, wish=Wish())).data


def signed_by_alice(campus: Campus) -> tuple[bytes, Serial]:
    """Signed by a key that its holder has, so that we have no record of the signature."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = certificates.issue(campus.context, campus.admin, order=Order(request=csr(key=key), use="sign"))
    assert issued.certificate is not None
    signer = Signer(certificate=issued.certificate, chain=issued.chain[:1], key=key)
    data = mail(sender="alice@campus.example", at=campus.clock())
    signed = sign_message(read_message(data), signer=signer, form=Form.OPAQUE, now=campus.clock())
    return signed.data, issued.certificate.serial


def revoke(campus: Campus, serial: Serial, reason: str) -> None:
    revocation.revoke(campus.context, campus.admin, serial=serial, cause=Cause(reason=reason))


def outcome(report: Report) -> tuple[str, tuple[str, ...]]:
    return report.verdict.value, report.reasons


def test_valid_by_our_own_root_and_records(campus: Campus) -> None:
    data, _ = signed_by_alice(campus)
    report = judged(campus, data)
    assert outcome(report) == ("valid", ())
    assert report.signers[0].revocation.status == "good"


def test_check_judges_for_anybody_by_our_own_trust_and_records_nothing(campus: Campus) -> None:
    data, serial = signed_by_alice(campus)
    before = entries(campus)
    assert outcome(check(campus.context, data=data).report) == ("valid", ())
    assert outcome(check(campus.context, data=mail(sender="alice@campus.example", at=campus.clock())).report) == (
        "not_signed",
        (),
    )
    assert entries(campus) == before
    revoke(campus, serial, "keyCompromise")
    assert outcome(check(campus.context, data=data).report) == ("invalid", ("signer_revoked",))


def test_compromised_key_is_revoked_whenever_it_signed(campus: Campus) -> None:
    data, serial = signed_by_alice(campus)
    campus.clock.advance(timedelta(days=1))
    revoke(campus, serial, "keyCompromise")
    assert outcome(judged(campus, data)) == ("invalid", ("signer_revoked",))


def test_revoked_after_the_claimed_time_is_not_decided(campus: Campus) -> None:
    data, serial = signed_by_alice(campus)
    campus.clock.advance(timedelta(days=1))
    revoke(campus, serial, "affiliationChanged")
    assert outcome(judged(campus, data)) == ("indeterminate", ("signer_revoked_later",))


def test_our_own_record_proves_the_time_of_a_signature(campus: Campus) -> None:
    data = signed_by_desk(campus)
    campus.clock.advance(timedelta(days=1))
    identities.revoke(campus.context, campus.admin, mailbox=DESK, cause=Cause(reason="cessationOfOperation"))
    report = judged(campus, data)
    assert outcome(report) == ("valid", ())
    assert report.signers[0].time.basis == "service_record"


def test_what_we_signed_stays_valid_after_the_certificate_ends(campus: Campus) -> None:
    data = signed_by_desk(campus)
    campus.clock.advance(timedelta(days=500))
    assert outcome(judged(campus, data)) == ("valid", ())


def test_what_others_signed_is_not_decided_after_the_certificate_ends(campus: Campus) -> None:
    data, _ = signed_by_alice(campus)
    campus.clock.advance(timedelta(days=500))
    assert outcome(judged(campus, data)) == ("indeterminate", ("signer_expired",))


def test_certificate_that_we_have_no_record_of_is_not_believed(campus: Campus) -> None:
    """Made with the issuing CA's key, past our own steps: as after a restored backup, or a stolen key."""
    key = ec.generate_private_key(ec.SECP256R1())
    order = Order(use="sign")
    draft = certificates.prepare(
        campus.context,
        campus.admin,
        order=order,
        public_key=key.public_key(),
        mailboxes=(Mailbox.parse("alice@campus.example"),),
    )
    stray = campus.context.issuers.issuing.issue(draft.prepared)
    signer = Signer(certificate=stray, chain=campus.context.issuers.issuing.chain[:1], key=key)
    data = mail(sender="alice@campus.example", at=campus.clock())
    signed = sign_message(read_message(data), signer=signer, form=Form.DETACHED, now=campus.clock())
    assert outcome(judged(campus, signed.data)) == ("indeterminate", ("revocation_unknown",))


def test_own_trust_needs_a_scope_of_its_own(campus: Campus) -> None:
    data, _ = signed_by_alice(campus)
    who = campus.principal("messages:verify")
    for given in (Given(at=campus.clock()), Given(anchors=(b"",)), Given(options="{}")):
        with pytest.raises(ScopeMissing):
            asyncio.run(verify(campus.context, who, data=data, given=given))


def test_given_anchors_replace_our_own(campus: Campus, other_root: Certificate) -> None:
    data, _ = signed_by_alice(campus)
    ours = campus.context.issuers.root.pem.encode()
    assert outcome(judged(campus, data, Given(anchors=(ours,)))) == ("valid", ())
    foreign = Given(anchors=(other_root.pem.encode(),))
    assert outcome(judged(campus, data, foreign)) == ("indeterminate", ("no_trusted_path",))


@pytest.fixture(scope="session")
def other_root() -> Certificate:
    """A self-signed certificate of strangers."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strangers")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate.from_der(built.public_bytes(Encoding.DER))
