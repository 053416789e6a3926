from __future__ import annotations

import base64

import httpx
import pytest

from api import paging
from api.errors import CursorMalformed
from tests.api.made_up import Client, problem


def all_pages(client: Client, url: str) -> list[list[str]]:
    pages = []
    while url:
        response = client.get(url)
        assert response.status_code == 200
        pages.append(response.json()["items"])
        link = response.links.get("next")
        assert (link is None) == (response.json()["next"] is None)
        url = link["url"] if link else ""
    return pages


def test_follows_next_to_the_end(client: Client) -> None:
    pages = all_pages(client, "/v1/colours?limit=50")
    assert [len(page) for page in pages] == [50, 50, 20]
    items = [item for page in pages for item in page]
    assert items == sorted(set(items), reverse=True)


def test_last_full_page_has_no_next(client: Client) -> None:
    assert [len(page) for page in all_pages(client, "/v1/colours?limit=60")] == [60, 60]


def test_link_keeps_the_filters(client: Client) -> None:
    link = client.get("/v1/colours?name=a%26b&limit=3").links["next"]["url"]
    parameters = httpx.URL(link).params
    assert (parameters["name"], parameters["limit"]) == ("a&b", "3")


def test_default_limit(client: Client) -> None:
    assert len(client.get("/v1/colours").json()["items"]) == 50


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1.5"])
def test_limit_out_of_range(client: Client, limit: str) -> None:
    problem(client.get(f"/v1/colours?limit={limit}"), "request_invalid", 422)


def test_cursor_comes_back_as_it_went() -> None:
    assert paging.read_cursor(paging.write_cursor("0190-abc", of="ab")) == ("0190-abc", "ab")


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "ä", "AAAA"])
def test_cursor_that_is_no_base64_of_ours(cursor: str) -> None:
    with pytest.raises(CursorMalformed):
        paging.read_cursor(cursor)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"1",
        b"[" * 300,
        b"[" * 100_000,
        b'{"v": 2}',
        b'{"v": 1, "before": "a"}',
        b'{"v": 2, "before": "a"}',
        b'{"v": 1, "before": "a", "of": "b"}',
        b'{"v": 2, "before": 1, "of": "b"}',
        b'{"v": 2, "before": "a", "of": 1}',
        b'{"v": 2, "before": "a\\u0000", "of": "b"}',
        b'{"v": 2, "before": "a", "of": "b", "x": 1}',
    ],
)
def test_cursor_with_other_members(text: bytes) -> None:
    with pytest.raises(CursorMalformed):
        paging.read_cursor(base64.urlsafe_b64encode(text).decode())


def test_foreign_cursor_is_400(client: Client) -> None:
    found = problem(client.get("/v1/colours?cursor=x"), "cursor_malformed", 400)
    assert found["errors"][0]["pointer"] == "/cursor"
    problem(client.get("/v1/colours?cursor=" + "x" * 600), "request_invalid", 422)


@pytest.mark.parametrize("query", ["limit=1&limit=2", "name=a&limit=1&name=a", "x=1&x=2"])
def test_refuses_doubled_parameters(client: Client, query: str) -> None:
    found = problem(client.get(f"/v1/colours?{query}"), "parameter_twice", 400)
    assert found["errors"][0]["pointer"] == "/" + query.partition("=")[0]


def test_cursor_is_for_its_own_list_and_filters(client: Client) -> None:
    cursor = client.get("/v1/colours?limit=2&name=a").json()["next"]
    assert client.get("/v1/colours", params={"limit": 9, "cursor": cursor, "name": "a"}).status_code == 200
    for others in ({}, {"name": "b"}, {"name": "A"}, {"name": ""}):
        answer = client.get("/v1/colours", params={"limit": "2", "cursor": cursor, **others})
        assert "other filters" in problem(answer, "cursor_malformed", 400)["detail"]
