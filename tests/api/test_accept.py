"""Accept at the calls that answer in several forms: weights, wildcards, several at once, and 406 before anything is done."""

from __future__ import annotations

import base64
from typing import Any, Final

import httpx
import pytest

from formats.certificate import Certificate
from tests.api.door import PKCS10, RFC822, Door, refused
from tests.campus import csr
from tests.mails import SENDER
from tests.openssl import openssl

JSON: Final = "application/json"
DER: Final = "application/pkix-cert"
PEM: Final = "application/x-pem-file"
CHAIN: Final = "application/pem-certificate-chain"
P7C: Final = "application/pkcs7-mime"
MESSAGE: Final = "message/rfc822"
TEXT: Final = "text/plain"

# What a client may write, and what it gets of the forms of a certificate.
WISHES: Final = [
    ("*/*", JSON),
    ("", JSON),
    (JSON, JSON),
    (DER, DER),
    (PEM, PEM),
    (CHAIN, CHAIN),
    (P7C, P7C),
    ("application/pkcs7-mime; smime-type=certs-only", P7C),
    ("APPLICATION/PKIX-CERT", DER),
    ("application/*", JSON),
    (f"{JSON};q=0.1, application/*", DER),
    (f"{JSON};q=0, application/*", DER),
    (f"{DER};q=0.4, {CHAIN};q=0.5", CHAIN),
    (f"{CHAIN};q=0.5, {DER};q=0.5", DER),
    (f"text/html, {PEM};q=0.9, */*;q=0.1", PEM),
    (f"text/html, {CHAIN} ;q=0.001", CHAIN),
    ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
]
NONE: Final = ["text/html", "application/pkcs12", "*/*;q=0", f"{JSON};q=0", f"text/*, {DER};q=0.000"]


def accept(wish: str) -> dict[str, str]:
    return {"Accept": wish}


def read(answer: httpx.Response) -> list[Certificate]:
    """The certificates in an answer of any form, the leaf first where the form has an order."""
    match answer.headers["content-type"].partition(";")[0]:
        case "application/json":
            body = answer.json()
            return [Certificate.from_pem(text) for text in (body["certificate"], *body["chain"])]
        case "application/pkix-cert":
            return [Certificate.from_der(answer.content)]
        case "application/pkcs7-mime":
            assert answer.headers["content-type"] == "application/pkcs7-mime; smime-type=certs-only; name=smime.p7c"
            return pems(openssl("pkcs7", "-inform", "DER", "-print_certs", given=answer.content).out.decode())
        case _:
            return pems(answer.text)


def pems(text: str) -> list[Certificate]:
    end = "-----END CERTIFICATE-----\n"
    return [Certificate.from_pem(piece[piece.index("-----BEGIN") :] + end) for piece in text.split(end)[:-1]]


def count_of(media: str) -> int:
    return 1 if media in {DER, PEM} else 3


@pytest.fixture
def issued(door: Door) -> dict[str, Any]:
    return door.made("/v1/certificates", content=csr(), headers=PKCS10)


def test_show_certificate_in_the_form_that_is_liked_best(door: Door, issued: dict[str, Any]) -> None:
    for wish, media in WISHES:
        answer = door.get(f"/v1/certificates/{issued['serial']}", headers=accept(wish))
        assert answer.status_code == 200, (wish, answer.text)
        assert answer.headers["content-type"].partition(";")[0] == media, wish
        found = read(answer)
        assert len(found) == count_of(media), wish
        assert str(found[0].serial) == issued["serial"] or media == P7C
        assert issued["serial"] in {str(one.serial) for one in found}


def test_show_certificate_in_no_other_form(door: Door, issued: dict[str, Any]) -> None:
    for wish in NONE:
        answer = door.get(f"/v1/certificates/{issued['serial']}", headers=accept(wish))
        found = refused(answer, "not_acceptable", 406)
        assert all(media in found["detail"] for media in (JSON, DER, PEM, CHAIN, P7C))


def test_issue_certificate_in_the_form_that_is_liked_best(door: Door) -> None:
    for wish, media in WISHES[::2]:
        answer = door.post("/v1/certificates", content=csr(), headers={**PKCS10, **accept(wish)})
        assert answer.status_code == 201, (wish, answer.text)
        assert answer.headers["content-type"].partition(";")[0] == media, wish
        found = read(answer)
        assert len(found) == count_of(media)
        assert answer.headers["location"] in {f"/v1/certificates/{one.serial}" for one in found}


