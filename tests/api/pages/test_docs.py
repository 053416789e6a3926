from __future__ import annotations

import re
from typing import Any

import pytest

from api.assembly import Parts, assemble
from api.pages import docs
from api.routers import ROUTERS
from services.authority import SCOPES
from tests.api.made_up import MADE, SITE, Client


@pytest.fixture(scope="module")
def real() -> str:
    """The page of the real calls."""
    parts = Parts(site=SITE, routers=ROUTERS, context=None, is_ready=bool, home=lambda: MADE)
    return Client(assemble(parts)).get("/docs").text


def section(page: str, name: str) -> str:
    return page.partition(f'id="{name}"')[2].partition("</section>")[0]


def test_every_operation_stands_there(client: Client) -> None:
    text = client.get("/docs").text
    for line in ("POST /v1/colours", "GET /v1/colours", "POST /v1/echo", "GET /healthz"):
        assert f"<code>{line}</code>" in text
    assert 'id="model-Colour"' in text
    assert "how it is signed" in text


def test_links_inside_the_page_lead_somewhere(client: Client) -> None:
    text = client.get("/docs").text
    targets = {piece.partition('"')[0] for piece in text.split('id="')[1:]}
    links = {piece.partition('"')[0] for piece in text.split('href="#')[1:]}
    assert links <= targets


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "integer, 1 to 200, default 50"),
        ({"enum": ["a", "b"], "type": "string"}, "a or b"),
        ({"enum": ["a", "b"], "default": "b"}, "a or b, default b"),
        ({"type": "boolean", "default": False}, "boolean, default false"),
        ({"const": "ok"}, "ok"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Colour"}}, "list of Colour"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({}, "anything"),
    ],
)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert docs.kind(schema) == words


def test_backticks_become_code_and_what_they_hold_is_escaped(client: Client) -> None:
    text = client.get("/docs").text
    assert "`" not in text
    assert "<code>Authorization: Bearer ms_live_...</code>" in text


def test_lists_and_answers_have_names_that_people_read(client: Client) -> None:
    text = client.get("/docs").text
    assert "Successful Response" not in text
    assert "Page_" not in text
    assert 'id="model-strPage"' in text
    assert "A piece of the list" in text


def test_operation_says_which_scope_it_needs() -> None:
    spec = {
        "paths": {
            "/v1/a": {
                "get": {"operationId": "a", "security": [{"apiKey": ["x:read"]}], "responses": {}},
                "put": {"operationId": "b", "security": [{"apiKey": []}], "responses": {}},
                "post": {"operationId": "c", "responses": {}},
            }
        }
    }
    found = {operation.name: (operation.public, operation.scopes) for _, operation in docs.operations(spec)}
    assert found == {"a": (False, ("x:read",)), "b": (False, ()), "c": (True, ())}


def test_real_page_shows_no_backtick_and_no_empty_table(real: str) -> None:
    assert "`" not in real
    assert "<code>Mailseal-Record</code> of a signature" in real
    assert not re.search(r"<tbody>\s*</tbody>", real)


def test_values_of_an_enum_stand_there(real: str) -> None:
    shown = section(real, "model-Verdict")
    assert re.findall("<code>(.*?)</code>", shown) == ["valid", "invalid", "indeterminate", "not_signed"]
    assert "What a message, or one of its signers, is." in shown


def test_every_scope_is_listed_and_explained(real: str) -> None:
    rows = re.findall("<dt><code>(.*?)</code></dt><dd>(.+?)</dd>", section(real, "scopes"))
    assert [name for name, _ in rows] == list(SCOPES)


def test_members_of_an_object_without_a_name_stand_with_it(real: str) -> None:
    shown = section(real, "verify_message").partition("<h3>Body")[0]
    assert "<code>options</code>" in shown
    assert "<code>options.revocation</code></td><td>hard or soft or off, default hard</td>" in shown
    assert "<code>options.require_email_eku</code></td><td>boolean, default true</td>" in shown


def test_only_calls_that_change_something_take_an_idempotency_key(real: str) -> None:
    assert "every post" not in real.lower()
    for name in ("sign_message", "verify_message", "encrypt_message", "decrypt_message"):
        assert "Idempotency-Key" not in section(real, name)
    assert "Idempotency-Key" in section(real, "issue_certificate")


def test_part_of_a_form_says_what_it_is_and_how_it_is_sent(real: str) -> None:
    for call, parts in (
        ("verify_message", {"anchor": "root.pem", "intermediate": "issuing.pem", "crl": "issuing.crl"}),
        ("encrypt_message", {"certificate": "alice.pem", "message": "mail.eml"}),
    ):
        rows = section(real, call).split("<tr>")
        for name, file in parts.items():
            (row,) = [row for row in rows if f"<code>{name}</code>" in row and f"<code>-F {name}=@{file}</code>" in row]
            assert name == "message" or "PEM or DER, several in one part" in row


def test_what_any_call_may_be_answered_stands_at_the_top(real: str) -> None:
    top = real.partition('id="scopes"')[0]
    for words in ("408: the body came too slowly", "429: a key asks too often", "503: the service is too busy"):
        assert words in top
    assert "<code>Retry-After</code>" in top
