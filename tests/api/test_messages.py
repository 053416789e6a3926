from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from api.reports import ReportJson
from tests.api.door import RFC822, THEIRS, Door, refused
from tests.mails import BODIES, SENDER, mail

JSON = {"Accept": "application/json"}


def verified(door: Door, message: bytes, **more: Any) -> dict[str, Any]:
    headers = {**RFC822, **more.pop("headers", {})}
    answer = door.post("/v1/verify", content=message, headers=headers, **more)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    assert answer.headers["mailseal-verdict"] == report["verdict"]
    return report


# --- sign -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["detached", "opaque"])
def test_signs_what_it_then_verifies(door: Door, form: str) -> None:
    made = door.identity()
    answer = door.post("/v1/sign", content=door.mail(), params={"as": form}, headers=RFC822)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "message/rfc822")
    assert answer.headers["mailseal-identity"] == SENDER
    assert answer.headers["mailseal-serial"] == made["serial"]
    assert answer.headers["mailseal-record"]
    assert b"\n" not in answer.content.replace(b"\r\n", b"")
    report = verified(door, answer.content)
    assert (report["verdict"], report["reasons"]) == ("valid", [])
    assert report["signers"][0]["serial"] == made["serial"]


def test_three_ways_in_give_the_same(door: Door) -> None:
    door.identity()
    message, query = door.mail(), {"as": "opaque"}
    ways = [
        door.post("/v1/sign", content=message, params=query, headers=RFC822),
        door.post("/v1/sign", files={"message": message}, data=query, headers={"Accept": "message/rfc822"}),
        door.post(
            "/v1/sign", json={"message": base64.b64encode(message).decode(), **query}, headers={"Accept": "message/*"}
        ),
        door.post("/v1/sign", files={"message": message}, params=query),
    ]
    for answer in ways:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "message/rfc822"), answer.text
        assert b"application/pkcs7-mime" in answer.content
        assert verified(door, answer.content)["verdict"] == "valid"


def test_json_in_gives_json_out(door: Door) -> None:
    made = door.identity()
    order = {"message": base64.urlsafe_b64encode(door.mail(BODIES["utf8"])).rstrip(b"=").decode()}
    answer = door.post("/v1/sign", json=order)
    assert list(answer.json()) == ["message", "identity", "serial", "record", "changes"]
    found = answer.json()
    assert (found["identity"], found["serial"]) == (SENDER, made["serial"])
    assert found["record"] == answer.headers["mailseal-record"]
    assert ",".join(found["changes"]) == answer.headers["mailseal-changes"]
    assert found["changes"]
    assert verified(door, base64.b64decode(found["message"]))["verdict"] == "valid"


def test_json_out_for_a_message_in(door: Door) -> None:
    door.identity()
    answer = door.post("/v1/sign", content=door.mail(), headers={**RFC822, **JSON})
    assert answer.json()["identity"] == SENDER


def test_large_message_is_signed_in_a_thread_to_the_same_end(door: Door) -> None:
    door.identity()
    body = b"\n" + b"A line of a large message.\n" * 15_000
    answer = door.post("/v1/sign", content=door.mail(body), headers={**RFC822, **JSON})
    signed = base64.b64decode(answer.json()["message"])
    assert verified(door, signed)["verdict"] == "valid"


def test_adds_a_missing_date_and_message_id(door: Door) -> None:
    door.identity()
    bare = f"From: {SENDER}\r\nTo: all@campus.example\r\nSubject: x\r\n\r\nx\r\n".encode()
    answer = door.post("/v1/sign", content=bare, headers=RFC822)
    head = answer.content.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\ndate: " in head
    assert b"\r\nmessage-id: <" in head
    assert answer.headers["mailseal-changes"]


def test_no_answer_without_a_record(door: Door) -> None:
    door.identity()
    before = door.rows()["audit"]
    signed = door.signed()
    assert door.rows()["audit"] == before + 1
    assert verified(door, signed)["signers"][0]["time"]["basis"] == "service_record"


def test_foreign_from_and_foreign_identity_are_refused(door: Door) -> None:
    door.identity()
    other = door.as_("messages:sign", mailboxes=(THEIRS,))
    refused(other.post("/v1/sign", content=door.mail(), headers=RFC822), "mailbox_not_allowed", 403)
    answer = door.post("/v1/sign", content=door.mail(), params={"identity": "press@campus.example"}, headers=RFC822)
    refused(answer, "from_not_identity", 422)


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ({"as": "sealed"}, "choice_unknown", 422),
        ({"date": "tomorrow"}, "choice_unknown", 422),
        ({"identity": "nobody"}, "mailbox_malformed", 400),
        ({"colour": "red"}, "unknown_parameter", 400),
    ],
)
def test_refuses_wrong_wishes(door: Door, query: dict[str, str], code: str, status: int) -> None:
    door.identity()
    before = door.rows()
    refused(door.post("/v1/sign", content=door.mail(), params=query, headers=RFC822), code, status)
    assert door.rows() == before


