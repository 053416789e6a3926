"""What `/v1/encrypt` makes opens in every program."""

from collections.abc import Callable

import pytest

from tests.interop.conftest import encrypt, pairs
from tests.interop.wrapping import taken_apart
from tests.mails import BODIES, SENDER, mail
from tests.openssl_cms import OpenSsl
from tests.programs import Person, Program
from tests.served import Served

# gpgsm 2.2 and NSS 3.87 know no ECDH.
on_each = pairs({"openssl": ("rsa3072", "p256", "p384"), "nss": ("rsa3072",), "gpgsm": ("rsa3072",)})


@on_each
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_opens_what_the_service_seals(service: Served, program: Program, alice: Person, body: bytes) -> None:
    sealed, _ = taken_apart(encrypt(service, mail(body, crlf=True), alice.mailbox))
    opened = program.open(sealed, by=alice)
    assert opened.ok, opened.text
    assert text_of(opened.out) == text_of(body.replace(b"\n", b"\r\n"))


@on_each
def test_signature_inside_is_still_good(service: Served, program: Program, alice: Person) -> None:
    sealed, _ = taken_apart(encrypt(service, mail(), alice.mailbox, sign="true"))
    opened = program.open(sealed, by=alice)
    assert opened.ok, opened.text
    judged = program.verify(*taken_apart(opened.out))
    assert judged.ok, judged.text


def test_opens_what_is_sealed_to_others_as_well(service: Served, program: Program, alice: Person) -> None:
    sealed, _ = taken_apart(encrypt(service, mail(), SENDER, alice.mailbox))
    opened = program.open(sealed, by=alice)
    assert opened.ok, opened.text
    assert b"Friday" in opened.out


@pytest.mark.parametrize("program", ["openssl", "gpgsm"], indirect=True)
def test_opens_what_is_sealed_to_keys_of_every_kind(
    service: Served, program: Program, alice: Person, person: Callable[[str], Person]
) -> None:
    others = [person(kind).mailbox for kind in ("p256", "p384")]
    sealed, _ = taken_apart(encrypt(service, mail(), *others, alice.mailbox))
    opened = program.open(sealed, by=alice)
    assert opened.ok, opened.text
    assert b"Friday" in opened.out


def test_does_not_open_what_is_sealed_to_somebody_else(service: Served, program: Program, alice: Person) -> None:
    sealed, _ = taken_apart(encrypt(service, mail(), SENDER))
    opened = program.open(sealed, by=alice)
    assert not opened.ok
    assert b"Friday" not in opened.out


@pairs({"openssl": ("rsa3072", "p256", "p384")})
def test_opens_modern_algorithms(service: Served, program: OpenSsl, alice: Person) -> None:
    sealed, _ = taken_apart(encrypt(service, mail(), alice.mailbox, algorithms="modern"))
    opened = program.open(sealed, by=alice)
    assert opened.ok, opened.text
    assert b"Friday" in opened.out


def text_of(entity: bytes) -> bytes:
    """What follows the header of an entity, which may have no field at all."""
    return (b"\r\n" + entity).partition(b"\r\n\r\n")[2]
