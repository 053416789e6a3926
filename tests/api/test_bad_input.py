"""Bad input: each a 4xx problem with its own code and a log line with the request id; nothing stored, never a 500."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from api import paging
from formats import der, oids
from tests.api.door import OURS, PKCS10, RFC822, Door, refused
from tests.campus import csr
from tests.mails import SENDER

Logged = list[dict[str, Any]]


def refuses(door: Door, logged: Logged, code: str, status: int, url: str, **call: Any) -> dict[str, Any]:
    """Whether the call is refused so, with one line in the log and nothing stored."""
    before = door.rows()
    logged.clear()
    answer = door.post(url, **call)
    found = refused(answer, code, status)
    (line,) = [entry for entry in logged if entry["event"] == "request"]
    assert (line["request_id"], line["problem"], line["status"]) == (found["request_id"], code, status)
    assert not [entry for entry in logged if entry["log_level"] in {"error", "critical"}]
    assert door.rows() == before
    assert "Traceback" not in answer.text
    return found


# --- certificates -----------------------------------------------------------------------------------------------------
@cache
def rsa_1024() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # the point of the test


@cache
def rsa_with_exponent_3() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(3, 2048)


def forged_csr() -> bytes:
    """A request that another key has signed."""
    request = x509.load_pem_x509_csr(csr())
    octets = bytearray(request.public_bytes(Encoding.DER))
    octets[-1] ^= 1
    return bytes(octets)


def csr_with_exponent_1() -> bytes:
    """A request with exponent 1, whose signature anybody can make: the padded digest itself (PKCS#1 v1.5)."""
    modulus = rsa_1024().public_key().public_numbers().n * rsa_with_exponent_3().public_key().public_numbers().n
    size = (modulus.bit_length() + 7) // 8
    key = der.sequence(
        der.sequence(der.oid(oids.RSA_ENCRYPTION), der.null()),
        der.bits(der.sequence(der.integer(modulus), der.integer(1))),
    )
    info = der.sequence(der.integer(0), der.sequence(), key, der.implicit(0, b"", constructed=True))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(info)
    digest_info = der.sequence(der.sequence(der.oid(oids.SHA256), der.null()), der.octets(digest.finalize()))
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(digest_info)) + b"\x00" + digest_info
    algorithm = der.sequence(der.oid(oids.SHA256_WITH_RSA), der.null())
    return der.sequence(info, algorithm, der.bits(padded))


