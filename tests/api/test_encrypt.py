"""What a department does with one curl: a letter sealed to whom it goes."""

from __future__ import annotations

import base64
import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.inflow import Basin
from api.site import INFLOW_OCTETS
from formats.certificate import Certificate
from services.messages.encrypt import Sealed
from smime.message import read_message
from tests.api.door import PKCS10, RFC822, Door, refused
from tests.api.made_up import Client
from tests.campus import csr
from tests.mails import SENDER
from tests.sealed import PrivateKey, Reader, giant, stranger

JSON = {"Accept": "application/json"}
ALICE, BOB, CAROL, DAVE = (f"{name}@campus.example" for name in ("alice", "bob", "carol", "dave"))


def reader(door: Door, mailbox: str, *, key: PrivateKey | None = None, use: str = "dual") -> Reader:
    """Somebody with a certificate of ours."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    made = door.made("/v1/certificates", content=csr(mailbox, key=key), params={"use": use}, headers=PKCS10)
    return Reader(certificate=Certificate.from_pem(made["certificate"]), key=key)


def letter(door: Door, *, to: str = ALICE, more: str = "") -> bytes:
    return door.mail().replace(b"\n", b"\r\n").replace(b"all@campus.example", f"{to}{more}".encode())


def encrypt(door: Door, message: bytes, **more: Any) -> httpx.Response:
    headers = {**RFC822, **more.pop("headers", {})}
    return door.post("/v1/encrypt", content=message, headers=headers, **more)


def sealed(door: Door, message: bytes, **more: Any) -> httpx.Response:
    answer = encrypt(door, message, **more)
    assert answer.status_code == 200, answer.text
    return answer


def breaking_off(app: ASGIApp, *, left: list[Sealed]) -> ASGIApp:
    """The application as a client finds it that goes away when the answer's body begins; and what is left of that."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        async def cut(message: Message) -> None:
            if message["type"] == "http.response.body":
                raise OSError("the client has gone away")
            await send(message)

        await app({**scope, "asgi": {"version": "3.0", "spec_version": "2.4"}}, receive, cut)
        left.extend(one for one in gc.get_objects() if isinstance(one, Sealed))
        await send({"type": "http.response.body", "body": b""})

    return called


# --- what comes out ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_sealed_letter_opens_with_openssl(door: Door, tmp_path: Path, kind: str) -> None:
    key = rsa.generate_private_key(65537, 3072) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    alice = reader(door, ALICE, key=key)
    answer = sealed(door, letter(door))
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["mailseal-record"]
    assert "mailseal-identity" not in answer.headers
    opened = alice.open(answer.content, tmp_path)
    assert opened.out.endswith(b"\r\n\r\nThe library is closed on Friday.\r\n"), opened.text
    assert b"Friday" not in answer.content


def test_signed_first_and_verified_inside(door: Door, tmp_path: Path) -> None:
    made, alice = door.identity(), reader(door, ALICE)
    answer = sealed(door, letter(door), params={"sign": "true"})
    assert (answer.headers["mailseal-identity"], answer.headers["mailseal-serial"]) == (SENDER, made["serial"])
    inside = alice.open(answer.content, tmp_path).out
    report = door.post("/v1/verify", content=f"From: {SENDER}\r\n".encode() + inside, headers=RFC822).json()
    assert report["verdict"] == "valid"
    assert door.get("/v1/audit", params={"action": "message.signed"}).json()["items"]


def test_three_ways_in_give_the_same(door: Door, tmp_path: Path) -> None:
    alice, bob = reader(door, ALICE), reader(door, BOB)
    message, raw = letter(door, to="x@campus.example"), {"Accept": "message/rfc822"}
    both = f"{ALICE}, {BOB}"
    seen = letter(door, to=both)
    encoded = base64.b64encode(seen).decode()
    ways = [
        encrypt(door, seen, params={"to": f"{ALICE},{BOB}"}),
        encrypt(door, seen, params={"to": [ALICE, BOB]}),
        door.post("/v1/encrypt", files={"message": seen}, data={"to": both}, headers=raw),
        door.post("/v1/encrypt", files={"message": seen}, data={"to": [ALICE, BOB]}, headers=raw),
        door.post("/v1/encrypt", json={"message": encoded, "to": [ALICE, BOB]}, headers=raw),
        door.post("/v1/encrypt", json={"message": encoded, "to": both}, headers=raw),
        door.post("/v1/encrypt", json={"message": encoded}, params={"to": both}, headers=raw),
    ]
    for answer in ways:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "message/rfc822"), answer.text
        assert alice.open(answer.content, tmp_path).ok
        assert bob.open(answer.content, tmp_path).ok
    refused(encrypt(door, message), "recipient_without_certificate", 422)


