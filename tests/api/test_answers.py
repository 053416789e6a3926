from __future__ import annotations

import pytest
from starlette.requests import Request

from api import answers
from api.submission import Way


def request(accept: str | None) -> Request:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("accept", [None, "*/*"])
@pytest.mark.parametrize(
    ("way", "is_report", "expected"),
    [
        (Way.RAW, False, "message/rfc822"),
        (Way.FORM, False, "message/rfc822"),
        (Way.JSON, False, "application/json"),
        (Way.RAW, True, "application/json"),
    ],
)
def test_without_a_wish_the_request_decides(accept: str | None, way: Way, is_report: bool, expected: str) -> None:
    assert answers.choose_media(request(accept), way=way, is_report=is_report) == expected


def test_a_wish_decides() -> None:
    assert answers.choose_media(request("application/json"), way=Way.RAW) == "application/json"
    assert answers.choose_media(request("message/rfc822"), way=Way.JSON) == "message/rfc822"
    assert answers.choose_media(request("text/plain"), way=Way.RAW, is_report=True, also=["text/plain"]) == "text/plain"


def test_facts_become_headers() -> None:
    made = answers.message(b"From: a\r\n", facts={"identity": "o'neil+x@campus.example", "changes": ["date", "body"]})
    assert made.headers["mailseal-identity"] == "o'neil+x@campus.example"
    assert made.headers["mailseal-changes"] == "date,body"
    assert made.headers["content-type"] == "message/rfc822"


def test_facts_without_content_are_left_out() -> None:
    assert answers.headers({"changes": (), "record": ""}) == {}


@pytest.mark.parametrize(
    ("identity", "header"), [("学生@campus.example", "%E5%AD%A6%E7%94%9F@campus.example"), ("a%\r\nb", "a%25%0D%0Ab")]
)
def test_facts_cannot_break_out_of_their_header(identity: str, header: str) -> None:
    assert answers.headers({"identity": identity}) == {"Mailseal-Identity": header}
