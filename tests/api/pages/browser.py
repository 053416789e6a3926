"""A browser as far as these tests need one: it keeps cookies, says where it comes from, and reads HTML."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.types import ASGIApp

from tests.api.made_up import Client

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
OURS = {"Sec-Fetch-Site": "same-origin"}


class Browser:
    """Calls with the cookies that it was given, and follows nothing by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.client = Client(app)
        self.cookies: dict[str, str] = {}

    def call(self, method: str, url: str, **more: Any) -> httpx.Response:
        held = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Accept": ACCEPT, **({"Cookie": held} if held else {}), **more.pop("headers", {})}
        answer = self.client.call(method, url, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def get(self, url: str, **headers: str) -> httpx.Response:
        return self.call("GET", url, headers=headers)

    def post(self, url: str, fields: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        headers = more.pop("headers", OURS)
        if not more:
            more = {"content": urlencode(fields or {})}
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self.call("POST", url, headers=headers, **more)


def hidden(page: httpx.Response, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


def heading(page: httpx.Response) -> str:
    """The one heading of the first rank."""
    found = re.findall(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    assert len(found) == 1, page.text
    return html.unescape(found[0])