def test_json_in_gives_json_out(door: Door, tmp_path: Path) -> None:
    alice = reader(door, ALICE)
    answer = door.post("/v1/encrypt", json={"message": base64.b64encode(letter(door)).decode()})
    found = answer.json()
    assert list(found) == ["messages", "skipped", "record"]
    ((envelope),) = found["messages"]
    assert envelope["envelope_to"] == [ALICE]
    assert alice.open(base64.b64decode(envelope["message"]), tmp_path).ok
    assert found["record"] == answer.headers["mailseal-record"]


# --- blind recipients -------------------------------------------------------------------------------------------------
def test_blind_recipients_show_in_no_output_but_their_own(door: Door, tmp_path: Path) -> None:
    """Addresses, serial numbers and key identifiers of blind recipients, in every form they could take."""
    people = {mailbox: reader(door, mailbox) for mailbox in (ALICE, BOB, CAROL, DAVE)}
    door.identity()
    message = letter(door, more=f"\r\nCc: {BOB}\r\nBcc: {CAROL}, {DAVE}")
    for query in ({}, {"sign": "true"}, {"algorithms": "modern"}):
        found = sealed(door, message, params=query, headers=JSON).json()
        assert [one["envelope_to"] for one in found["messages"]] == [[ALICE, BOB], [CAROL], [DAVE]]
        for one in found["messages"]:
            content = base64.b64decode(one["message"])
            opened = [people[mailbox].open(content, tmp_path).out for mailbox in one["envelope_to"]]
            everything = b"".join([content, read_message(content).root.decoded_body(), *opened])
            assert b"Friday" in opened[0]
            assert b"\r\nbcc:" not in everything.lower()
            for mailbox in {CAROL, DAVE} - set(one["envelope_to"]):
                certificate = people[mailbox].certificate
                assert not people[mailbox].open(content, tmp_path).out.count(b"Friday")
                traces = (mailbox.encode(), certificate.serial.octets, certificate.subject_key_id or b"none")
                assert not [trace for trace in traces if trace in everything or trace.hex().encode() in everything]


def test_several_messages_need_json(door: Door) -> None:
    for mailbox in (ALICE, BOB):
        reader(door, mailbox)
    message = letter(door, more=f"\r\nBcc: {BOB}")
    for accept in ({"Accept": "message/*"}, {"Accept": "message/rfc822"}):
        before = door.rows()
        refused(encrypt(door, message, headers=accept), "several_messages", 422)
        assert door.rows() == before
    both = encrypt(door, message, headers={"Accept": "message/rfc822, application/json;q=0.5"})
    assert len(both.json()["messages"]) == 2
    one = encrypt(door, letter(door), headers={"Accept": "message/rfc822, application/json;q=0.5"})
    assert one.headers["content-type"] == "message/rfc822"


def test_message_says_for_whom_it_is(door: Door) -> None:
    """Where the only one is blind, nothing in the message does."""
    reader(door, BOB)
    message = letter(door, to="press@campus.example", more=f"\r\nBcc: {BOB}")
    alone = sealed(door, message, params={"missing": "skip"})
    assert alone.headers["mailseal-envelope-to"] == BOB
    assert b"bob@" not in alone.content