def test_unacceptable_answer_is_refused_before_anything_is_signed(door: Door) -> None:
    door.identity()
    before = door.rows()
    answer = door.post("/v1/sign", content=door.mail(), headers={**RFC822, "Accept": "image/png"})
    refused(answer, "not_acceptable", 406)
    assert door.rows() == before


def test_date_off_by_more_than_an_hour_is_refused_or_set(door: Door) -> None:
    door.identity()
    old = mail(at=door.campus.clock() - timedelta(hours=2))
    refused(door.post("/v1/sign", content=old, headers=RFC822), "date_refused", 422)
    answer = door.post("/v1/sign", content=old, params={"date": "now"}, headers=RFC822)
    assert answer.status_code == 200
    assert verified(door, answer.content)["verdict"] == "valid"


def test_signed_root_is_refused(door: Door) -> None:
    door.identity()
    refused(door.post("/v1/sign", content=door.signed(), headers=RFC822), "already_signed", 422)


# --- verify -----------------------------------------------------------------------------------------------------------
def test_report_has_the_fixed_fields(door: Door) -> None:
    made = door.identity()
    report = verified(door, door.signed())
    assert list(report) == list(ReportJson.model_fields)
    read = ReportJson.model_validate(report)
    assert read.model_dump(mode="json", by_alias=True) == report
    assert report["message"] == {
        "from": [SENDER],
        "coverage": "full",
        "signed_part": "",
        "nested": [],
        "findings": [],
    }
    (signer,) = report["signers"]
    assert (signer["verdict"], signer["integrity"], signer["signature"]) == ("valid", "ok", "ok")
    assert (signer["address_binding"], signer["mailboxes"]) == ("match", [SENDER])
    assert (signer["certificate"], signer["serial"]) == (made["certificate"], made["serial"])
    assert signer["revocation"]["status"] == "good"
    assert report["summary"][0].startswith("valid: ")


def test_altered_message_is_invalid_and_a_report_all_the_same(door: Door) -> None:
    door.identity()
    altered = door.signed().replace(b"Friday", b"Monday")
    report = verified(door, altered)
    assert (report["verdict"], report["reasons"]) == ("invalid", ["message_altered"])


def test_forged_sender_is_invalid(door: Door) -> None:
    door.identity()
    forged = door.signed().replace(b"From: notices@", b"From: dean@")
    assert verified(door, forged)["reasons"] == ["address_mismatch"]


def test_revoked_key_makes_it_invalid(door: Door) -> None:
    made = door.identity()
    signed = door.signed()
    door.made(f"/v1/certificates/{made['serial']}/revocation", json={"reason": "keyCompromise"})
    assert verified(door, signed)["reasons"] == ["signer_revoked"]


def test_unsigned_message_is_not_signed(door: Door) -> None:
    report = verified(door, door.mail())
    assert (report["verdict"], report["signers"]) == ("not_signed", [])


def test_three_ways_in_give_one_report(door: Door) -> None:
    door.identity()
    signed = door.signed()
    text = {"message": base64.b64encode(signed).decode()}
    reports = [
        verified(door, signed),
        door.post("/v1/verify", files={"message": signed}).json(),
        door.post("/v1/verify", json=text).json(),
    ]
    assert reports[0] == reports[1] == reports[2]


