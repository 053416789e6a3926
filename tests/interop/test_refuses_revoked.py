"""A revocation here reaches every program: by CRL, and for NSS also by OCSP."""

import secrets
import time
from collections.abc import Callable

import pytest
from cryptography import x509

from tests.interop.conftest import Client
from tests.interop.wrapping import ENTITY, taken_apart
from tests.mails import mail
from tests.nss import Nss
from tests.openssl import openssl
from tests.programs import Program
from tests.served import Served

CRL_SECONDS = 60
# In the words of openssl, gpgsm and NSS; openssl and gpgsm name the certificate, cmsutil only that it is not trusted.
WHY = ("certificate revoked", "certificate has been revoked", "status=SigningCertNotTrusted")
Certify = Callable[..., Client]


def test_refuses_a_signer_whose_certificate_was_revoked(service: Served, program: Program, certify: Certify) -> None:
    gone = certify("gone@campus.example", kind="p256")
    program.hear_of_revocations(crls(service))
    assert program.verify(signed_by(gone), ENTITY).ok

    revoke(service, gone.serial)
    program.hear_of_revocations(crls(service))

    judged = program.verify(signed_by(gone), ENTITY)
    assert not judged.ok, judged.text
    assert any(reason in judged.text for reason in WHY), judged.text


@pytest.mark.parametrize("program", ["openssl", "gpgsm"], indirect=True)
def test_refuses_what_a_revoked_identity_had_signed_before(service: Served, program: Program) -> None:
    mailbox = f"closed-{secrets.token_hex(4)}@campus.example"
    service.post("/v1/identities", json={"mailbox": mailbox, "key": "p256", "encryption_key": "p256"}, status=201)
    cms, content = taken_apart(service.sign(mail(sender=mailbox)))
    program.hear_of_revocations(crls(service))
    assert program.verify(cms, content).ok

    ended = service.post(f"/v1/identities/{mailbox}/revocation", json={"reason": "keyCompromise"}, status=201).json()
    wait_until_in_crl(service, ended["serial"])
    program.hear_of_revocations(crls(service))

    assert not program.verify(cms, content).ok


@pytest.mark.parametrize("method", ["ocsp", "crl"])
@pytest.mark.parametrize("program", ["nss"], indirect=True)
def test_nss_fetches_the_status_itself_and_refuses(
    service: Served, program: Nss, certify: Certify, method: str
) -> None:
    gone = certify(f"gone-{method}@campus.example", kind="p256")
    leaf, issuer = gone.certificate.read_text(), gone.chain.read_text()
    good = program.check_chain(leaf, issuer=issuer, method=method)
    assert good.ok, good.text

    revoke(service, gone.serial)

    judged = program.check_chain(leaf, issuer=issuer, method=method)
    assert not judged.ok
    assert "has been revoked" in judged.text


def signed_by(client: Client) -> bytes:
    """A detached signature of now."""
    signed = openssl(
        "cms", "-sign", "-binary", "-outform", "DER", "-signer", client.certificate, "-inkey", client.key,
        "-certfile", client.chain,
        given=ENTITY,
    )  # fmt: skip
    assert signed.ok, signed.text
    return signed.out


def revoke(service: Served, serial: str) -> None:
    service.post(f"/v1/certificates/{serial}/revocation", status=201, json={"reason": "keyCompromise"})
    wait_until_in_crl(service, serial)


def wait_until_in_crl(service: Served, serial: str) -> None:
    """The CRL follows within a minute; the test gives it just that."""
    deadline = time.monotonic() + CRL_SECONDS
    while x509.load_der_x509_crl(crls(service)[0]).get_revoked_certificate_by_serial_number(int(serial, 16)) is None:
        assert time.monotonic() < deadline, f"the revocation did not reach the CRL within {CRL_SECONDS} s"
        time.sleep(0.2)


def crls(service: Served) -> list[bytes]:
    return [service.http.get(f"/crl/{authority}.crl").content for authority in ("g1", "root")]
