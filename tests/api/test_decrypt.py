"""A sealed message opened here: what comes out, what protected it, and one answer for all that fails inside."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.pace import Pace
from api.reports import ReportJson
from formats.certificate import Certificate
from tests.api.door import RFC822, THEIRS, Door, refused
from tests.interop.wrapping import ENTITY, sealed_mail
from tests.mails import SENDER
from tests.openssl import openssl
from tests.sealed import FAILURES, STRANGER, sealed_to, stranger, with_bad_tag, with_old_cipher

TEXT = ENTITY.partition(b"\r\n\r\n")[2]
JSON = {"Accept": "application/json"}
Logged = list[dict[str, Any]]


def certificate_of(door: Door, kind: str = "p256") -> Certificate:
    """The encryption certificate of a new identity."""
    made = door.made("/v1/identities", json={"mailbox": SENDER, "key": "p256", "encryption_key": kind})
    return Certificate.from_pem(made["encryption_certificate"])


def decrypt(door: Door, message: bytes, **more: Any) -> httpx.Response:
    headers = {**RFC822, **more.pop("headers", {})}
    return door.post("/v1/decrypt", content=message, headers=headers, **more)


def opened(door: Door, message: bytes, **more: Any) -> httpx.Response:
    answer = decrypt(door, message, **more)
    assert answer.status_code == 200, answer.text
    return answer


# --- what comes out ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["rsa3072", "p256"])
@pytest.mark.parametrize(("cipher", "integrity"), [("-aes256", "none"), ("-aes-256-gcm", "aead")])
def test_opens_what_openssl_seals(door: Door, tmp_path: Path, kind: str, cipher: str, integrity: str) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text(certificate_of(door, kind).pem)
    made = openssl("cms", "-encrypt", "-binary", "-outform", "DER", cipher, "-recip", file, given=ENTITY)
    answer = opened(door, sealed_mail(made.out, sender=STRANGER))
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["mailseal-integrity"] == integrity
    assert answer.headers["mailseal-record"]
    assert "mailseal-verdict" not in answer.headers
    head, _, body = answer.content.partition(b"\r\n\r\n")
    assert body == TEXT
    assert f"From: {STRANGER}\r\n".encode() in head
    assert b"Content-Type: text/plain; charset=us-ascii" in head
    assert b"pkcs7" not in head


def test_comes_back_signed_from_encrypt(door: Door) -> None:
    made = door.identity()
    sealed = door.post(
        "/v1/encrypt", content=door.mail(), params={"to": SENDER, "sign": "true"}, headers=RFC822
    ).content
    answer = opened(door, sealed)
    assert (answer.headers["mailseal-integrity"], answer.headers["mailseal-verdict"]) == ("signed", "valid")
    report = door.post("/v1/verify", content=answer.content, headers=RFC822).json()
    assert (report["verdict"], report["signers"][0]["serial"]) == ("valid", made["serial"])


def test_three_ways_in_and_json_out(door: Door) -> None:
    sealed = sealed_to(certificate_of(door))
    encoded = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    ways = [
        decrypt(door, sealed, headers=JSON),
        decrypt(door, sealed, params={"identity": SENDER}, headers=JSON),
        door.post("/v1/decrypt", files={"message": sealed}, data={"identity": SENDER}, headers=JSON),
        door.post("/v1/decrypt", json={"message": encoded, "identity": SENDER}),
        door.post("/v1/decrypt", json={"message": encoded}),
    ]
    for answer in ways:
        found = answer.json()
        assert list(found) == ["message", "integrity", "record", "report"], answer.text
        assert base64.b64decode(found["message"]).endswith(TEXT)
        assert (found["integrity"], found["report"]["verdict"]) == ("none", "not_signed")
        assert found["record"] == answer.headers["mailseal-record"]
        ReportJson.model_validate(found["report"])
    assert len({answer.headers["mailseal-record"] for answer in ways}) == len(ways)


def test_signature_around_is_reported_beside(door: Door) -> None:
    sealed = sealed_to(certificate_of(door))
    at = sealed.index(b"Content-Type: application/pkcs7-mime")
    boundary = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n--b\r\n'
    signature = door.signed().split(b"Content-Disposition")[1].partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    part = b"\r\n--b\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    found = opened(
        door, sealed[:at] + boundary + sealed[at:] + part + signature + b"\r\n--b--\r\n", headers=JSON
    ).json()
    assert found["report"]["verdict"] == "not_signed"
    assert (found["outer_report"]["verdict"], found["outer_report"]["reasons"][0]) == ("invalid", "message_altered")


# --- one answer for all that fails inside -----------------------------------------------------------------------------
def shape(answer: httpx.Response) -> tuple[Any, ...]:
    """Everything that a caller can see but request id and date."""
    varying = {"x-request-id", "date"}
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in varying)
    found = answer.json()
    assert found.pop("request_id") == answer.headers["x-request-id"]
    return answer.status_code, headers, found, len(answer.content)


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_wrong_key_padding_tag_and_mime_are_one_answer(door: Door, kind: str, accept: str) -> None:
    certificate = certificate_of(door, kind)
    answers = [decrypt(door, make(certificate), headers={"Accept": accept}) for make in FAILURES]
    refused(answers[0], "decryption_failed", 422)
    first = shape(answers[0])
    for make, answer in zip(FAILURES, answers, strict=True):
        assert shape(answer) == first, make.__name__
    again = decrypt(door, FAILURES[0](certificate), params={"identity": SENDER}, headers={"Accept": accept})
    assert shape(again) == first


def test_each_failure_is_on_the_record_with_its_request(door: Door, logged: Logged) -> None:
    certificate = certificate_of(door)
    for make in FAILURES:
        logged.clear()
        answer = decrypt(door, make(certificate))
        (entry,) = door.get("/v1/audit", params={"request_id": answer.headers["x-request-id"]}).json()["items"]
        assert entry["action"] == "message.decryption_failed"
        (line,) = [one for one in logged if one["event"] == "request" and one["route"] == "/v1/decrypt"]
        assert line["problem"] == "decryption_failed"
        assert not [one for one in logged if one["log_level"] in {"error", "critical", "warning"}]


def test_after_many_failures_of_one_key_nothing_is_opened(door: Door) -> None:
    """A good message too is refused then: an answer that only bad ones get would be the oracle once more."""
    certificate = certificate_of(door)
    sealed, good = with_bad_tag(certificate), sealed_to(certificate)
    app: FastAPI = door.client.app._app  # type: ignore[attr-defined]  # the application inside the envelope
    app.state.gate.failed_decryptions = Pace(per_minute=60, burst=2, clock=lambda: 0)
    assert [decrypt(door, one).status_code for one in (sealed, good, sealed)] == [422, 200, 422]
    before = door.rows()
    refused(decrypt(door, sealed), "too_many_requests", 429)
    refused(decrypt(door, good), "too_many_requests", 429)
    assert door.rows() == before
    refused(decrypt(door.as_("messages:decrypt"), sealed), "decryption_failed", 422)


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "code", "status"),
    [
        (with_old_cipher, "content_cipher_refused", 422),
        (lambda certificate: sealed_to(certificate).replace(b"MIIB", b"!!!!"), "message_malformed", 400),
        (lambda _: sealed_mail(b"\x30\x03\x02\x01", sender=STRANGER), "cms_malformed", 400),
        (lambda _: sealed_mail(b"\x30\x80" * 2000, sender=STRANGER), "ber_too_large", 413),
        (lambda _: f"From: {STRANGER}\r\n\r\nx\r\n".encode(), "not_encrypted", 422),
        (lambda _: b"no mail", "message_malformed", 400),
    ],
    ids=["old cipher", "not base64", "not CMS", "too deep", "not sealed", "no mail"],
)
def test_refuses_what_cannot_be_read(door: Door, make: Callable[[Certificate], bytes], code: str, status: int) -> None:
    certificate = certificate_of(door)
    before = door.rows()
    refused(decrypt(door, make(certificate)), code, status)
    assert door.rows() == before


def test_foreign_messages_and_messages_for_nobody_look_alike(door: Door) -> None:
    certificate = certificate_of(door)
    nobody = stranger(SENDER, at=door.campus.clock()).certificate
    other = door.as_("messages:decrypt", mailboxes=(THEIRS,))
    before = door.rows()
    answers = [
        decrypt(other, sealed_to(certificate)),
        decrypt(door, sealed_to(nobody)),
        decrypt(door, sealed_to(certificate), params={"identity": "press@campus.example"}),
    ]
    refused(answers[0], "no_key_for_message", 422)
    assert len({str(shape(answer)) for answer in answers}) == 1
    assert door.rows() == before
    refused(decrypt(other, sealed_to(certificate), params={"identity": SENDER}), "mailbox_not_allowed", 403)


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [({"identity": "nobody"}, "mailbox_malformed", 400), ({"to": SENDER}, "unknown_parameter", 400)],
)
def test_refuses_wrong_wishes(door: Door, query: dict[str, str], code: str, status: int) -> None:
    refused(decrypt(door, sealed_to(certificate_of(door)), params=query), code, status)


def test_old_mail_opens_after_a_revocation(door: Door) -> None:
    sealed = sealed_to(certificate_of(door))
    door.made(f"/v1/identities/{SENDER}/revocation", json={"reason": "superseded"})
    door.put(f"/v1/identities/{SENDER}/pause")
    assert opened(door, sealed).content.endswith(TEXT)
