"""What the programs tried cannot do, so that docs/clients.md stays true; another version may well do it."""

import base64
import time
from collections.abc import Callable

import pytest

from tests.gpgsm import Gpgsm
from tests.interop.conftest import Client
from tests.interop.test_refuses_revoked import crls, revoke, signed_by
from tests.interop.wrapping import ENTITY
from tests.nss import Nss
from tests.openssl_cms import OpenSsl
from tests.programs import Person
from tests.served import Served

OLD_NSS = "3.87"
OLD_GPGSM = "2.2"


@pytest.fixture
def old_nss(by_nss: Nss) -> Nss:
    if not by_nss.version.startswith(OLD_NSS):
        pytest.skip(f"a limit of NSS {OLD_NSS}; this is {by_nss.version}")
    return by_nss


@pytest.fixture
def old_gpgsm(by_gpgsm: Gpgsm) -> Gpgsm:
    if not by_gpgsm.version.startswith(OLD_GPGSM):
        pytest.skip(f"a limit of gpgsm {OLD_GPGSM}; this is {by_gpgsm.version}")
    return by_gpgsm


def test_nss_opens_no_gcm(old_nss: Nss, by_openssl: OpenSsl, alice: Person) -> None:
    sealed = by_openssl.seal_so(ENTITY, "-aes-256-gcm", to=alice.certificate)
    assert by_openssl.open(sealed, by=alice).out == ENTITY
    assert not old_nss.open(sealed, by=alice).ok


def test_gpgsm_opens_no_gcm(old_gpgsm: Gpgsm, by_openssl: OpenSsl, alice: Person) -> None:
    sealed = by_openssl.seal_so(ENTITY, "-aes-256-gcm", to=alice.certificate)
    assert not old_gpgsm.open(sealed, by=alice).ok


@pytest.mark.parametrize("alice", ["p256"], indirect=True)
def test_nss_neither_seals_nor_opens_with_ecdh(old_nss: Nss, by_openssl: OpenSsl, alice: Person) -> None:
    answer, _ = old_nss.try_to_seal(ENTITY, to=alice.certificate)
    assert "SEC_ERROR_INVALID_ALGORITHM" in answer.text
    assert not old_nss.open(by_openssl.seal(ENTITY, to=alice.certificate), by=alice).ok


@pytest.mark.parametrize("others", [("p256",), ("p384", "p256")], ids=" ".join)
def test_nss_opens_nothing_that_is_sealed_to_a_key_of_another_kind_as_well(
    old_nss: Nss, by_openssl: OpenSsl, alice: Person, person: Callable[[str], Person], others: tuple[str, ...]
) -> None:
    certificates = alice.certificate + "".join(person(kind).certificate for kind in others)
    sealed = by_openssl.seal(ENTITY, to=certificates)
    assert by_openssl.open(sealed, by=alice).out == ENTITY
    assert not old_nss.open(sealed, by=alice).ok


def test_gpgsm_seals_to_no_key_that_only_agrees(service: Served, old_gpgsm: Gpgsm) -> None:
    identity = service.http.get("/v1/identities/press@campus.example").json()
    answer = old_gpgsm.try_to_seal(ENTITY, to=identity["encryption_certificate"])
    assert not answer.ok
    assert "Wrong key usage" in answer.text


def test_gpgsm_takes_no_modern_pkcs12(service: Served, old_gpgsm: Gpgsm) -> None:
    made = service.post(
        "/v1/certificates/pkcs12",
        status=201,
        json={"mailboxes": ["modern@campus.example"], "key": "rsa3072", "format": "modern"},
    ).json()
    assert not old_gpgsm.try_to_take(base64.b64decode(made["pkcs12"]), passphrase=made["passphrase"]).ok


def test_nss_judges_by_the_time_that_the_signer_claims(
    service: Served, old_nss: Nss, certify: Callable[..., Client]
) -> None:
    gone = certify("gone-later@campus.example", kind="p256")
    before = signed_by(gone)
    wait_for_the_next_second()
    revoke(service, gone.serial)
    old_nss.hear_of_revocations(crls(service))
    assert old_nss.verify(before, ENTITY).ok
    assert not old_nss.verify(signed_by(gone), ENTITY).ok


def test_gpgsm_goes_by_the_crl_that_it_has(service: Served, old_gpgsm: Gpgsm, certify: Callable[..., Client]) -> None:
    gone = certify("gone-unheard@campus.example", kind="p256")
    signed = signed_by(gone)
    assert old_gpgsm.verify(signed, ENTITY).ok
    revoke(service, gone.serial)
    assert old_gpgsm.verify(signed, ENTITY).ok
    old_gpgsm.hear_of_revocations(crls(service))
    assert not old_gpgsm.verify(signed, ENTITY).ok


def wait_for_the_next_second() -> None:
    """Signing time and revocation tell seconds apart, and nothing less."""
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(0.05)
