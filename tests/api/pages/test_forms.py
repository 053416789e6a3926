"""What comes as a form is read or refused, and never breaks anything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.pages.browser import OURS, Browser
from tests.api.pages.desk import FakeDesk, application

FIELDS = st.lists(
    st.sampled_from([b"of", b"serial", b"=", b"&", b"%", b"%00", b"%FF", b"+", b"e1", b";", b"\xff", b"\x00"])
)
PARTS = st.lists(
    st.sampled_from(
        [
            b"--x", b"--", b"\r\n", b"\r\n\r\n", b"Content-Disposition: form-data; name=message", b"; filename=a",
            b"Content-Disposition: form-data; name=other", b"body", b"\x00", b"Content-Type: text/plain",
        ]
    )
)  # fmt: skip


@settings(max_examples=60)
@given(pieces=FIELDS)
def test_fields(pieces: list[bytes]) -> None:
    headers = {**OURS, "Content-Type": "application/x-www-form-urlencoded"}
    page = Browser(application(FakeDesk())).post("/mine/end", content=b"".join(pieces), headers=headers)
    assert page.status_code in {400, 403}
    assert page.headers["content-type"].startswith("text/html")


@settings(max_examples=60)
@given(pieces=PARTS)
def test_files(pieces: list[bytes]) -> None:
    headers = {**OURS, "Content-Type": "multipart/form-data; boundary=x"}
    desk = FakeDesk()
    page = Browser(application(desk)).post("/check", content=b"".join(pieces), headers=headers)
    assert page.status_code in {200, 400, 422}
    assert (page.status_code == 200) == (len(desk.checked) == 1)
    assert page.headers["content-type"].startswith("text/html")
