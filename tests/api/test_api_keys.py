from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.api_keys import ApiKeyJson, NewApiKeyJson
from services.authority import SCOPES
from tests.api.door import OURS, THEIRS, Door, refused

ORDER = {"name": "library", "scopes": ["messages:sign"], "mailboxes": ["notices@campus.example"]}


def test_makes_a_key_that_is_shown_once(door: Door) -> None:
    answer = door.post("/v1/api-keys", json={**ORDER, "cidrs": ["127.0.0.0/8"], "expires_at": "2999-01-01T00:00:00Z"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert list(made) == list(NewApiKeyJson.model_fields)
    assert answer.headers["location"] == f"/v1/api-keys/{made['id']}"
    assert made["key"].startswith(made["starts_with"])
    shown = door.get(answer.headers["location"])
    assert list(shown.json()) == list(ApiKeyJson.model_fields)
    assert shown.json() == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in shown.text + door.get("/v1/api-keys").text + door.get("/v1/audit").text
    me = door.with_key(made["key"]).get("/v1/me")
    assert me.json() == {
        "name": "library",
        "scopes": ["messages:sign"],
        "mailboxes": ["notices@campus.example"],
        "cidrs": ["127.0.0.0/8"],
        "expires_at": "2999-01-01T00:00:00Z",
    }


def test_me_lists_every_scope_in_one_order(door: Door) -> None:
    assert door.get("/v1/me").json()["scopes"] == list(SCOPES)
    assert door.get("/v1/me").json()["mailboxes"] == [OURS, THEIRS]


def test_empty_lists_mean_none(door: Door) -> None:
    made = door.made("/v1/api-keys", json={"name": "nothing"})
    mine = door.with_key(made["key"])
    assert mine.get("/v1/me").json()["scopes"] == []
    refused(mine.get("/v1/certificates"), "scope_missing", 403)


@pytest.mark.parametrize(
    ("order", "code", "status"),
    [
        ({"scopes": ["messages:read"]}, "scope_unknown", 422),
        ({"mailboxes": ["*@elsewhere.example"]}, "grant_exceeds_own", 403),
        ({"mailboxes": ["nobody"]}, "mailbox_malformed", 400),
        ({"cidrs": ["192.0.2.1/8"]}, "network_malformed", 422),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expiry_refused", 422),
        ({"expires_at": "tomorrow"}, "request_invalid", 422),
        ({"name": ""}, "request_invalid", 422),
        ({"name": None}, "request_invalid", 422),
        ({"test": True}, "request_invalid", 422),
        ({"colour": "red"}, "request_invalid", 422),
    ],
)
def test_refuses_and_stores_nothing(door: Door, order: dict[str, Any], code: str, status: int) -> None:
    before = door.rows()
    refused(door.post("/v1/api-keys", json={**ORDER, **order}), code, status)
    assert door.rows() == before


def test_nobody_grants_what_they_lack(door: Door) -> None:
    admin = door.as_("admin", "messages:verify", mailboxes=("notices@campus.example",))
    refused(admin.post("/v1/api-keys", json=ORDER), "grant_exceeds_own", 403)
    refused(admin.post("/v1/api-keys", json={"name": "x", "mailboxes": [OURS]}), "grant_exceeds_own", 403)
    own = {"name": "x", "scopes": ["messages:verify"], "mailboxes": ["notices@campus.example"]}
    assert admin.made("/v1/api-keys", json=own)["created_by"] == "admin messages:verify"


def test_rotation_gives_a_successor_while_both_live(door: Door) -> None:
    old = door.made("/v1/api-keys", json=ORDER)
    new = door.made(f"/v1/api-keys/{old['id']}/rotation")
    assert (new["id"] != old["id"], new["key"] != old["key"], new["scopes"]) == (True, True, old["scopes"])
    for key in (old["key"], new["key"]):
        assert door.with_key(key).get("/v1/me").status_code == 200
    refused(door.post(f"/v1/api-keys/{new['id']}/rotation"), "two_live_keys", 409)
    assert door.delete(f"/v1/api-keys/{old['id']}").status_code == 204
    refused(door.with_key(old["key"]).get("/v1/me"), "unauthorized", 401)
    assert door.with_key(new["key"]).get("/v1/me").status_code == 200
    refused(door.post(f"/v1/api-keys/{old['id']}/rotation"), "api_key_not_found", 404)


def test_older_key_of_a_rotation_ends_by_itself(door: Door) -> None:
    old = door.made("/v1/api-keys", json=ORDER)
    door.made(f"/v1/api-keys/{old['id']}/rotation")
    door.campus.clock.advance(timedelta(days=8))
    refused(door.with_key(old["key"]).get("/v1/me"), "unauthorized", 401)


def test_delete_ends_at_once_and_leaves_the_entry(door: Door) -> None:
    made = door.made("/v1/api-keys", json=ORDER)
    answer = door.delete(f"/v1/api-keys/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(door.with_key(made["key"]).get("/v1/me"), "unauthorized", 401)
    assert door.get(f"/v1/api-keys/{made['id']}").json()["ended_at"] is not None


def test_lists_newest_first_in_pieces(door: Door) -> None:
    made = [door.made("/v1/api-keys", json={**ORDER, "name": f"key {number}"})["id"] for number in range(3)]
    first = door.get("/v1/api-keys?limit=2").json()
    assert [item["id"] for item in first["items"]] == [made[2], made[1]]
    rest = door.get("/v1/api-keys", params={"limit": 200, "cursor": first["next"]}).json()["items"]
    assert rest[0]["id"] == made[0]


def test_does_not_find_what_is_not_there(door: Door) -> None:
    for method, path in (("GET", "/x"), ("DELETE", "/x"), ("POST", "/x/rotation")):
        refused(door.call(method, f"/v1/api-keys{path}"), "api_key_not_found", 404)


# --- one answer for every wrong credential ----------------------------------------------------------------------------
def test_401_is_the_same_for_every_cause(door: Door) -> None:
    ended = door.made("/v1/api-keys", json=ORDER)
    door.delete(f"/v1/api-keys/{ended['id']}")
    expired = door.made(
        "/v1/api-keys",
        json={**ORDER, "expires_at": (door.campus.clock() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
    elsewhere = door.made("/v1/api-keys", json={**ORDER, "cidrs": ["192.0.2.0/24"]})
    door.campus.clock.advance(timedelta(hours=2))
    causes: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer ms_live_unknown"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \u00e4"},
        {"Authorization": "Basic YTpi"},
        *({"Authorization": f"Bearer {made['key']}"} for made in (ended, expired, elsewhere)),
    ]
    answers = [
        door.client.get("/v1/me", headers={k: v.encode() for k, v in headers.items()} | {"X-Request-Id": "same"})
        for headers in causes
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}


def test_stranger_learns_nothing_of_a_body(door: Door) -> None:
    stranger = door.with_key(None)
    refused(
        stranger.post("/v1/api-keys", content=b"{", headers={"Content-Type": "application/json"}), "unauthorized", 401
    )
    refused(stranger.post("/v1/sign", content=b"", headers={"Content-Type": "image/png"}), "unauthorized", 401)
    refused(stranger.get("/v1/certificates?cursor=wrong"), "unauthorized", 401)


@pytest.mark.parametrize("member", ["scopes", "mailboxes", "cidrs"])
def test_refuses_endless_lists(door: Door, member: str) -> None:
    found = refused(door.post("/v1/api-keys", json={**ORDER, member: ["x"] * 201}), "request_invalid", 422)
    assert found["errors"][0]["pointer"] == f"/{member}"


@pytest.mark.parametrize("path", ["api-keys", "audit", "certificates", "identities"])
def test_every_list_refuses_doubled_parameters(door: Door, path: str) -> None:
    refused(door.get(f"/v1/{path}?limit=1&limit=2"), "parameter_twice", 400)
    refused(door.with_key(None).get(f"/v1/{path}?limit=1&limit=2"), "unauthorized", 401)
