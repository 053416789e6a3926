"""What every program signs with a key and certificate from here verifies here, BER included."""

import pytest

from tests.interop.conftest import pairs
from tests.interop.wrapping import ENTITY, signed_mail
from tests.programs import Person, Program
from tests.served import Served

EVERY = ("rsa3072", "rsa4096", "p256", "p384")
# gpgsm 2.2 takes no EC key from a PKCS#12 file.
on_each = pairs({"openssl": EVERY, "nss": EVERY, "gpgsm": ("rsa3072", "rsa4096")})
NESTED = (
    b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\n' + ENTITY + b"\r\n--outer\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--outer--\r\n"
)
on_each_form = pytest.mark.parametrize("detached", [True, False], ids=["detached", "opaque"])
INDEFINITE = 0x80


@on_each
@on_each_form
@pytest.mark.parametrize("content", [ENTITY, NESTED], ids=["plain", "nested"])
def test_what_a_program_signs_verifies_here(
    service: Served, program: Program, alice: Person, detached: bool, content: bytes
) -> None:
    cms = program.sign(content, by=alice, detached=detached)
    report = service.verify(signed_mail(cms, content if detached else None, sender=alice.mailbox))
    assert (report["verdict"], report["reasons"]) == ("valid", []), report
    assert report["signers"][0]["serial"] == alice.serial


@on_each_form
@pytest.mark.parametrize("program", ["nss", "gpgsm"], indirect=True)
def test_ber_is_read(service: Served, program: Program, alice: Person, detached: bool) -> None:
    cms = program.sign(ENTITY, by=alice, detached=detached)
    assert cms[1] == INDEFINITE
    assert service.verify(signed_mail(cms, ENTITY if detached else None, sender=alice.mailbox))["verdict"] == "valid"


@on_each_form
def test_altered_afterwards_is_invalid_here(service: Served, program: Program, alice: Person, detached: bool) -> None:
    cms = program.sign(ENTITY, by=alice, detached=detached)
    content = ENTITY.replace(b"Friday", b"Monday") if detached else None
    report = service.verify(signed_mail(cms.replace(b"Friday", b"Monday"), content, sender=alice.mailbox))
    assert (report["verdict"], report["reasons"]) == ("invalid", ["message_altered"])


def test_another_sender_is_invalid_here(service: Served, program: Program, alice: Person) -> None:
    cms = program.sign(ENTITY, by=alice, detached=True)
    report = service.verify(signed_mail(cms, ENTITY, sender="dean@campus.example"))
    assert (report["verdict"], report["reasons"]) == ("invalid", ["address_mismatch"])
