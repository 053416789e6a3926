from __future__ import annotations

from datetime import timedelta

import pytest

from formats.certificate import Certificate
from tests.api.door import PKCS10, THEIRS, Door, refused
from tests.campus import csr
from tests.mails import SENDER

ALICE = "alice@campus.example"


def issued(door: Door, mailbox: str = ALICE, *, use: str = "dual") -> str:
    made = door.made("/v1/certificates", content=csr(mailbox), params={"use": use}, headers=PKCS10)
    return str(made["serial"])


def serials(door: Door, mailbox: str = ALICE) -> list[str]:
    answer = door.get(f"/v1/recipients/{mailbox}/certificates")
    assert answer.status_code == 200, answer.text
    return [item["serial"] for item in answer.json()["items"]]


def test_valid_certificates_for_encryption_newest_first(door: Door) -> None:
    good = [issued(door), issued(door, use="encrypt")]
    issued(door, use="sign")
    issued(door, "bob@campus.example")
    revoked = issued(door)
    door.made(f"/v1/certificates/{revoked}/revocation", json={"reason": "superseded"})
    assert serials(door) == good[::-1]
    assert serials(door, "Alice%40campus.example") == good[::-1]


def test_certificate_comes_whole(door: Door) -> None:
    identity = door.identity()
    (item,) = door.get(f"/v1/recipients/{SENDER}/certificates").json()["items"]
    certificate = Certificate.from_pem(item["certificate"])
    assert item["certificate"] == identity["encryption_certificate"]
    assert (item["serial"], item["sha256"]) == (identity["encryption_serial"], certificate.sha256)
    assert item["key"] == {"algorithm": "EC", "bits": 256, "curve": "P-256"}
    assert item["mailboxes"] == [SENDER]


def test_unknown_and_foreign_mailboxes_are_empty_lists(door: Door) -> None:
    issued(door)
    reader = door.as_("recipients:read", mailboxes=(THEIRS,))
    assert serials(reader) == serials(door) != []
    for mailbox in ("nobody@campus.example", "x@elsewhere.example"):
        answer = reader.get(f"/v1/recipients/{mailbox}/certificates")
        assert answer.json() == {"items": [], "next": None}


def test_follows_next_to_the_end(door: Door) -> None:
    made = [issued(door) for _ in range(3)]
    first = door.get(f"/v1/recipients/{ALICE}/certificates?limit=2")
    rest = door.get(f"/v1/recipients/{ALICE}/certificates", params={"limit": 2, "cursor": first.json()["next"]})
    assert [item["serial"] for answer in (first, rest) for item in answer.json()["items"]] == made[::-1]
    assert rest.json()["next"] is None


def test_expired_ones_are_left_out(door: Door) -> None:
    issued(door)
    door.campus.clock.advance(timedelta(days=398))
    assert serials(door) == []


@pytest.mark.parametrize("mailbox", ["nobody", "a@b", "x%20y@campus.example"])
def test_refuses_what_is_no_mailbox(door: Door, mailbox: str) -> None:
    refused(door.get(f"/v1/recipients/{mailbox}/certificates"), "mailbox_malformed", 400)


def test_needs_the_scope(door: Door) -> None:
    refused(door.as_("messages:encrypt").get(f"/v1/recipients/{ALICE}/certificates"), "scope_missing", 403)