def test_large_answer_is_one_json_object(door: Door, tmp_path: Path) -> None:
    people = {mailbox: reader(door, mailbox) for mailbox in (ALICE, BOB, CAROL)}
    message = letter(door, more=f"\r\nBcc: {BOB}, {CAROL}, {DAVE}") + b"one line more\r\n" * 20_000
    answer = sealed(door, message, params={"missing": "skip"}, headers=JSON)
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert (list(found), found["skipped"]) == (["messages", "skipped", "record"], [DAVE])
    assert found["record"] == answer.headers["mailseal-record"]
    for one, mailbox in zip(found["messages"], people, strict=True):
        assert one["envelope_to"] == [mailbox]
        assert people[mailbox].open(base64.b64decode(one["message"]), tmp_path).out.count(b"one line more") == 20_000


def test_answers_take_room_like_bodies(door: Door) -> None:
    """A few octets sealed a thousand times over would fill the memory past all bounds on what comes in."""
    for mailbox in (ALICE, BOB, CAROL):
        reader(door, mailbox)
    basin: Basin = door.client.app._callers.all  # type: ignore[attr-defined]  # the envelope
    message = letter(door, more=f"\r\nBcc: {BOB}, {CAROL}") + b"one line more\r\n" * 40_000
    basin.held = (others := INFLOW_OCTETS - len(message))
    before = door.rows()
    refused(encrypt(door, message, headers=JSON), "overloaded", 503)
    assert (door.rows(), basin.held) == (before, others)
    basin.held = 0
    sealed(door, message, headers=JSON)
    assert basin.held == 0


@pytest.mark.parametrize(
    "items", ["[]," * 20_000, '{"a":1},' * 20_000, "1," * 20_000], ids=["lists", "objects", "numbers"]
)
def test_json_of_very_many_items_is_refused_before_it_is_read(door: Door, items: str) -> None:
    body = f'{{"message": "QQ==", "to": [{items}1]}}'
    answer = door.post("/v1/encrypt", content=body, headers={"Content-Type": "application/json"})
    refused(answer, "body_too_large", 413)
    assert "items" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"message": "' + b"A" * 300_000 + b'\\u0041"}', "base64_malformed"),
        (b'{"message": "' + b"A" * 300_000 + "\u00e9".encode() + b'"}', "base64_malformed"),
        (b'{"options": {"message": "' + b"A" * 300_000 + b'"}}', "message_missing"),
        (b'{"options": {"message": "' + b"A" * 300_000 + b'"}, "message": "QQ=="}', "message_missing"),
        (b'{"message": "QQ==", "identity": "' + b"a" * 4_000_000 + b'"}', "body_too_large"),
        (b'{"message": "' + b"A" * 300_000 + b'", "message": "QQ=="}', "parameter_twice"),
        (b'{"message": "' + b"A" * 300_000 + b'\n"}', "json_malformed"),
        (b'{"messages": "' + b"A" * 300_000 + b'"}', "message_missing"),
    ],
    ids=["escape", "letter", "within", "within and beside", "other text", "twice", "line end", "absent"],
)
def test_large_json_is_read_as_small_json_is(door: Door, body: bytes, code: str) -> None:
    answer = door.post("/v1/encrypt", content=body, headers={"Content-Type": "application/json"})
    refused(answer, code, 413 if code == "body_too_large" else 400)


