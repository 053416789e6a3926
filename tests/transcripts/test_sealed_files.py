"""`mailseal encrypt` and `mailseal decrypt` on files, against openssl."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.mails import mail
from tests.openssl import openssl
from tests.served import Served, serve
from tests.transcripts.commands import Ran, mailseal

LETTER = mail(b"\nThe library is closed on Friday.\n").replace(b"all@campus.example", b"ivan@campus.example")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ivan's .p12 for each kind of key, and a letter to him."""
    made = tmp_path_factory.mktemp("sealed")
    with serve(tmp_path_factory.mktemp("service")) as service:
        for kind in ("rsa2048", "p256"):
            hand_over(service, kind, made)
    (made / "mail.eml").write_bytes(LETTER)
    return made


def hand_over(service: Served, kind: str, folder: Path) -> None:
    wanted = {"mailboxes": ["ivan@campus.example"], "key": kind, "format": "modern"}
    answer = service.post("/v1/certificates/pkcs12", status=201, json=wanted).json()
    (folder / f"{kind}.p12").write_bytes(base64.b64decode(answer["pkcs12"]))
    (folder / f"{kind}.pass").write_text(answer["passphrase"])
    (folder / f"{kind}.pem").write_text(answer["certificate"])


def encrypt(folder: Path, *options: str) -> Ran:
    return mailseal("encrypt", "mail.eml", "--out", "sealed.eml", *options, folder=folder)


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
@pytest.mark.parametrize("algorithms", ["compatible", "modern"])
def test_what_is_sealed_opens_again(folder: Path, kind: str, algorithms: str) -> None:
    sealed = encrypt(folder, "--cert", f"{kind}.pem", "--algorithms", algorithms)
    assert sealed.code == 0, sealed.err
    assert b"closed on Friday" not in (folder / "sealed.eml").read_bytes()
    opened = mailseal(
        "decrypt", "sealed.eml", "--p12", f"{kind}.p12", "--passphrase-file", f"{kind}.pass", folder=folder
    )
    assert opened.code == 0, opened.err
    assert "The library is closed on Friday." in opened.out
    assert ("does not show whether it was altered" in opened.err) is (algorithms == "compatible")


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_openssl_opens_what_is_sealed(folder: Path, kind: str) -> None:
    assert encrypt(folder, "--cert", f"{kind}.pem").code == 0
    key = folder / f"{kind}.key"
    assert openssl(
        "pkcs12", "-in", folder / f"{kind}.p12", "-nodes", "-nocerts", "-out", key,
        "-passin", f"file:{folder / f'{kind}.pass'}",
    ).ok  # fmt: skip
    opened = openssl("cms", "-decrypt", "-in", folder / "sealed.eml", "-inkey", key, "-recip", folder / f"{kind}.pem")
    assert opened.ok
    assert b"The library is closed on Friday." in opened.out


def test_what_was_sealed_with_the_message_is_told_of(folder: Path) -> None:
    (folder / "inner.eml").write_bytes(
        b"Subject: Within\r\nReceived: from nowhere\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    )
    assert openssl(
        "cms", "-encrypt", "-aes256", "-in", folder / "inner.eml", "-out", folder / "fields.eml",
        "-from", "all@campus.example", "-to", "ivan@campus.example", folder / "rsa2048.pem",
    ).ok  # fmt: skip
    opened = mailseal(
        "decrypt", "fields.eml", "--p12", "rsa2048.p12", "--passphrase-file", "rsa2048.pass", folder=folder
    )
    assert opened.code == 0, opened.err
    assert "Subject: Within" in opened.out
    assert "stand in its header now. (inner_fields_taken)" in opened.err
    assert "were left out: the header has them, or none may come so. (inner_fields_left_out)" in opened.err


def test_another_key_opens_nothing(folder: Path) -> None:
    assert encrypt(folder, "--cert", "rsa2048.pem").code == 0
    ended = mailseal("decrypt", "sealed.eml", "--p12", "p256.p12", "--passphrase-file", "p256.pass", folder=folder)
    assert (ended.code, ended.out) == (1, "")
    assert "error: " in ended.err


def test_a_blind_recipient_is_refused(folder: Path) -> None:
    (folder / "blind.eml").write_bytes(b"Bcc: judy@campus.example\n" + LETTER)
    ended = mailseal("encrypt", "blind.eml", "--cert", "rsa2048.pem", folder=folder)
    assert (ended.code, ended.out) == (1, "")
    assert "judy@campus.example" in ended.err


def test_a_recipient_without_a_certificate_is_refused(folder: Path) -> None:
    (folder / "other.eml").write_bytes(LETTER.replace(b"ivan@", b"judy@"))
    ended = mailseal("encrypt", "other.eml", "--cert", "rsa2048.pem", folder=folder)
    assert (ended.code, ended.out) == (1, "")
    assert "no certificate for judy@campus.example" in ended.err
