"""From a browser alone: address, letter, link, file, its end; with and without JavaScript."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.campus import csr
from tests.nss import nss
from tests.openssl import openssl
from tests.pages.visit import Visit
from tests.programs import require


def test_from_address_to_file_and_to_its_end(visit: Visit, tmp_path: Path) -> None:
    address = visit.enter()
    if visit.script:
        visit.make_file(key=None)
    else:
        visit.make_file(format_="For older programs")
    file, passphrase = visit.save_file(tmp_path)
    assert file.name.startswith(address.partition("@")[0])
    opens_with_openssl(file, passphrase, address=address, legacy=not visit.script)
    opens_with_nss(file, passphrase)

    visit.follow("Show my certificates")
    visit.arrive("My certificates")
    number = visit.page.locator(".certificates .mono").inner_text().replace(" ", "").lower()
    assert status(visit, number) == "active"
    visit.page.get_by_label("Why end it?").select_option(label="Lost or stolen")
    visit.press("End it")
    expect(visit.page.get_by_role("status")).to_contain_text("The certificate was ended")
    assert visit.page.locator(".certificates .tag").all_inner_texts() == ["Ended"]
    assert visit.page.get_by_role("button", name="End it").count() == 0
    assert status(visit, number) == "revoked"

    visit.press("Close")
    visit.page.wait_for_url("**/")
    visit.page.goto("/mine")
    visit.arrive("No certificates are open in this browser")
    visit.expect_complaint(403)


def opens_with_openssl(file: Path, passphrase: str, *, address: str, legacy: bool) -> None:
    command = ["pkcs12", *(["-legacy"] if legacy else []), "-in", str(file), "-nodes", "-passin"]
    opened = openssl(*command, f"pass:{passphrase}")
    assert opened.ok, opened.text
    assert (opened.out.count(b"BEGIN CERTIFICATE"), opened.out.count(b"PRIVATE KEY-----")) == (3, 2)
    assert f"email:{address}" in openssl("x509", "-noout", "-ext", "subjectAltName", given=opened.out).text
    assert not openssl(*command, "pass:wrong").ok


def opens_with_nss(file: Path, passphrase: str) -> None:
    require("pk12util", package="libnss3-tools")
    listed = nss("pk12util", "-l", file, "-W", passphrase)
    assert listed.ok, listed.text
    assert not nss("pk12util", "-l", file, "-W", "wrong").ok


def status(visit: Visit, serial: str) -> str:
    found: str = visit.service.http.get(f"/v1/certificates/{serial}").json()["status"]
    return found


def test_request_made_by_a_program(visit: Visit, tmp_path: Path) -> None:
    address = visit.enter()
    visit.send_request(b"no request")
    expect(visit.page.locator("#request-fault")).to_contain_text("Error:")
    visit.expect_complaint(400)

    visit.send_request(bytes(2 * 1024 * 1024))
    visit.arrive("This file is too large")
    visit.expect_complaint(413)

    visit.page.goto("/mine")
    visit.send_request(csr(address))
    visit.arrive("Your certificate")
    with visit.page.expect_download() as coming:
        visit.page.get_by_role("link", name="Save ").click()
    coming.value.save_as(tmp_path / "chain.pem")
    assert (tmp_path / "chain.pem").read_bytes().count(b"BEGIN CERTIFICATE") == 3
    assert coming.value.suggested_filename.endswith(".pem")


# --- what people do besides -------------------------------------------------------------------------------------------
def test_double_click_copy_reload_back_and_a_second_address(scripted: Visit, tmp_path: Path) -> None:
    scripted.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    scripted.enter()
    scripted.page.get_by_role("button", name="Make my file").dblclick()
    _, passphrase = scripted.save_file(tmp_path)
    scripted.press("Copy")
    scripted.page.get_by_role("button", name="Copied").wait_for()
    assert scripted.page.evaluate("navigator.clipboard.readText()") == passphrase

    scripted.page.reload()
    expect(scripted.page.get_by_role("alert")).to_contain_text("The file was handed out once")
    assert passphrase not in scripted.page.content()
    assert scripted.page.locator(".certificates .tag").all_inner_texts() == ["Active"]
    scripted.expect_complaint(409)

    scripted.page.go_back()
    scripted.arrive("My certificates")
    scripted.make_file()
    scripted.save_file(tmp_path)
    scripted.follow("Show my certificates")
    scripted.arrive("My certificates")

    first = scripted.page
    scripted.page = first.context.new_page()
    scripted.listen(scripted.page)
    scripted.enter()
    first.get_by_role("button", name="Make my file").click()
    expect(first.locator("h1")).to_have_text("Another address is open in this browser now")
    scripted.expect_complaint(409)


def test_link_in_two_tabs_from_elsewhere_and_in_another_browser(scripted: Visit) -> None:
    link = scripted.link(scripted.ask())
    scripted.page.goto(link)
    scripted.page.context.clear_cookies()
    scripted.press("Open my certificates")
    scripted.arrive("Your browser did not keep our cookie")
    scripted.expect_complaint(400)

    other = scripted.page.context.new_page()
    scripted.listen(other)
    for page in (scripted.page, other):
        page.goto(link)
    for page in (scripted.page, other):
        page.get_by_role("button", name="Open my certificates").click()
        expect(page.locator("h1")).to_have_text("My certificates")

    # From another site, as from webmail: the browser keeps the cookie back at first.
    scripted.page.goto(f"{scripted.service.url.replace('localhost', '127.0.0.1')}/root")
    scripted.page.evaluate("there => { location.href = there }", f"{scripted.service.url}{link}")
    scripted.page.wait_for_url("**/mine")
    scripted.arrive("My certificates")

    scripted.page.context.clear_cookies()
    scripted.page.goto(link)
    scripted.arrive("This link does not work any more")
    scripted.expect_complaint(410)
    scripted.follow("Ask for a new link")
    scripted.arrive("Get my certificate")


@pytest.mark.parametrize("address", ["alice", '"><script>alert(1)</script>@campus.example'])
def test_unreadable_address_is_shown_beside_its_field(visit: Visit, address: str) -> None:
    visit.page.goto("/enrol")
    visit.page.get_by_label("Your mail address").fill(address)
    visit.press("Mail me a link")
    expect(visit.page.locator("#fault")).to_contain_text("This is not a mail address")
    assert visit.page.get_by_label("Your mail address").input_value() == address
    visit.expect_complaint(422)
