"""Who may call what: every route without a credential, with each scope alone, and for foreign mailboxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from services.authority import SCOPES
from tests.api.door import OURS, PKCS10, RFC822, THEIRS, Door
from tests.campus import csr

Call = Callable[[Door, "Objects"], httpx.Response]

PUBLIC: Final = frozenset(
    {
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/healthz"),
        ("GET", "/openapi.yaml"),
        ("GET", "/problems"),
        ("GET", "/problems/{code}"),
        ("GET", "/readyz"),
        ("GET", "/root.crt"),
        ("GET", "/root.pem"),
        ("GET", "/static/app.css"),
        ("GET", "/static/app.js"),
        ("GET", "/static/icon.svg"),
        # The pages for people: tests/api/pages/test_mine.py shows that those below /mine need a session.
        ("GET", "/root"),
        ("GET", "/enrol"),
        ("POST", "/enrol"),
        ("GET", "/enrol/{token}"),
        ("POST", "/enrol/{token}/open"),
        ("GET", "/mine"),
        ("POST", "/mine/file"),
        ("POST", "/mine/request"),
        ("POST", "/mine/end"),
        ("POST", "/mine/leave"),
        ("GET", "/mine/certificates/{serial}.pem"),
        ("GET", "/check"),
        ("POST", "/check"),
        ("GET", "/outbox"),
        ("GET", "/v1/authorities"),
        ("GET", "/v1/authorities/root.crt"),
        ("GET", "/v1/authorities/root.pem"),
        ("GET", "/ca/{authority}.crt"),
        ("GET", "/crl/{authority}.crl"),
        ("GET", "/ocsp/{authority}/{encoded:path}"),
        ("POST", "/ocsp/{authority}"),
        ("POST", "/ocsp/{authority}/"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What the calls are about: things of one mailbox domain."""

    domain: str
    serial: str
    entry: str
    api_key: str
    sealed: bytes

    @property
    def mailbox(self) -> str:
        return f"notices@{self.domain}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to call a route.

    `scopes`: those that it needs, all of them; none: any live key may. `allowed`: the status with them.
    `foreign`: the status with them, for mailboxes that the key does not cover; None where mailboxes bound nothing.
    """

    route: tuple[str, str]
    call: Call
    scopes: tuple[str, ...]
    allowed: int
    foreign: int | None

    def expected(self, *held: str) -> int:
        return self.allowed if set(self.scopes) <= set(held) else 403


def row(
    route: str, scopes: str, allowed: int, foreign: int | None, call: Callable[[Door, Objects], httpx.Response]
) -> Row:
    method, path = route.split()
    return Row(route=(method, path), scopes=tuple(scopes.split()), allowed=allowed, foreign=foreign, call=call)


def body(value: dict[str, Any]) -> dict[str, Any]:
    return {"json": value}


# A list is never refused for mailboxes: it leaves out what is foreign (see test_lists_leave_out_what_is_foreign).
TABLE: Final = (
    row("GET /v1/me", "", 200, None, lambda door, _: door.get("/v1/me")),
    row("GET /v1/audit", "", 200, None, lambda door, _: door.get("/v1/audit")),
    # Others' entries are there for audit:read only; own ones are in tests/api/test_audit.
    row("GET /v1/audit/{entry_id}", "audit:read", 200, None, lambda door, it: door.get(f"/v1/audit/{it.entry}")),
    row(
        "POST /v1/certificates",
        "certificates:issue",
        201,
        403,
        lambda door, it: door.post("/v1/certificates", content=csr(f"a@{it.domain}"), headers=PKCS10),
    ),
    row(
        "POST /v1/certificates",
        "certificates:issue",
        201,
        403,
        lambda door, it: door.post(
            "/v1/certificates", **body({"csr": csr(None).decode(), "mailboxes": [f"b@{it.domain}"]})
        ),
    ),
    row(
        "POST /v1/certificates/pkcs12",
        "certificates:issue",
        201,
        403,
        lambda door, it: door.post("/v1/certificates/pkcs12", **body({"mailboxes": [f"c@{it.domain}"], "key": "p256"})),
    ),
    row("GET /v1/certificates", "certificates:read", 200, 200, lambda door, _: door.get("/v1/certificates")),
    row(
        "GET /v1/certificates",
        "certificates:read",
        200,
        403,
        lambda door, it: door.get("/v1/certificates", params={"mailbox": it.mailbox}),
    ),
    row(
        "GET /v1/certificates/{serial}",
        "certificates:read",
        200,
        404,
        lambda door, it: door.get(f"/v1/certificates/{it.serial}"),
    ),
    row(
        "POST /v1/certificates/{serial}/revocation",
        "certificates:revoke",
        201,
        404,
        lambda door, it: door.post(
            f"/v1/certificates/{it.serial}/revocation", **body({"reason": "cessationOfOperation"})
        ),
    ),
    row(
        "POST /v1/identities",
        "identities:manage",
        200,
        403,
        lambda door, it: door.post("/v1/identities", **body({"mailbox": it.mailbox})),
    ),
    row("GET /v1/identities", "identities:manage", 200, 200, lambda door, _: door.get("/v1/identities")),
    row(
        "GET /v1/identities/{mailbox:path}",
        "identities:manage",
        200,
        403,
        lambda door, it: door.get(f"/v1/identities/{it.mailbox}"),
    ),
    row(
        "PUT /v1/identities/{mailbox:path}/pause",
        "identities:manage",
        200,
        403,
        lambda door, it: door.put(f"/v1/identities/{it.mailbox}/pause"),
    ),
    row(
        "DELETE /v1/identities/{mailbox:path}/pause",
        "identities:manage",
        200,
        403,
        lambda door, it: door.delete(f"/v1/identities/{it.mailbox}/pause"),
    ),
    row(
        "POST /v1/identities/{mailbox:path}/renewal",
        "identities:manage",
        201,
        403,
        lambda door, it: door.post(f"/v1/identities/{it.mailbox}/renewal"),
    ),
    row(
        "POST /v1/sign",
        "messages:sign",
        200,
        403,
        lambda door, it: door.post("/v1/sign", content=door.mail(sender=it.mailbox), headers=RFC822),
    ),
    row(
        "POST /v1/verify",
        "messages:verify",
        200,
        200,
        lambda door, it: door.post("/v1/verify", content=door.mail(sender=it.mailbox), headers=RFC822),
    ),
    row(
        "POST /v1/verify",
        "messages:verify messages:verify-custom",
        200,
        200,
        lambda door, it: door.post(
            "/v1/verify", content=door.mail(sender=it.mailbox), params={"options": "{}"}, headers=RFC822
        ),
    ),
    row(
        "POST /v1/encrypt",
        "messages:encrypt",
        200,
        200,
        lambda door, it: door.post(
            "/v1/encrypt", content=door.mail(sender=it.mailbox), params={"to": it.mailbox}, headers=RFC822
        ),
    ),
    row(
        "POST /v1/encrypt",
        "messages:encrypt messages:sign",
        200,
        403,
        lambda door, it: door.post(
            "/v1/encrypt",
            content=door.mail(sender=it.mailbox),
            params={"to": it.mailbox, "sign": "true"},
            headers=RFC822,
        ),
    ),
    # A foreign message is answered like one for nobody.
    row(
        "POST /v1/decrypt",
        "messages:decrypt",
        200,
        422,
        lambda door, it: door.post("/v1/decrypt", content=it.sealed, headers=RFC822),
    ),
    row(
        "POST /v1/decrypt",
        "messages:decrypt",
        200,
        403,
        lambda door, it: door.post("/v1/decrypt", content=it.sealed, params={"identity": it.mailbox}, headers=RFC822),
    ),
    row(
        "GET /v1/recipients/{mailbox:path}/certificates",
        "recipients:read",
        200,
        200,
        lambda door, it: door.get(f"/v1/recipients/{it.mailbox}/certificates"),
    ),
    # Behind sign, since it ends the identity.
    row(
        "POST /v1/identities/{mailbox:path}/revocation",
        "identities:manage",
        201,
        403,
        lambda door, it: door.post(f"/v1/identities/{it.mailbox}/revocation", **body({"reason": "superseded"})),
    ),
    row("GET /v1/api-keys", "admin", 200, None, lambda door, _: door.get("/v1/api-keys")),
    row("POST /v1/api-keys", "admin", 201, None, lambda door, _: door.post("/v1/api-keys", **body({"name": "n"}))),
    row("GET /v1/api-keys/{key_id}", "admin", 200, None, lambda door, it: door.get(f"/v1/api-keys/{it.api_key}")),
    row(
        "POST /v1/api-keys/{key_id}/rotation",
        "admin",
        201,
        None,
        lambda door, it: door.post(f"/v1/api-keys/{it.api_key}/rotation"),
    ),
    row(
        "DELETE /v1/api-keys/{key_id}",
        "admin",
        204,
        None,
        lambda door, it: door.delete(f"/v1/api-keys/{it.api_key}"),
    ),
)


def objects(door: Door, domain: str) -> Objects:
    """New things of a domain, made by somebody who may everything; the identity is active."""
    made = door.made("/v1/certificates", content=csr(f"victim@{domain}"), headers=PKCS10)
    small = {"mailbox": f"notices@{domain}", "key": "p256", "encryption_key": "p256"}
    identity = door.post("/v1/identities", json=small).json()
    if identity["status"] == "revoked":
        door.made(f"/v1/identities/notices@{domain}/renewal")
    return Objects(
        domain=domain,
        serial=made["serial"],
        entry=door.get("/v1/audit?limit=1").json()["items"][0]["id"],
        api_key=door.made("/v1/api-keys", json={"name": "object"})["id"],
        sealed=door.post(
            "/v1/encrypt", content=door.mail(), params={"to": f"notices@{domain}"}, headers=RFC822
        ).content,
    )


def routes_of(door: Door) -> Iterator[tuple[str, str]]:
    app: FastAPI = door.client.app._app  # type: ignore[attr-defined]  # the application inside the envelope
    for route in iter_route_contexts(app.routes):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, str(route.path)


def test_every_route_is_public_or_in_the_table(door: Door) -> None:
    listed = PUBLIC | {entry.route for entry in TABLE}
    assert sorted(routes_of(door)) == sorted(listed)


def test_nobody_gets_in_without_a_credential(door: Door) -> None:
    theirs = objects(door, "campus.example")
    before = door.rows()
    wrong = [
        (*entry.route, answer.status_code, answer.json()["code"])
        for entry in TABLE
        for stranger in (door.with_key(None), door.with_key("ms_live_wrong"))
        if (answer := entry.call(stranger, theirs)).json()["code"] != "unauthorized" or answer.status_code != 401
    ]
    assert wrong == []
    assert door.rows() == before


def test_each_scope_alone_opens_what_it_is_for_and_nothing_else(door: Door) -> None:
    """All cells of route x scope: 0 wrong."""
    wrong = []
    for scope in SCOPES:
        holder, own = door.as_(scope, mailboxes=(OURS,)), objects(door, "campus.example")
        for entry in TABLE:
            answer = entry.call(holder, own)
            expected = entry.expected(scope)
            if entry.route == ("GET", "/v1/audit/{entry_id}") and expected == 403:
                expected = 404  # for this key the entry is not there
            if answer.status_code != expected:
                wrong.append((*entry.route, scope, answer.status_code, answer.text))
            elif expected == 403 and answer.json()["code"] != "scope_missing":
                wrong.append((*entry.route, scope, answer.json()["code"], answer.text))
    assert wrong == []


def test_no_scope_opens_only_what_any_key_may(door: Door) -> None:
    holder, own = door.as_(mailboxes=(OURS,)), objects(door, "campus.example")
    opened = {entry.route for entry in TABLE if entry.call(holder, own).status_code < 400}
    assert opened == {("GET", "/v1/me"), ("GET", "/v1/audit")}


def test_every_scope_is_of_no_use_for_foreign_mailboxes(door: Door) -> None:
    """All cells of route x foreign object: 0 wrong; a key for another domain, and one for no mailbox at all."""
    foreign = objects(door, "cuhk.example")
    before = door.rows()
    wrong = []
    for mailboxes in ((OURS,), (), ("victim@campus.example",)):
        holder = door.as_(*SCOPES, mailboxes=mailboxes)
        for entry in TABLE:
            if entry.foreign is None:
                continue
            answer = entry.call(holder, foreign)
            if answer.status_code != entry.foreign:
                wrong.append((*entry.route, mailboxes, answer.status_code, answer.text))
            elif entry.foreign == 403 and answer.json()["code"] != "mailbox_not_allowed":
                wrong.append((*entry.route, mailboxes, answer.json()["code"], answer.text))
    assert wrong == []
    made = {name for name, count in door.rows().items() if count != before[name]}
    assert made <= {"api_keys", "audit"}


def test_lists_leave_out_what_is_foreign(door: Door) -> None:
    objects(door, "campus.example")
    objects(door, "cuhk.example")
    holder = door.as_(*SCOPES, mailboxes=(THEIRS,))
    for path, name in (("/v1/certificates", "mailboxes"), ("/v1/identities", "mailbox")):
        items = holder.get(path).json()["items"]
        assert items
        assert "campus.example" not in str([item[name] for item in items])
    assert door.as_(*SCOPES, mailboxes=()).get("/v1/certificates").json()["items"] == []


def test_certificate_is_a_keys_own_only_if_all_its_mailboxes_are(door: Door) -> None:
    both = {"mailbox": ["a@campus.example", "a@cuhk.example"]}
    made = door.made("/v1/certificates", content=csr(None), params=both, headers=PKCS10)
    half = door.as_("certificates:read", "certificates:revoke", "certificates:issue", mailboxes=(OURS,))
    address = f"/v1/certificates/{made['serial']}"
    assert half.get(address).status_code == 404
    assert half.get("/v1/certificates").json()["items"] == []
    assert half.post(f"{address}/revocation", json={"reason": "superseded"}).status_code == 404
    assert half.post("/v1/certificates", content=csr(None), params=both, headers=PKCS10).status_code == 403
    assert door.get(address).json()["status"] == "active"


def test_admin_alone_signs_nothing_and_reads_nothing(door: Door) -> None:
    admin, own = door.as_("admin"), objects(door, "campus.example")
    opened = {entry.route[1] for entry in TABLE if entry.call(admin, own).status_code < 400}
    assert opened == {
        "/v1/me",
        "/v1/audit",
        "/v1/api-keys",
        "/v1/api-keys/{key_id}",
        "/v1/api-keys/{key_id}/rotation",
    }


def test_a_scope_that_is_taken_away_counts_at_once(door: Door) -> None:
    made = door.made("/v1/api-keys", json={"name": "n", "scopes": ["certificates:read"]})
    holder = door.with_key(made["key"])
    assert holder.get("/v1/certificates").status_code == 200
    door.delete(f"/v1/api-keys/{made['id']}")
    assert holder.get("/v1/certificates").status_code == 401