@pytest.mark.parametrize(
    ("make", "code", "status"),
    [
        (lambda: b"", "csr_malformed", 400),
        (lambda: b"neither DER nor PEM", "csr_malformed", 400),
        (lambda: b"\x30\x82\xff\xff\x02\x01\x00", "csr_malformed", 400),
        (lambda: csr(encoding=Encoding.DER)[:-5], "csr_malformed", 400),
        (lambda: csr(encoding=Encoding.DER) + b"\x00", "csr_malformed", 400),
        (lambda: b"\x30\x80" * 10_000, "csr_malformed", 400),
        (
            lambda: b"-----BEGIN CERTIFICATE REQUEST-----\n!!!\n-----END CERTIFICATE REQUEST-----\n",
            "csr_malformed",
            400,
        ),
        (lambda: csr(encoding=Encoding.DER) + bytes(40_000), "csr_too_large", 413),
        (lambda: bytes(70_000), "body_too_large", 413),
        (forged_csr, "csr_signature_wrong", 422),
        (lambda: csr(key=rsa_1024()), "key_refused", 422),
        (lambda: csr(key=rsa_with_exponent_3()), "key_refused", 422),
        (csr_with_exponent_1, "key_refused", 422),
        (lambda: csr(key=ec.generate_private_key(ec.SECP521R1()), mailbox="a@campus.example"), "key_refused", 422),
        (lambda: csr("alice@elsewhere.example"), "mail_domain_not_allowed", 422),
        (lambda: csr("alice@sub.campus.example"), "mail_domain_not_allowed", 422),
        (lambda: csr(None), "mailboxes_refused", 422),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_requests(door: Door, logged: Logged, make: Any, code: str, status: int) -> None:
    params = {"mailbox": "alice@campus.example"} if make is csr_with_exponent_1 else {}
    refuses(door, logged, code, status, "/v1/certificates", content=make(), headers=PKCS10, params=params)


def test_address_outside_the_mail_domains(door: Door, logged: Logged) -> None:
    holder = door.as_("certificates:issue", mailboxes=("*@elsewhere.example",))
    refuses(
        holder,
        logged,
        "mail_domain_not_allowed",
        422,
        "/v1/certificates",
        content=csr("alice@elsewhere.example"),
        headers=PKCS10,
    )


def test_address_outside_the_callers_mailboxes(door: Door, logged: Logged) -> None:
    holder = door.as_("certificates:issue", mailboxes=(OURS,))
    call = {"content": csr("alice@cuhk.example"), "headers": PKCS10}
    refuses(holder, logged, "mailbox_not_allowed", 403, "/v1/certificates", **call)


def test_key_that_another_person_has(door: Door, logged: Logged) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    door.made("/v1/certificates", content=csr("alice@campus.example", key=key), headers=PKCS10)
    call = {"content": csr("bob@campus.example", key=key), "headers": PKCS10}
    refuses(door, logged, "key_of_another_person", 409, "/v1/certificates", **call)


def test_key_that_was_compromised(door: Door, logged: Logged) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = door.made("/v1/certificates", content=csr(key=key), headers=PKCS10)
    door.made(f"/v1/certificates/{made['serial']}/revocation", json={"reason": "keyCompromise"})
    refuses(door, logged, "key_compromised", 422, "/v1/certificates", content=csr(key=key), headers=PKCS10)


def test_other_spelling_of_a_certified_mailbox(door: Door, logged: Logged) -> None:
    door.made("/v1/certificates", content=csr("alice@campus.example"), headers=PKCS10)
    call = {"content": csr("Alice@campus.example"), "headers": PKCS10}
    refuses(door, logged, "mailbox_spelled_otherwise", 409, "/v1/certificates", **call)


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ("profile=server", "profile_unknown", 422),
        ("use=both", "choice_unknown", 422),
        ("mailbox=nobody", "mailbox_malformed", 400),
        ("mailbox=alice@campus.example%0d%0aBcc:x", "mailbox_malformed", 400),
        ("mailbox=bob@campus.example", "mailboxes_refused", 422),
        ("mailbox=alice@campus.example&mailbox=ALICE@campus.example", "mailboxes_refused", 422),
        ("&".join(f"mailbox=a{number}@campus.example" for number in range(11)), "mailboxes_refused", 422),
        ("profile=%00", "request_malformed", 400),
    ],
)
def test_bad_wishes(door: Door, logged: Logged, query: str, code: str, status: int) -> None:
    refuses(door, logged, code, status, f"/v1/certificates?{query}", content=csr(), headers=PKCS10)


@pytest.mark.parametrize(
    ("content", "code", "status"),
    [
        (b"{", "json_malformed", 400),
        (b"[]", "json_malformed", 400),
        (b'{"csr": NaN}', "json_malformed", 400),
        (b'{"csr": "\\u0000"}', "json_malformed", 400),
        (b'{"csr": "\\ud800"}', "json_malformed", 400),
        (b'{"csr": "x", "csr": "y"}', "parameter_twice", 400),
        (b"[" * 50_000, "json_malformed", 400),
        (b'{"csr": 1}', "request_invalid", 422),
        (b'{"csr": "x", "days": "10"}', "request_invalid", 422),
        (b'{"csr": "x", "subject": {"country": "HK"}}', "request_invalid", 422),
        (b'{"csr": "x"}', "csr_malformed", 400),
    ],
)
def test_bad_json(door: Door, logged: Logged, content: bytes, code: str, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    refuses(door, logged, code, status, "/v1/certificates", content=content, headers=headers)


# --- messages ---------------------------------------------------------------------------------------------------------
def from_field(text: str) -> bytes:
    return f"From: {text}\r\nDate: Mon, 2 Mar 2026 08:30:00 +0000\r\n\r\nx\r\n".encode()


def parts(count: int) -> bytes:
    body = b"".join(b"--b\r\n\r\nx\r\n" for _ in range(count))
    return f"From: {SENDER}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".encode() + body + b"--b--\r\n"


def nested(depth: int) -> bytes:
    head = f"From: {SENDER}\r\n".encode()
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%dx\r\n\r\n--b%dx\r\n" % (level, level) for level in range(depth)
    )
    closing = b"".join(b"--b%dx--\r\n" % level for level in reversed(range(depth)))
    return head + opening + b"\r\nx\r\n" + closing


