"""What `/v1/sign` makes verifies in every program, and not once it is altered or somebody else's root stands above it."""

from pathlib import Path

import pytest

from tests.interop.conftest import PRESS
from tests.interop.wrapping import ENTITY, taken_apart
from tests.mails import BODIES, SENDER, mail
from tests.openssl import openssl
from tests.programs import Program
from tests.served import Served

on_each_key = pytest.mark.parametrize("sender", [SENDER, PRESS], ids=["rsa3072", "p256"])
on_each_form = pytest.mark.parametrize("form", ["detached", "opaque"])


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@on_each_form
@on_each_key
def test_verifies_what_the_service_signs(
    service: Served, program: Program, sender: str, form: str, body: bytes
) -> None:
    cms, content = taken_apart(service.sign(mail(body, sender=sender), **{"as": form}))
    assert (content is None) == (form == "opaque")
    judged = program.verify(cms, content)
    assert judged.ok, judged.text


@on_each_form
@on_each_key
def test_refuses_what_was_altered_afterwards(service: Served, program: Program, sender: str, form: str) -> None:
    cms, content = taken_apart(service.sign(mail(sender=sender), **{"as": form}))
    altered = cms.replace(b"Friday", b"Monday"), content and content.replace(b"Friday", b"Monday")
    assert altered != (cms, content)
    assert program.verify(cms, content).ok
    assert not program.verify(*altered).ok


@on_each_key
def test_refuses_an_altered_signature(service: Served, program: Program, sender: str) -> None:
    cms, content = taken_apart(service.sign(mail(sender=sender)))
    assert not program.verify(cms[:-4] + bytes([cms[-4] ^ 1]) + cms[-3:], content).ok


def test_refuses_the_same_name_under_another_root(program: Program, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
        "-subj", "/CN=Mallory", "-addext", f"subjectAltName=email:{SENDER}", "-addext", "extendedKeyUsage=emailProtection",
    )  # fmt: skip
    assert made.ok, made.text
    signed = openssl(
        "cms", "-sign", "-binary", "-outform", "DER", "-signer", certificate, "-inkey", key, given=ENTITY
    )  # fmt: skip
    assert signed.ok, signed.text
    assert not program.verify(signed.out, ENTITY).ok