def test_as_text_for_people(door: Door) -> None:
    door.identity()
    answer = door.post("/v1/verify", content=door.signed(), headers={**RFC822, "Accept": "text/plain"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["mailseal-verdict"] == "valid"
    assert answer.text.startswith("valid: ")
    altered = door.signed().replace(b"Friday", b"Monday")
    told = door.post("/v1/verify", content=altered, headers={**RFC822, "Accept": "text/plain"})
    assert told.status_code == 200
    assert told.text.startswith("invalid: ")
    assert "(message_altered)" in told.text


def test_signed_bytes_only_if_valid(door: Door) -> None:
    door.identity()
    headers = {**RFC822, "Accept": "message/rfc822"}
    answer = door.post("/v1/verify", content=door.signed(), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "message/rfc822")
    assert b"Closed" in answer.content or b"closed on Friday" in answer.content
    assert b"pkcs7" not in answer.content
    assert f"From: {SENDER}".encode() in answer.content
    altered = door.signed().replace(b"Friday", b"Monday")
    refusal = door.post("/v1/verify", content=altered, headers=headers)
    found = refused(refusal, "not_valid", 422)
    assert (refusal.headers["mailseal-verdict"], found["report"]["verdict"]) == ("invalid", "invalid")
    assert found["report"]["reasons"] == ["message_altered"]
    unsigned = refused(door.post("/v1/verify", content=door.mail(), headers=headers), "not_valid", 422)
    assert unsigned["report"]["verdict"] == "not_signed"


def test_unreadable_message_is_a_problem(door: Door) -> None:
    for content in (b"no header at all", b"\x00" * 100, b"From"):
        answer = door.post("/v1/verify", content=content, headers=RFC822)
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["code"] == "message_malformed"


def test_verify_is_not_bound_to_mailboxes_and_writes_nothing(door: Door) -> None:
    door.identity()
    signed = door.signed()
    verifier = door.as_("messages:verify", mailboxes=())
    verified(verifier, signed)
    before = door.rows()
    verified(verifier, signed)
    assert door.rows() == before


# --- verify with own trust --------------------------------------------------------------------------------------------
CUSTOM = ("messages:verify", "messages:verify-custom")


@pytest.mark.parametrize(
    "call",
    [
        {"params": {"at": "2026-01-01T00:00:00Z"}},
        {"params": {"options": "{}"}},
        {"data": {"options": '{"revocation": "off"}'}},
        {"files": {"anchor": b"x"}},
        {"files": {"intermediate": b"x"}},
        {"files": {"crl": b"x"}},
    ],
    ids=str,
)
def test_own_trust_needs_its_scope(door: Door, call: dict[str, Any]) -> None:
    files = {"message": door.mail(), **call.get("files", {})}
    plain = door.as_("messages:verify")
    answer = plain.post("/v1/verify", files=files, data=call.get("data", {}), params=call.get("params", {}))
    refused(answer, "scope_missing", 403)
    alone = door.as_("messages:verify-custom")
    answer = alone.post("/v1/verify", files=files, data=call.get("data", {}), params=call.get("params", {}))
    refused(answer, "scope_missing", 403)


def test_given_anchors_replace_our_own(door: Door) -> None:
    door.identity()
    signed, root = door.signed(), door.campus.context.issuers.root
    foreign = stranger_root()
    for files, verdict, reasons in (
        ([("message", signed), ("anchor", root.der)], "valid", []),
        ([("message", signed), ("anchor", root.pem.encode())], "valid", []),
        ([("message", signed), ("anchor", foreign), ("anchor", root.pem.encode() + foreign)], "valid", []),
        ([("message", signed), ("anchor", foreign)], "indeterminate", ["no_trusted_path"]),
    ):
        answer = door.as_(*CUSTOM).post("/v1/verify", files=files)
        assert (answer.json()["verdict"], answer.json()["reasons"]) == (verdict, reasons)


def test_judges_at_the_given_moment(door: Door) -> None:
    door.identity()
    signed = door.signed()
    late = door.campus.clock() + timedelta(days=4000)
    report = verified(door, signed, params={"at": f"{late:%Y-%m-%dT%H:%M:%SZ}"})
    assert report["policy"]["at"] == f"{late:%Y-%m-%dT%H:%M:%SZ}"
    assert report["verdict"] != "invalid"


def test_options_by_query_form_and_json(door: Door) -> None:
    door.identity()
    forged = door.signed().replace(b"From: notices@", b"From: dean@")
    options = '{"address_binding": "off", "revocation": "soft"}'
    reports = [
        verified(door, forged, params={"options": options}),
        door.post("/v1/verify", files={"message": forged}, data={"options": options}).json(),
        door.post(
            "/v1/verify",
            json={
                "message": base64.b64encode(forged).decode(),
                "options": {"address_binding": "off", "revocation": "soft"},
            },
        ).json(),
    ]
    assert reports[0] == reports[1] == reports[2]
    assert reports[0]["verdict"] == "valid"
    assert reports[0]["signers"][0]["address_binding"] == "not_checked"
    assert reports[0]["policy"]["address_binding"] == "off"


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ({"options": '{"revocation": "maybe"}'}, "options_refused", 422),
        ({"options": '{"colour": "red"}'}, "options_refused", 422),
        ({"options": '{"policies": "1.2.3"}'}, "options_refused", 422),
        ({"options": "[]"}, "json_malformed", 400),
        ({"options": "{"}, "json_malformed", 400),
        ({"at": "yesterday"}, "request_invalid", 422),
        ({"anchor": "x"}, "unknown_parameter", 400),
    ],
)
def test_refuses_wrong_options(door: Door, query: dict[str, str], code: str, status: int) -> None:
    refused(door.post("/v1/verify", content=door.mail(), params=query, headers=RFC822), code, status)


@pytest.mark.parametrize("name", ["anchor", "intermediate"])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"nothing of the kind", "certificate_malformed"),
        (b"\x30\x82\xff\xff", "certificate_malformed"),
        (b"-----BEGIN X-----\n-----END X-----\n", "pem_malformed"),
    ],
)
def test_refuses_trust_material_that_cannot_be_read(door: Door, name: str, content: bytes, code: str) -> None:
    door.identity()
    refused(door.post("/v1/verify", files={"message": door.signed(), name: content}), code, 400)


def test_unreadable_crl_is_no_evidence(door: Door) -> None:
    door.identity()
    signed, root = door.signed(), door.campus.context.issuers.root
    files = [("message", signed), ("anchor", root.der), ("crl", b"nothing of the kind")]
    assert door.post("/v1/verify", files=files).json()["verdict"] == "valid"


def test_more_trust_material_than_is_allowed(door: Door) -> None:
    parts = [("message", door.mail()), *[("crl", b"x")] * 1001]
    refused(door.post("/v1/verify", files=parts), "body_too_large", 413)


def stranger_root() -> bytes:
    """A root that nobody here knows, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hashlib.sha256(b"stranger").hexdigest()[:8])])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