def with_signature(octets: bytes) -> bytes:
    """An opaque signature of these octets."""
    head = (
        f"From: {SENDER}\r\nMIME-Version: 1.0\r\n"
        'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + base64.encodebytes(octets).replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("message", "code", "status"),
    [
        (b"Subject: x\r\n\r\nx\r\n", "from_absent", 422),
        (from_field("a@campus.example, b@campus.example"), "from_ambiguous", 422),
        (from_field(f"{SENDER}\r\nFrom: {SENDER}"), "from_ambiguous", 422),
        (from_field("not an address"), "from_unparseable", 422),
        (from_field("x" * 500_000 + f" <{SENDER}>"), "header_too_large", 413),
        (b"no header at all", "message_malformed", 400),
        (parts(1_500), "too_many_parts", 413),
        (nested(1_500), "nested_too_deep", 413),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_messages_to_sign(door: Door, logged: Logged, message: bytes, code: str, status: int) -> None:
    door.identity()
    refuses(door, logged, code, status, "/v1/sign", content=message, headers=RFC822)


@pytest.mark.parametrize(
    "message",
    [
        f"From: {SENDER}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nx".encode(),
        f"From: {SENDER}\r\nContent-Type: multipart/mixed\r\n\r\nno boundary\r\n".encode(),
        f"From: {SENDER}\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx\r\n".encode(),
        f"From: {SENDER}\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n".encode(),
    ],
)
def test_broken_mime_is_refused_and_not_signed(door: Door, logged: Logged, message: bytes) -> None:
    door.identity()
    before = door.rows()
    answer = door.post("/v1/sign", content=message, headers=RFC822)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] not in {"internal_error", "request_invalid"}
    assert door.rows() == before


@pytest.mark.parametrize(
    ("octets", "code", "status"),
    [
        (b"\x30\x80" * 10_000 + b"\x00\x00" * 10_000, "ber_too_large", 413),
        (b"\x24\x80" * 10_000 + b"\x00\x00" * 10_000, "ber_too_large", 413),
        (b"\x30\x84\x7f\xff\xff\xff\x06\x01\x00", "cms_malformed", 400),
        (b"\x30\x03\x06\x7f\x2a", "cms_malformed", 400),
        (b"\x30\x80\x06\x01", "cms_malformed", 400),
        (b"\x30\x00" * 250_000, "cms_malformed", 400),
        (b"\x30\x84\x00\x0f\x42\x40" + b"\x30\x00" * 500_000, "ber_too_large", 413),
        (b"", "cms_malformed", 400),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_signatures_to_verify(door: Door, logged: Logged, octets: bytes, code: str, status: int) -> None:
    refuses(door, logged, code, status, "/v1/verify", content=with_signature(octets), headers=RFC822)


@pytest.mark.parametrize("url", ["/v1/sign", "/v1/verify"])
def test_message_of_40_mb(door: Door, logged: Logged, url: str) -> None:
    message = from_field(SENDER) + b"x" * 40_000_000
    refuses(door, logged, "body_too_large", 413, url, content=message, headers=RFC822)


@pytest.mark.parametrize("url", ["/v1/sign", "/v1/verify"])
@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "message/rfc822x", ""])
def test_wrong_content_type(door: Door, logged: Logged, url: str, media: str) -> None:
    found = refuses(
        door, logged, "unsupported_media_type", 415, url, content=from_field(SENDER), headers={"Content-Type": media}
    )
    assert "curl --data-binary" in found["detail"]


@pytest.mark.parametrize("url", ["/v1/sign", "/v1/verify"])
def test_no_message_at_all(door: Door, logged: Logged, url: str) -> None:
    refuses(door, logged, "message_missing", 400, url, content=b"", headers=RFC822)
    refuses(door, logged, "message_missing", 400, url, json={})
    refuses(door, logged, "base64_malformed", 400, url, json={"message": "!!!"})
    truncated = b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nFrom: a'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    refuses(door, logged, "multipart_malformed", 400, url, content=truncated, headers=headers)


def test_bad_cursor(door: Door) -> None:
    for path in ("/v1/certificates", "/v1/identities", "/v1/api-keys", "/v1/audit"):
        for cursor in ("x", "AAAA", base64.urlsafe_b64encode(b'{"v":2,"before":"x"}').decode(), "%ff", ""):
            refused(door.get(f"{path}?cursor={cursor}"), "cursor_malformed", 400)
        forged = paging.write_cursor("' OR 1=1 --", of=paging.name_of(path, []))
        assert door.get(f"{path}?cursor={forged}").status_code == 200


def test_nothing_of_a_message_is_in_the_log_or_the_answer(door: Door, logged: Logged) -> None:
    door.identity()
    secret = from_field("Kassandra <not an address").replace(b"\r\n\r\nx", b"\r\nSubject: Kassandra\r\n\r\nKassandra")
    logged.clear()
    answer = door.post("/v1/sign", content=secret, headers=RFC822)
    assert answer.status_code == 422
    assert "Kassandra" not in str(logged)
    assert "Kassandra" not in answer.text