def test_large_message_in_json_beside_letters_beyond_ascii(door: Door) -> None:
    reader(door, ALICE)
    message = letter(door) + b"one line more\r\n" * 40_000
    lines = base64.encodebytes(message).decode()
    for ascii_only in (True, False):
        body = json.dumps(
            {"to": [ALICE, "\u00e9va@campus.example"], "missing": "skip", "message": lines}, ensure_ascii=ascii_only
        )
        answer = door.post("/v1/encrypt", content=body.encode(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["skipped"]) == (200, ["\u00e9va@campus.example"])


def test_answer_that_breaks_off_gives_its_memory_back(door: Door) -> None:
    for mailbox in (ALICE, BOB):
        reader(door, mailbox)
    message = letter(door, more=f"\r\nBcc: {BOB}") + b"one line more\r\n" * 40_000
    left: list[Sealed] = []
    cut_off = replace(door, client=Client(breaking_off(door.client.app, left=left)))
    gc.collect()
    gc.disable()
    try:
        assert cut_off.post("/v1/encrypt", content=message, headers={**RFC822, **JSON}).content == b""
    finally:
        gc.enable()
    assert left == []


def test_thousand_long_addresses(door: Door) -> None:
    reader(door, ALICE)
    label = "d" * 60
    long = [f"{number:04d}{'n' * 60}@{label}.{label}.{label}.example" for number in range(999)]
    answer = door.post(
        "/v1/encrypt",
        json={"message": base64.b64encode(letter(door)).decode(), "to": [ALICE, *long], "missing": "skip"},
    )
    assert (answer.status_code, len(answer.json()["skipped"])) == (200, 999)


# --- who has none -----------------------------------------------------------------------------------------------------
def test_refusal_lists_who_has_no_certificate(door: Door) -> None:
    reader(door, ALICE)
    answer = encrypt(door, letter(door), params={"to": f"{ALICE},{BOB},{CAROL}"})
    found = refused(answer, "recipient_without_certificate", 422)
    assert [(place["pointer"], place["detail"].partition(" ")[0]) for place in found["errors"]] == [
        ("/to/1", BOB),
        ("/to/2", CAROL),
    ]


def test_skipped_ones_are_named(door: Door) -> None:
    reader(door, ALICE)
    to = ",".join([ALICE, BOB, *(f"n{number}@campus.example" for number in range(60))])
    skipping = {"to": f"{ALICE},{BOB}", "missing": "skip"}
    seen = letter(door, more=f", {BOB}")
    assert sealed(door, seen, params=skipping).headers["mailseal-skipped"] == BOB
    found = sealed(door, letter(door), params={**skipping, "to": to}, headers=JSON).json()
    assert (len(found["skipped"]), found["skipped"][0]) == (61, BOB)
    many = sealed(door, letter(door), params={**skipping, "to": to}).headers["mailseal-skipped"].split(",")
    assert (len(many), many[-1]) == (51, "%2B11" if "%" in many[-1] else "+11")


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ({"algorithms": "pqc"}, "algorithms_not_offered", 422),
        ({"algorithms": "des"}, "choice_unknown", 422),
        ({"missing": "guess"}, "choice_unknown", 422),
        ({"identity": SENDER}, "choice_unknown", 422),
        ({"date": "now"}, "choice_unknown", 422),
        ({"sign": "perhaps"}, "request_invalid", 422),
        ({"sign": "true", "date": "tomorrow"}, "choice_unknown", 422),
        ({"sign": "true", "identity": "nobody"}, "mailbox_malformed", 400),
        ({"sign": "true"}, "identity_unknown", 422),
        ({"to": "nobody"}, "mailbox_malformed", 400),
        ({"to": f"{ALICE} {BOB}"}, "mailbox_malformed", 400),
        ({"to": f"{ALICE}\r\nBcc: {BOB}"}, "mailbox_malformed", 400),
        ({"to": ""}, "recipients_missing", 422),
        ({"to": ",".join(f"n{number}@campus.example" for number in range(1001))}, "too_many_recipients", 413),
        ({"colour": "red"}, "unknown_parameter", 400),
        ({"sign": ["true", "true"]}, "parameter_twice", 400),
    ],
    ids=str,
)
def test_refuses_wrong_wishes(door: Door, query: dict[str, Any], code: str, status: int) -> None:
    reader(door, ALICE)
    before = door.rows()
    refused(encrypt(door, letter(door), params=query), code, status)
    assert door.rows() == before


@pytest.mark.parametrize("json", [{"to": [ALICE, 7]}, {"to": {"a": 1}}, {"to": ["x" * 500]}, {"sign": 7}], ids=str)
def test_refuses_members_of_wrong_types(door: Door, json: dict[str, Any]) -> None:
    reader(door, ALICE)
    answer = door.post("/v1/encrypt", json={"message": base64.b64encode(letter(door)).decode(), **json})
    refused(answer, "request_invalid", 422)


def test_recipients_in_query_and_body_at_once(door: Door) -> None:
    answer = door.post("/v1/encrypt", files={"message": letter(door)}, data={"to": ALICE}, params={"to": BOB})
    refused(answer, "parameter_twice", 400)


