"""Refusals as pages: for people, on every path that is not for programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.made_up import problem
from tests.api.pages.browser import OURS, Browser, heading


async def stalled() -> AsyncIterator[bytes]:
    """A body that begins and comes no further."""
    yield b"--x"
    await asyncio.Event().wait()


def test_unknown_path_is_a_page_for_a_person(browser: Browser) -> None:
    page = browser.get("/nothing/<b>")
    assert (page.status_code, heading(page)) == (404, "There is no page here")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-request-id"] in page.text
    assert "<b>" not in page.text


def test_wrong_method_is_a_page_with_the_methods(browser: Browser) -> None:
    page = browser.call("DELETE", "/check")
    assert (page.status_code, page.headers["allow"]) == (405, "GET, HEAD, POST")
    assert heading(page) == "This page cannot be opened like that"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json", "image/png", ""])
def test_programs_get_a_problem_everywhere(browser: Browser, accept: str) -> None:
    problem(browser.get("/nothing", Accept=accept), "route_not_found", 404)


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/refuse/made_conflict", "/v1/break", "/ocsp/x/y", "/crl/x.crl"])
def test_paths_for_programs_answer_with_problems(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code >= 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/check?%00", {}),
        ("/mine/%00", {}),
        ("/", {"Content-Length": "many"}),
        ("/enrol", {"Content-Length": "9" * 16}),
    ],
)
def test_what_is_refused_before_any_route_is_a_page_for_a_person(
    browser: Browser, path: str, headers: dict[str, str], logged: list[dict[str, Any]]
) -> None:
    page = browser.get(path, **headers)
    assert (page.status_code, heading(page)) == (400, "We could not read this")
    assert page.headers["x-request-id"] in page.text
    assert [entry["problem"] for entry in logged if entry["event"] == "request"] == ["request_malformed"]
    problem(browser.get(path, **headers, Accept="*/*"), "request_malformed", 400)
    problem(browser.get("/v1/colours?%00", **headers), "request_malformed", 400)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"x", {"Content-Length": "999999999"}, 413),
        (None, {"Content-Length": "100"}, 408),
        (None, {"Transfer-Encoding": "chunked"}, 408),
    ],
)
def test_too_large_and_too_slow_are_pages_for_a_person(
    browser: Browser, content: bytes | None, headers: dict[str, str], status: int
) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    page = browser.post("/check", content=content or stalled(), headers={**OURS, **kind, **headers})
    assert page.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["connection"] == "close"


def test_unknown_problem_is_a_page(browser: Browser) -> None:
    page = browser.get("/problems/nothing")
    assert page.status_code == 404
    assert "There is no problem with this code." in page.text


def test_codes_are_logged_as_ever(browser: Browser, logged: list[dict[str, Any]]) -> None:
    browser.get("/nothing")
    assert [entry["problem"] for entry in logged if entry["event"] == "request"] == ["route_not_found"]


@pytest.mark.parametrize(
    "path", ["/", "/root", "/enrol", "/check", "/outbox", "/enrol/x", "/mine", "/nothing", "/docs"]
)
def test_every_page_has_its_frame(browser: Browser, path: str) -> None:
    page = browser.get(path)
    text = page.text
    assert '<html lang="en">' in text
    for once in ("<h1>", "<main id=", "<header ", "<footer>", '<nav aria-label="Main">', '<meta name="viewport"'):
        assert text.count(once) == 1, once
    assert "DEMO - DO NOT TRUST" in text
    assert text.count(" style=") + text.count(" onclick=") + text.count("<style") == 0


@pytest.mark.parametrize("path", ["/enrol", "/check", "/outbox", "/enrol/x", "/mine"])
def test_pages_with_forms_load_one_script_of_ours(browser: Browser, path: str) -> None:
    page = browser.get(path)
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    source = page.text.partition('<script src="')[2].partition('"')[0]
    script = browser.get(source)
    assert (script.status_code, page.text.count("<script")) == (200, 1)
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]


def test_pages_without_forms_load_no_script(browser: Browser) -> None:
    for path in ("/", "/root", "/docs", "/problems"):
        page = browser.get(path)
        assert "<script" not in page.text
        assert "script" not in page.headers["content-security-policy"]
