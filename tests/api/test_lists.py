"""Lists that are read in pieces while others add to them: nothing twice, and nothing lost that was there at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest
import yaml

from tests.api.door import PKCS10, Door, refused
from tests.campus import csr
from tests.mails import SENDER

_numbers: Final = count(1)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list, how one more item comes into it, and filters that fit what `add` makes."""

    path: str
    id_of: Callable[[dict[str, Any]], str]
    add: Callable[[Door], object]
    filters: tuple[dict[str, str], ...] = field(default=({},))


def issue(door: Door, mailbox: str = "alice@campus.example") -> dict[str, Any]:
    return door.made("/v1/certificates", content=csr(mailbox), headers=PKCS10)


def add_key(door: Door) -> dict[str, Any]:
    return door.made("/v1/api-keys", json={"name": f"key {next(_numbers)}"})


LISTINGS: Final = {
    "certificates": Listing(
        path="/v1/certificates",
        id_of=lambda item: item["serial"],
        add=issue,
        filters=({}, {"status": "active", "mailbox": "alice@campus.example", "q": "ALICE"}),
    ),
    "identities": Listing(
        path="/v1/identities",
        id_of=lambda item: item["mailbox"],
        add=lambda door: door.identity(f"n{next(_numbers)}@campus.example"),
    ),
    "api-keys": Listing(path="/v1/api-keys", id_of=lambda item: item["id"], add=add_key),
    "audit": Listing(
        path="/v1/audit",
        id_of=lambda item: item["id"],
        add=add_key,
        filters=({}, {"action": "api_key.added", "object_kind": "api_key", "since": "2020-01-01T00:00:00Z"}),
    ),
}
listings = pytest.mark.parametrize(
    ("listing", "filters"),
    [
        pytest.param(one, filters, id=f"{name}{'-filtered' if filters else ''}")
        for name, one in LISTINGS.items()
        for filters in one.filters
    ],
)


def walk(door: Door, listing: Listing, filters: dict[str, str], *, between: Callable[[], object]) -> list[str]:
    """The ids of all pieces of two, with something happening between each and the next."""
    found: list[str] = []
    answer = door.get(listing.path, params={**filters, "limit": "2"})
    for _ in range(100):
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["items"]) <= 2
        found += [listing.id_of(item) for item in body["items"]]
        if body["next"] is None:
            return found
        between()
        link = answer.links["next"]["url"]
        assert (
            door.get(link).json()
            == door.get(listing.path, params={**filters, "limit": "2", "cursor": body["next"]}).json()
        )
        answer = door.get(link)
    raise AssertionError("the list has no end")


def test_every_list_is_here(door: Door) -> None:
    named = {
        path
        for path, methods in yaml.safe_load(door.get("/openapi.yaml").text)["paths"].items()
        if any(parameter["name"] == "cursor" for parameter in methods.get("get", {}).get("parameters", ()))
    }
    # Of the certificates of one mailbox there are few, and tests/api/test_recipients pages through them.
    assert named - {"/v1/recipients/{mailbox}/certificates"} == {listing.path for listing in LISTINGS.values()}


@listings
def test_nothing_twice_and_nothing_lost_while_items_are_added(
    door: Door, listing: Listing, filters: dict[str, str]
) -> None:
    for _ in range(5):
        listing.add(door)
    at_first = [
        listing.id_of(item) for item in door.get(listing.path, params={**filters, "limit": "200"}).json()["items"]
    ]
    assert len(at_first) >= 5
    found = walk(door, listing, filters, between=lambda: listing.add(door))
    assert len(found) == len(set(found))
    assert found == at_first


@listings
def test_no_cursor_for_another_list_or_other_filters(door: Door, listing: Listing, filters: dict[str, str]) -> None:
    for _ in range(3):
        listing.add(door)
    cursor = door.get(listing.path, params={**filters, "limit": "1"}).json()["next"]
    for other in LISTINGS.values():
        for others in other.filters:
            answer = door.get(other.path, params={**others, "limit": "7", "cursor": cursor})
            if (other, others) == (listing, filters):
                assert answer.status_code == 200
            else:
                refused(answer, "cursor_malformed", 400)


def test_certificates_are_narrowed_by_all_filters_at_once(door: Door) -> None:
    alice, second = issue(door), issue(door)
    issue(door, "bob@campus.example")
    door.made(f"/v1/certificates/{second['serial']}/revocation", json={"reason": "superseded"})

    def serials(**filters: str) -> list[str]:
        return [item["serial"] for item in door.get("/v1/certificates", params=filters).json()["items"]]

    assert serials(mailbox="alice@campus.example") == [second["serial"], alice["serial"]]
    assert serials(mailbox="alice@campus.example", status="active") == [alice["serial"]]
    assert serials(mailbox="alice@campus.example", status="revoked", q="alice") == [second["serial"]]
    assert serials(mailbox="alice@campus.example", q="bob") == []
    assert serials(serial=alice["serial"], sha256=alice["sha256"], status="active") == [alice["serial"]]
    assert serials(serial=alice["serial"], sha256=second["sha256"]) == []
    assert serials(serial=alice["serial"], status="expired") == []
    door.campus.clock.advance(timedelta(days=900))
    assert serials(serial=alice["serial"], status="expired", mailbox="alice@campus.example") == [alice["serial"]]
    assert serials(status="revoked", q="ALICE") == [second["serial"]]


def test_audit_is_narrowed_by_all_filters_at_once(door: Door) -> None:
    began = door.campus.clock()
    made = issue(door)
    door.campus.clock.advance(timedelta(hours=1))
    later = issue(door)
    door.identity(SENDER)
    moment = (began + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def objects(**filters: str) -> list[str]:
        return [item["object"]["id"] for item in door.get("/v1/audit", params=filters).json()["items"]]

    issued = {"action": "certificate.issued", "mailbox": "alice@campus.example"}
    assert objects(**issued) == [later["serial"], made["serial"]]
    assert objects(**issued, since=moment) == [later["serial"]]
    assert objects(**issued, until=moment) == [made["serial"]]
    assert objects(**issued, object_kind="certificate", object_id=made["serial"]) == [made["serial"]]
    assert objects(**issued, object_id=made["serial"], since=moment) == []
    assert objects(**issued, object_kind="identity") == []


def test_what_is_revoked_between_the_pieces_leaves_the_list_of_the_active_and_moves_nothing(door: Door) -> None:
    serials = [issue(door)["serial"] for _ in range(5)][::-1]
    waiting = iter(serials[2:3])

    def between() -> None:
        for serial in waiting:
            door.made(f"/v1/certificates/{serial}/revocation", json={"reason": "superseded"})

    found = walk(door, LISTINGS["certificates"], {"status": "active"}, between=between)
    assert found == [serial for serial in serials if serial != serials[2]]
