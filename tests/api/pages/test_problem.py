from __future__ import annotations

import pytest

from api import errors
from formats.errors import Refusal
from tests.api import made_up
from tests.api.made_up import Client, problem


def test_each_code_has_a_page(client: Client) -> None:
    codes = [leaf.code for module in (errors, made_up) for leaf in vars(module).values() if is_leaf(leaf)]
    assert len(codes) > 20
    for code in codes:
        response = client.get(f"/problems/{code}")
        assert response.status_code == 200
        assert f"<code>{code}</code>" in response.text
        assert "What to do" in response.text


def is_leaf(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Refusal) and "code" in vars(thing)


def test_page_escapes_what_happened(client: Client) -> None:
    assert "It was made up to be &lt;unacceptable&gt;." in client.get("/problems/made_unacceptable").text


def test_page_uses_the_words(client: Client) -> None:
    assert "<h1>Not for you</h1>" in client.get("/problems/made_forbidden").text


def test_list_leads_to_the_pages(client: Client) -> None:
    text = client.get("/problems").text
    assert 'href="/problems/made_conflict"' in text
    assert 'href="/problems/internal_error"' in text


@pytest.mark.parametrize("code", ["nothing", "%3Cb%3E", "REQUEST_INVALID"])
def test_unknown_code(client: Client, code: str) -> None:
    problem(client.get(f"/problems/{code}"), "problem_not_found", 404)
