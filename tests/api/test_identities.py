from __future__ import annotations

from urllib.parse import quote

import pytest

from api.identities import IdentityJson
from formats.certificate import Certificate
from tests.api.door import RFC822, THEIRS, Door, refused
from tests.mails import SENDER

HERE = f"/v1/identities/{quote(SENDER, safe='')}"
SMALL = {"key": "p256", "encryption_key": "p256"}


def test_makes_an_identity_with_two_certificates(door: Door) -> None:
    answer = door.post("/v1/identities", json={"mailbox": SENDER, **SMALL})
    assert (answer.status_code, answer.headers["location"]) == (201, HERE)
    made = answer.json()
    assert list(made) == list(IdentityJson.model_fields)
    assert (made["mailbox"], made["profile"], made["status"]) == (SENDER, "role", "active")
    signing, decrypting = (Certificate.from_pem(made[name]) for name in ("certificate", "encryption_certificate"))
    assert (str(signing.serial), str(decrypting.serial)) == (made["serial"], made["encryption_serial"])
    assert made["serial"] != made["encryption_serial"]
    assert len(made["chain"]) == 2
    assert door.get(HERE).json() == made
    for serial in (made["serial"], made["encryption_serial"]):
        assert door.get(f"/v1/certificates/{serial}").json()["profile"] == "role"


def test_signing_key_is_rsa_3072_unless_said_otherwise(door: Door) -> None:
    made = door.made("/v1/identities", json={"mailbox": SENDER})
    for name in ("serial", "encryption_serial"):
        key = door.get(f"/v1/certificates/{made[name]}").json()["key"]
        assert (key["algorithm"], key["bits"]) == ("RSA", 3072)


def test_finds_it_made_and_refuses_other_keys(door: Door) -> None:
    made = door.identity()
    before = door.rows()
    for order in (
        {"mailbox": SENDER},
        {"mailbox": SENDER.upper().replace("CAMPUS.EXAMPLE", "campus.example"), **SMALL},
    ):
        again = door.post("/v1/identities", json=order)
        assert (again.status_code, again.json()) == (200, made)
        assert "location" not in again.headers
    refused(door.post("/v1/identities", json={"mailbox": SENDER, "key": "p384"}), "identity_keys_differ", 409)
    assert door.rows() == before


@pytest.mark.parametrize(
    ("order", "code", "status"),
    [
        ({"mailbox": "nobody"}, "mailbox_malformed", 400),
        ({"mailbox": "a@elsewhere.example"}, "mail_domain_not_allowed", 422),
        ({"mailbox": SENDER, "key": "rsa1024"}, "choice_unknown", 422),
        ({"mailbox": SENDER, "profile": "mailbox"}, "request_invalid", 422),
        ({}, "request_invalid", 422),
    ],
)
def test_refuses_and_stores_nothing(door: Door, order: dict[str, str], code: str, status: int) -> None:
    before = door.rows()
    refused(door.post("/v1/identities", json=order), code, status)
    assert door.rows() == before


def test_lists_what_the_key_covers(door: Door) -> None:
    door.identity("a@campus.example")
    door.identity("b@campus.example")
    first = door.get("/v1/identities?limit=1").json()
    assert [item["mailbox"] for item in first["items"]] == ["b@campus.example"]
    rest = door.get("/v1/identities", params={"cursor": first["next"]}).json()
    assert [item["mailbox"] for item in rest["items"]] == ["a@campus.example"]
    assert rest["next"] is None
    narrow = door.as_("identities:manage", mailboxes=("a@campus.example",))
    assert [item["mailbox"] for item in narrow.get("/v1/identities").json()["items"]] == ["a@campus.example"]
    refused(narrow.get("/v1/identities/b@campus.example"), "mailbox_not_allowed", 403)
    refused(door.get("/v1/identities/c@campus.example"), "identity_not_found", 404)


def test_address_in_the_path_may_be_encoded_or_not_and_hold_a_slash(door: Door) -> None:
    made = door.identity("a/b@campus.example")
    assert door.get("/v1/identities/a/b@campus.example").json() == made
    assert door.get("/v1/identities/a%2Fb%40campus.example").json() == made
    assert door.put("/v1/identities/a%2Fb%40campus.example/pause").json()["status"] == "paused"
    refused(door.get("/v1/identities/nobody"), "mailbox_malformed", 400)


def test_pause_stops_signing_until_it_ends(door: Door) -> None:
    door.identity()
    assert door.put(f"{HERE}/pause").json()["status"] == "paused"
    assert door.put(f"{HERE}/pause").status_code == 200
    refused(door.post("/v1/sign", content=door.mail(), headers=RFC822), "identity_paused", 422)
    assert door.made(f"{HERE}/renewal")["status"] == "paused"
    assert door.delete(f"{HERE}/pause").json()["status"] == "active"
    assert door.signed()


def test_revocation_stops_signing_until_a_renewal(door: Door) -> None:
    made = door.identity()
    ended = door.made(f"{HERE}/revocation", json={"reason": "superseded"})
    assert (ended["status"], ended["serial"]) == ("revoked", made["serial"])
    for serial in (made["serial"], made["encryption_serial"]):
        assert door.get(f"/v1/certificates/{serial}").json()["status"] == "revoked"
    refused(door.post(f"{HERE}/revocation", json={"reason": "superseded"}), "already_revoked", 409)
    refused(door.post("/v1/sign", content=door.mail(), headers=RFC822), "certificate_revoked", 422)
    renewed = door.made(f"{HERE}/renewal")
    assert renewed["status"] == "active"
    assert {renewed["serial"], renewed["encryption_serial"]}.isdisjoint({made["serial"], made["encryption_serial"]})
    assert door.signed()


def test_revocation_needs_a_reason_of_the_five(door: Door) -> None:
    door.identity()
    refused(door.post(f"{HERE}/revocation", json={"reason": "certificateHold"}), "reason_not_allowed", 422)
    refused(door.post(f"{HERE}/revocation", json={}), "request_invalid", 422)
    assert door.get(HERE).json()["status"] == "active"


def test_foreign_mailbox_is_refused_by_every_call(door: Door) -> None:
    made = door.identity()
    other = door.as_("identities:manage", mailboxes=(THEIRS,))
    for method, path, body in (
        ("GET", HERE, None),
        ("POST", f"{HERE}/renewal", None),
        ("PUT", f"{HERE}/pause", None),
        ("DELETE", f"{HERE}/pause", None),
        ("POST", f"{HERE}/revocation", {"reason": "superseded"}),
        ("POST", "/v1/identities", {"mailbox": SENDER}),
    ):
        refused(other.call(method, path, **({"json": body} if body else {})), "mailbox_not_allowed", 403)
    assert door.get(HERE).json() == made
