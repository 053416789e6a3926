"""Idempotency-Key at the door: on every POST that changes something, as the application's own routes say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from api import description
from api.assembly import bare
from api.routers import ROUTERS
from tests.api.door import PKCS10, RFC822, Door, door_of, refused
from tests.api.test_access_matrix import routes_of
from tests.campus import csr
from tests.mails import SENDER
from tests.services.deeds import slow

SMALL: Final = {"key": "p256", "encryption_key": "p256"}
REASON: Final = {"json": {"reason": "superseded"}}
REQUEST: Final = csr()

# Computed again, key or not: what they give holds nothing that was not asked for.
COMPUTED_AGAIN: Final = frozenset({"/v1/sign", "/v1/verify", "/v1/encrypt", "/v1/decrypt"})


@dataclass(frozen=True, kw_only=True)
class Change:
    """A POST that changes something; `other` is another request to the same route."""

    first: Callable[[Door], tuple[str, dict[str, Any]]]
    other: Callable[[Door], tuple[str, dict[str, Any]]]
    is_secret: bool = False


def asked(path: str, **more: Any) -> Callable[[Door], tuple[str, dict[str, Any]]]:
    return lambda _: (path, more)


def of_certificate(**more: Any) -> Callable[[Door], tuple[str, dict[str, Any]]]:
    def ask(door: Door) -> tuple[str, dict[str, Any]]:
        serial = door.made("/v1/certificates", content=csr(), headers=PKCS10)["serial"]
        return f"/v1/certificates/{serial}/revocation", more

    return ask


def of_identity(mailbox: str, verb: str, **more: Any) -> Callable[[Door], tuple[str, dict[str, Any]]]:
    return lambda door: (f"/v1/identities/{door.identity(mailbox)['mailbox']}/{verb}", more)


def of_key(door: Door) -> tuple[str, dict[str, Any]]:
    return f"/v1/api-keys/{door.made('/v1/api-keys', json={'name': 'object'})['id']}/rotation", {}


CHANGES: Final = {
    "/v1/certificates": Change(
        first=asked("/v1/certificates", content=REQUEST, headers=PKCS10),
        other=asked("/v1/certificates", content=REQUEST, headers=PKCS10, params={"days": "30"}),
    ),
    "/v1/certificates/pkcs12": Change(
        first=asked("/v1/certificates/pkcs12", json={"mailboxes": ["a@campus.example"], "key": "p256"}),
        other=asked("/v1/certificates/pkcs12", json={"mailboxes": ["b@campus.example"], "key": "p256"}),
        is_secret=True,
    ),
    "/v1/certificates/{serial}/revocation": Change(
        first=of_certificate(**REASON),
        other=of_certificate(**REASON),
    ),
    "/v1/identities": Change(
        first=asked("/v1/identities", json={"mailbox": SENDER, **SMALL}),
        other=asked("/v1/identities", json={"mailbox": SENDER}),
    ),
    "/v1/identities/{mailbox:path}/renewal": Change(
        first=of_identity(SENDER, "renewal"), other=of_identity("b@campus.example", "renewal")
    ),
    "/v1/identities/{mailbox:path}/revocation": Change(
        first=of_identity(SENDER, "revocation", **REASON),
        other=asked(f"/v1/identities/{SENDER}/revocation", json={"reason": "keyCompromise"}),
    ),
    "/v1/api-keys": Change(
        first=asked("/v1/api-keys", json={"name": "a"}), other=asked("/v1/api-keys", json={"name": "b"}), is_secret=True
    ),
    "/v1/api-keys/{key_id}/rotation": Change(first=of_key, other=of_key, is_secret=True),
}
changes = pytest.mark.parametrize("change", [pytest.param(change, id=path) for path, change in CHANGES.items()])


def send(door: Door, request: tuple[str, dict[str, Any]], key: str = "once") -> httpx.Response:
    path, more = request
    return door.post(path, **{**more, "headers": {**more.get("headers", {}), "Idempotency-Key": key}})


def test_every_post_that_changes_something_is_in_the_table(door: Door) -> None:
    posts = {path for method, path in routes_of(door) if method == "POST" and path.startswith("/v1/")}
    assert posts - COMPUTED_AGAIN == CHANGES.keys()


def test_the_description_knows_the_header_where_it_counts() -> None:
    spec = description.describe(bare(ROUTERS))
    named = {
        path.replace("{mailbox}", "{mailbox:path}")
        for path, methods in spec["paths"].items()
        for parameter in methods.get("post", {}).get("parameters", ())
        if (parameter["in"], parameter["name"]) == ("header", "Idempotency-Key")
    }
    assert named == CHANGES.keys()


@changes
def test_repeated_it_is_done_once(door: Door, change: Change) -> None:
    request = change.first(door)
    first = send(door, request)
    assert first.status_code == 201, first.text
    before = door.rows()
    second = send(door, request)
    if change.is_secret:
        found = refused(second, "already_delivered", 409)
        secrets = [first.json().get("key"), first.json().get("pkcs12"), first.json().get("passphrase")]
        assert not any(secret in str(found) for secret in secrets if isinstance(secret, str))
    else:
        assert (second.status_code, second.json()) == (201, first.json())
        assert second.headers.get("location") == first.headers.get("location")
    assert door.rows() == before


@changes
def test_another_request_under_the_same_key_is_refused(door: Door, change: Change) -> None:
    request, other = change.first(door), change.other(door)
    assert send(door, request).status_code == 201
    before = door.rows()
    refused(send(door, other), "idempotency_mismatch", 422)
    assert door.rows() == before


@changes
def test_doubled_or_malformed_key_is_refused(door: Door, change: Change) -> None:
    path, more = change.first(door)
    before = door.rows()
    refused(send(door, (path, more), key="with space"), "idempotency_key_malformed", 422)
    twice = [*more.get("headers", {}).items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = door.client.post(path, **{**more, "headers": [*twice, ("Authorization", f"Bearer {door.key}")]})
    refused(answer, "parameter_twice", 400)
    assert door.rows() == before


@pytest.mark.parametrize(
    "path",
    [path for path in CHANGES if not path.startswith("/v1/api-keys") and not path.endswith("/revocation")],
)
def test_a_request_that_is_only_intended_is_in_progress(door: Door, path: str) -> None:
    """The first is at work between steps 4 and 6, and answers in the end."""
    request, heard = CHANGES[path].first(door), list[httpx.Response]()
    door.campus.clock.advance(timedelta(minutes=1))
    slowed = door_of(slow(door.campus, lambda: heard.append(send(door, request)))).with_key(door.key)
    assert send(slowed, request).status_code == 201
    assert len(heard) == 2 if "identities" in path else 1
    for answer in heard:
        refused(answer, "in_progress", 409)


@pytest.mark.parametrize("verb", ["sign", "verify"])
def test_messages_are_computed_again_whatever_the_key_says(door: Door, verb: str) -> None:
    door.identity()
    headers = {**RFC822, "Idempotency-Key": "once"}
    before = door.rows()["idempotency"]
    for message in (door.mail(), door.mail(), door.mail(b"Content-Type: text/plain\r\n\r\nother\r\n")):
        assert door.post(f"/v1/{verb}", content=message, headers=headers).status_code == 200
    assert door.rows()["idempotency"] == before
