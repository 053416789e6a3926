"""What every program seals to an identity's certificate opens here by `/v1/decrypt`, BER included."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from tests.interop.conftest import PRESS
from tests.interop.wrapping import ENTITY, multipart, sealed_mail
from tests.mails import SENDER
from tests.openssl_cms import OpenSsl
from tests.programs import Person, Program
from tests.served import Served

STRANGER = "someone@elsewhere.example"
INDEFINITE = 0x80
TEXT = ENTITY.partition(b"\r\n\r\n")[2]
REGISTRY = "registry@campus.example"  # P-384
OAEP = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")


@dataclass(frozen=True)
class Way:
    """How openssl seals: for whom, by which options, and by which options of the recipient."""

    mailbox: str
    options: tuple[str, ...]
    keyopts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.mailbox.partition("@")[0], *self.options, *self.keyopts))

    @property
    def is_authenticated(self) -> bool:
        return any(option.endswith("gcm") for option in self.options)


WAYS = [
    Way(SENDER, ("-aes128",)),
    Way(SENDER, ("-aes256",)),
    Way(SENDER, ("-aes256", "-stream")),
    Way(SENDER, ("-aes256", "-keyid")),
    Way(SENDER, ("-aes256",), OAEP),
    Way(SENDER, ("-aes-128-gcm",)),
    Way(SENDER, ("-aes-256-gcm",), OAEP),
    Way(PRESS, ("-aes128",)),
    Way(PRESS, ("-aes256",), ("ecdh_kdf_md:sha256",)),
    Way(PRESS, ("-aes256", "-keyid")),
    Way(PRESS, ("-aes-256-gcm",), ("ecdh_kdf_md:sha256",)),
    Way(REGISTRY, ("-aes256",), ("ecdh_kdf_md:sha384",)),
    Way(REGISTRY, ("-aes-256-gcm",), ("ecdh_kdf_md:sha384",)),
]


@pytest.fixture(scope="session")
def certificate(service: Served) -> Callable[[str], str]:
    """The encryption certificate of an identity that the service keeps."""
    keys = {"mailbox": REGISTRY, "key": "p384", "encryption_key": "p384"}
    service.post("/v1/identities", status=201, json=keys)
    return lambda mailbox: str(service.http.get(f"/v1/identities/{mailbox}").json()["encryption_certificate"])


def test_what_a_program_seals_opens_here(service: Served, program: Program, certificate: Callable[[str], str]) -> None:
    sealed = program.seal(ENTITY, to=certificate(SENDER))
    opened = decrypt(service, sealed_mail(sealed, sender=STRANGER))
    assert opened.status_code == 200, opened.text
    assert opened.content.partition(b"\r\n\r\n")[2] == TEXT
    assert opened.headers["Mailseal-Integrity"] == "none"


def test_what_a_program_signs_and_then_seals_opens_as_signed(
    service: Served, program: Program, alice: Person, certificate: Callable[[str], str]
) -> None:
    signed = multipart(program.sign(ENTITY, by=alice, detached=True), ENTITY)
    sealed = program.seal(signed, to=certificate(SENDER))
    opened = decrypt(service, sealed_mail(sealed, sender=alice.mailbox))
    assert opened.status_code == 200, opened.text
    assert opened.headers["Mailseal-Integrity"] == "signed"
    assert TEXT in opened.content


@pytest.mark.parametrize("program", ["nss", "gpgsm"], indirect=True)
def test_sealed_ber_is_read(service: Served, program: Program, certificate: Callable[[str], str]) -> None:
    sealed = program.seal(ENTITY, to=certificate(SENDER))
    assert sealed[1] == INDEFINITE
    assert decrypt(service, sealed_mail(sealed, sender=STRANGER)).status_code == 200


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("program", ["openssl"], indirect=True)
def test_every_algorithm_that_is_read(
    service: Served, program: OpenSsl, certificate: Callable[[str], str], way: Way
) -> None:
    sealed = program.seal_so(ENTITY, *way.options, to=certificate(way.mailbox), keyopts=way.keyopts)
    kind, integrity = ("authEnveloped-data", "aead") if way.is_authenticated else ("enveloped-data", "none")
    opened = decrypt(service, sealed_mail(sealed, sender=STRANGER, kind=kind))
    assert opened.status_code == 200, opened.text
    assert opened.content.partition(b"\r\n\r\n")[2] == TEXT
    assert opened.headers["Mailseal-Integrity"] == integrity


@pytest.mark.parametrize("program", ["openssl"], indirect=True)
def test_old_ciphers_are_refused(service: Served, program: OpenSsl, certificate: Callable[[str], str]) -> None:
    sealed = program.seal_so(ENTITY, "-des3", to=certificate(SENDER))
    refused = decrypt(service, sealed_mail(sealed, sender=STRANGER))
    assert (refused.status_code, refused.json()["code"]) == (422, "content_cipher_refused")


def test_what_a_program_seals_to_somebody_else_stays_closed(service: Served, program: Program, alice: Person) -> None:
    sealed = program.seal(ENTITY, to=alice.certificate)
    refused = decrypt(service, sealed_mail(sealed, sender=STRANGER))
    assert (refused.status_code, refused.json()["code"]) == (422, "no_key_for_message")


def decrypt(service: Served, message: bytes) -> httpx.Response:
    """What the service answers on a sealed message."""
    headers = {"Content-Type": "message/rfc822", "Accept": "message/rfc822"}
    return service.http.post("/v1/decrypt", content=message, headers=headers)