def test_issue_nothing_that_cannot_be_answered(door: Door) -> None:
    before = door.rows()
    for wish in NONE:
        refused(door.post("/v1/certificates", content=csr(), headers={**PKCS10, **accept(wish)}), "not_acceptable", 406)
    assert door.rows() == before


# --- messages ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wish", "raw", "as_json"),
    [
        ("*/*", MESSAGE, JSON),
        ("message/*", MESSAGE, MESSAGE),
        (MESSAGE, MESSAGE, MESSAGE),
        (JSON, JSON, JSON),
        (f"{MESSAGE};q=0.5, {JSON}", JSON, JSON),
        (f"{MESSAGE};q=0.5, {JSON};q=0.4", MESSAGE, MESSAGE),
        (f"text/html, {JSON};q=0.1", JSON, JSON),
        (f"{MESSAGE};q=0, */*", JSON, JSON),
        (f"{JSON};q=0, */*", MESSAGE, MESSAGE),
    ],
)
def test_signed_message_in_the_form_that_is_liked_best(door: Door, wish: str, raw: str, as_json: str) -> None:
    door.identity()
    message = door.mail()
    for media, answer in (
        (raw, door.post("/v1/sign", content=message, headers={**RFC822, **accept(wish)})),
        (as_json, door.post("/v1/sign", json={"message": encoded(message)}, headers=accept(wish))),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == media
        signed = base64.b64decode(answer.json()["message"]) if media == JSON else answer.content
        assert b"multipart/signed" in signed
        assert answer.headers["mailseal-serial"]


@pytest.mark.parametrize(
    ("wish", "media"),
    [
        ("*/*", JSON),
        (JSON, JSON),
        (TEXT, TEXT),
        ("text/*", TEXT),
        (f"{TEXT}, {JSON}", JSON),
        (f"{TEXT}, {JSON};q=0.9", TEXT),
        (f"{TEXT};q=0.2, {MESSAGE};q=0.3", MESSAGE),
        (MESSAGE, MESSAGE),
    ],
)
def test_report_in_the_form_that_is_liked_best(door: Door, wish: str, media: str) -> None:
    door.identity()
    signed = door.signed()
    for answer in (
        door.post("/v1/verify", content=signed, headers={**RFC822, **accept(wish)}),
        door.post("/v1/verify", json={"message": encoded(signed)}, headers=accept(wish)),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == media
        assert answer.headers["mailseal-verdict"] == "valid"


def test_no_message_is_signed_or_verified_that_cannot_be_answered(door: Door) -> None:
    door.identity()
    before = door.rows()
    for path, wishes in (("/v1/sign", (TEXT, "*/*;q=0", "image/*")), ("/v1/verify", ("text/html", "*/*;q=0"))):
        for wish in wishes:
            answer = door.post(path, content=door.mail(), headers={**RFC822, **accept(wish)})
            found = refused(answer, "not_acceptable", 406)
            assert MESSAGE in found["detail"]
    assert door.rows() == before


@pytest.mark.parametrize(
    ("wish", "one", "several"),
    [
        ("*/*", MESSAGE, JSON),
        ("", MESSAGE, JSON),
        ("application/*", JSON, JSON),
        (JSON, JSON, JSON),
        (f"{MESSAGE}, application/*;q=0.1", MESSAGE, JSON),
        (f"{MESSAGE}, */*;q=0.1", MESSAGE, JSON),
        (f"{MESSAGE}, {JSON};q=0.5", MESSAGE, JSON),
        (f"{MESSAGE};q=0, */*", JSON, JSON),
        (MESSAGE, MESSAGE, None),
        ("message/*", MESSAGE, None),
        (f"{JSON};q=0, */*", MESSAGE, None),
        (f"{MESSAGE}, application/*;q=0", MESSAGE, None),
    ],
)
def test_several_sealed_messages_are_json_for_all_who_do_not_refuse_it(
    door: Door, wish: str, one: str, several: str | None
) -> None:
    for mailbox in (SENDER, "blind@campus.example"):
        door.made("/v1/certificates", content=csr(mailbox), params={"use": "dual"}, headers=PKCS10)
    for more, media in (("", one), ("\nBcc: blind@campus.example", several)):
        content = door.mail().replace(b"all@campus.example", f"{SENDER}{more}".encode())
        answer = door.post("/v1/encrypt", content=content, headers={**RFC822, **accept(wish)})
        if media is None:
            refused(answer, "several_messages", 422)
        else:
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].partition(";")[0] == media


def encoded(message: bytes) -> str:
    return base64.b64encode(message).decode()
