from __future__ import annotations

import pytest

from api.audit import AuditEntryJson
from tests.api.door import RFC822, Door, refused
from tests.mails import SENDER


def test_every_signature_is_one_entry_that_its_answer_names(door: Door) -> None:
    made = door.identity()
    answer = door.post("/v1/sign", content=door.mail(), headers={**RFC822, "X-Request-Id": "sign-1"})
    (entry,) = door.get("/v1/audit?action=message.signed").json()["items"]
    assert list(entry) == list(AuditEntryJson.model_fields)
    assert (entry["id"], entry["request_id"]) == (answer.headers["mailseal-record"], "sign-1")
    assert (entry["object"], entry["mailbox"]) == ({"kind": "certificate", "id": made["serial"]}, SENDER)
    assert entry["actor"]["kind"] == "api_key"
    assert len(entry["signature_sha256"]) == 64
    assert door.get(f"/v1/audit/{entry['id']}").json() == entry
    assert "Friday" not in str(entry)
    assert "Library" not in str(entry)


def test_is_narrowed_and_comes_in_pieces(door: Door) -> None:
    door.identity()
    for number in range(3):
        door.post("/v1/sign", content=door.mail(), headers={**RFC822, "X-Request-Id": f"sign-{number}"})
    first = door.get("/v1/audit?action=message.signed&limit=2").json()
    rest = door.get("/v1/audit", params={"action": "message.signed", "cursor": first["next"]}).json()
    seen = [entry["request_id"] for entry in first["items"] + rest["items"]]
    assert (seen, rest["next"]) == (["sign-2", "sign-1", "sign-0"], None)
    now = door.campus.clock()
    assert door.get("/v1/audit", params={"until": f"{now:%Y-%m-%dT%H:%M:%SZ}"}).json()["items"] != []
    assert door.get("/v1/audit", params={"since": "2999-01-01T00:00:00Z"}).json()["items"] == []
    assert {entry["action"] for entry in door.get(f"/v1/audit?mailbox={SENDER.upper()}").json()["items"]} >= {
        "identity.added",
        "message.signed",
    }
    assert door.get("/v1/audit?object_kind=crl").json()["items"] == []


def test_without_audit_read_a_key_sees_its_own(door: Door) -> None:
    door.identity()
    signer = door.as_("messages:sign")
    mine = signer.post("/v1/sign", content=door.mail(), headers=RFC822).headers["mailseal-record"]
    theirs = door.post("/v1/sign", content=door.mail(), headers=RFC822).headers["mailseal-record"]
    assert [entry["id"] for entry in signer.get("/v1/audit").json()["items"]] == [mine]
    assert signer.get(f"/v1/audit/{mine}").status_code == 200
    refused(signer.get(f"/v1/audit/{theirs}"), "audit_entry_not_found", 404)
    reader = door.as_("audit:read", mailboxes=())
    assert {mine, theirs} <= {entry["id"] for entry in reader.get("/v1/audit").json()["items"]}


def test_successor_sees_what_its_predecessor_did_and_not_the_other_way(door: Door) -> None:
    door.identity()
    order = {"name": "signer", "scopes": ["messages:sign"], "mailboxes": [SENDER]}
    old = door.made("/v1/api-keys", json=order)
    before = door.with_key(old["key"]).post("/v1/sign", content=door.mail(), headers=RFC822).headers["mailseal-record"]
    new = door.made(f"/v1/api-keys/{old['id']}/rotation")
    after = door.with_key(new["key"]).post("/v1/sign", content=door.mail(), headers=RFC822).headers["mailseal-record"]
    assert [entry["id"] for entry in door.with_key(new["key"]).get("/v1/audit").json()["items"]] == [after, before]
    assert [entry["id"] for entry in door.with_key(old["key"]).get("/v1/audit").json()["items"]] == [before]


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ("cursor=eyJ2IjoxfQ", "cursor_malformed", 400),
        ("since=yesterday", "request_invalid", 422),
        ("mailbox=nobody", "mailbox_malformed", 400),
        ("colour=red", "unknown_parameter", 400),
    ],
)
def test_refuses_a_wrong_query(door: Door, query: str, code: str, status: int) -> None:
    refused(door.get(f"/v1/audit?{query}"), code, status)


def test_does_not_find_what_is_not_there(door: Door) -> None:
    refused(door.get("/v1/audit/xyz"), "audit_entry_not_found", 404)
