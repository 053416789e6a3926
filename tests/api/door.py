"""The door of a founded campus, as its clients see it: each call goes through the whole application."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx
from sqlalchemy import func, select

from api.app import create_app
from db.columns import METADATA
from services import api_keys
from services.api_keys import Grant
from services.authority import SCOPES
from services.words.problems import TITLES
from tests.api.made_up import Client
from tests.campus import Campus
from tests.mails import BODIES, SENDER, mail

OURS: Final = "*@campus.example"
THEIRS: Final = "*@cuhk.example"
PKCS10: Final = {"Content-Type": "application/pkcs10"}
RFC822: Final = {"Content-Type": "message/rfc822"}


@dataclass(frozen=True)
class Door:
    """Calls as somebody with this key; without one, as a stranger."""

    campus: Campus
    client: Client
    key: str | None

    def call(self, method: str, url: str, **more: Any) -> httpx.Response:
        headers = {**({"Authorization": f"Bearer {self.key}"} if self.key else {}), **more.pop("headers", {})}
        return self.client.call(method, url, headers=headers, **more)

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.call("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.call("POST", url, **more)

    def put(self, url: str, **more: Any) -> httpx.Response:
        return self.call("PUT", url, **more)

    def delete(self, url: str, **more: Any) -> httpx.Response:
        return self.call("DELETE", url, **more)

    def made(self, url: str, **more: Any) -> dict[str, Any]:
        """What a POST makes; it must be answered with 201."""
        answer = self.post(url, **more)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def identity(self, mailbox: str = SENDER) -> dict[str, Any]:
        """An identity with small keys."""
        return self.made("/v1/identities", json={"mailbox": mailbox, "key": "p256", "encryption_key": "p256"})

    def mail(self, body: bytes = BODIES["plain"], *, sender: str = SENDER) -> bytes:
        """A message of today, by the campus's clock."""
        return mail(body, sender=sender, at=self.campus.clock())

    def signed(self, message: bytes | None = None, **query: str) -> bytes:
        """A signed message."""
        answer = self.post("/v1/sign", content=message or self.mail(), params=query, headers=RFC822)
        assert answer.status_code == 200, answer.text
        return answer.content

    def with_key(self, key: str | None) -> Door:
        """The same door for somebody else."""
        return Door(campus=self.campus, client=self.client, key=key)

    def as_(self, *scopes: str, mailboxes: tuple[str, ...] = (OURS,), **grant: Any) -> Door:
        """The same door for somebody with a new key for just this."""
        made = api_keys.add_local(
            self.campus.context,
            grant=Grant(name=" ".join(scopes) or "nothing", scopes=scopes, mailboxes=mailboxes, **grant),
            request_id="door",
        )
        return self.with_key(made.key)

    def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        with self.campus.context.database.read() as read:
            return {
                table.name: read.values(select(func.count()).select_from(table))[0] for table in METADATA.sorted_tables
            }


def door_of(campus: Campus) -> Door:
    """The door for an administrator of everything."""
    client = Client(create_app(campus.context, titles=TITLES))
    return Door(campus=campus, client=client, key=None).as_(*SCOPES, mailboxes=(OURS, THEIRS))


def refused(answer: httpx.Response, code: str, status: int) -> dict[str, Any]:
    """The problem that the answer must be."""
    found: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert (found["code"], answer.status_code) == (code, status), found
    assert found["title"] == TITLES.get(code, HTTPStatus(status).phrase)
    assert found["request_id"] == answer.headers["x-request-id"]
    return found
