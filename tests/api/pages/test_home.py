from __future__ import annotations

from api.pages import home
from tests.api.made_up import Client


def test_shows_lines_root_and_demo(client: Client) -> None:
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "curl &#34;$URL/v1/sign&#34; --data-binary @notice.eml" in response.text
    assert "AB AB" in response.text
    assert 'href="/v1/authorities/root.crt"' in response.text
    assert "This is a demo" in response.text


def test_escapes_what_it_shows(client: Client) -> None:
    assert "CN=Example &lt;Root&gt;" in client.get("/").text


def test_loads_only_its_own_style_sheet(client: Client) -> None:
    for path in ("/", "/docs", "/problems", "/problems/request_invalid"):
        text = client.get(path).text
        assert "<script" not in text
        assert "style=" not in text
        assert "http://" not in text.replace("http://www", "")
        sheet = text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert client.get(sheet).headers["content-type"].startswith("text/css")
        assert client.get(sheet).status_code == 200


def test_style_sheet_is_complete_in_itself(client: Client) -> None:
    text = client.get("/static/app.css").text
    assert "url(" not in text
    assert "@import" not in text


def test_fingerprint_in_pairs() -> None:
    assert home.spaced("00ff10") == "00 FF 10"
