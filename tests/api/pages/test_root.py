from __future__ import annotations

from tests.api.pages.browser import Browser, heading


def test_root_shows_file_fingerprint_and_meaning(browser: Browser) -> None:
    page = browser.get("/root")
    assert (page.status_code, heading(page)) == (200, "Campus root")
    assert "AB AB" in page.text
    assert 'href="/v1/authorities/root.crt"' in page.text
    for words in (
        "What adding it means",
        "First compare the fingerprint",
        "does not work for web sites",
        "Thunderbird",
    ):
        assert words in page.text


def test_names_are_escaped(browser: Browser) -> None:
    assert "CN=Example &lt;Root&gt;" in browser.get("/root").text