def test_header_that_cannot_be_read(door: Door) -> None:
    for more in ("\r\nTo: bob@campus.example", "\r\nBcc: =?utf-8?q?bob=40campus.example?=@x", "\r\nCc: a@b@c"):
        answer = encrypt(door, letter(door, more=more))
        assert (answer.status_code, answer.json()["code"]) in {(400, "message_malformed"), (400, "field_malformed")}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"days": 9}, "expired on"),
        ({"usage": {"digital_signature": True}}, "lacks keyAgreement"),
        ({"key": giant()}, "RSA"),
    ],
    ids=["expired", "sign-only", "16384 bits"],
)
def test_given_certificate_that_nothing_is_sealed_to(door: Door, more: dict[str, Any], why: str) -> None:
    certificate = stranger(ALICE, at=door.campus.clock(), **more).certificate
    answer = door.post("/v1/encrypt", files={"message": letter(door), "certificate": certificate.der})
    found = refused(answer, "recipient_certificate_refused", 422)
    assert why in found["detail"]
    assert [place["pointer"] for place in found["errors"]] == ["/certificate"]


def test_given_certificates_are_used(door: Door, tmp_path: Path) -> None:
    people = [stranger(mailbox, at=door.campus.clock()) for mailbox in (ALICE, BOB)]
    files = [("message", letter(door, to=f"{ALICE}, {BOB}")), ("certificate", people[0].certificate.der)]
    files.append(("certificate", people[1].certificate.pem.encode()))
    answer = door.post("/v1/encrypt", files=files)
    assert answer.status_code == 200, answer.text
    assert all(person.open(answer.content, tmp_path).ok for person in people)


def test_given_certificate_that_is_none(door: Door) -> None:
    for file in (b"nonsense", b"\x30\x80" * 20):
        answer = door.post("/v1/encrypt", files={"message": letter(door), "certificate": file})
        assert answer.status_code == 400, answer.text


def test_unacceptable_answer_is_refused_before_anything_is_sealed(door: Door) -> None:
    reader(door, ALICE)
    before = door.rows()
    refused(encrypt(door, letter(door), headers={"Accept": "image/png"}), "not_acceptable", 406)
    assert door.rows() == before


def test_signing_needs_its_own_scope_and_mailbox(door: Door) -> None:
    door.identity()
    reader(door, ALICE)
    query = {"sign": "true"}
    only = door.as_("messages:encrypt")
    refused(encrypt(only, letter(door), params=query), "scope_missing", 403)
    assert encrypt(only, letter(door)).status_code == 200
    other = door.as_("messages:encrypt", "messages:sign", mailboxes=(ALICE,))
    refused(encrypt(other, letter(door), params=query), "mailbox_not_allowed", 403)


def test_record_names_neither_recipient_nor_subject(door: Door, logged: list[dict[str, Any]]) -> None:
    reader(door, ALICE)
    logged.clear()
    record = sealed(door, letter(door)).headers["mailseal-record"]
    entry = door.get(f"/v1/audit/{record}").text
    for text in (entry, str(logged)):
        assert not [word for word in ("alice", "Library", "Friday") if word in text]


def test_date_refuse_without_a_signature_is_the_default_said_aloud(door: Door) -> None:
    door.identity()
    answer = door.post("/v1/encrypt", content=door.mail(), params={"to": SENDER, "date": "refuse"}, headers=RFC822)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("wish", "detail"),
    [
        ({"identity": SENDER}, "identity counts only with a signature: set sign to true, or leave it out"),
        (
            {"identity": SENDER, "date": "now"},
            "identity and date count only with a signature: set sign to true, or leave them out",
        ),
    ],
)
def test_wish_about_a_signature_that_is_not_asked_for_says_what_to_do(
    door: Door, wish: dict[str, str], detail: str
) -> None:
    found = refused(door.post("/v1/encrypt", content=door.mail(), params=wish, headers=RFC822), "choice_unknown", 422)
    assert found["detail"] == detail
    assert [place["pointer"] for place in found["errors"]] == [f"/{name}" for name in wish]
