from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from net.smtp import Relay, Route
from services.delivery import demo_letters
from tests.campus import Campus
from tests.services.deeds import ALICE
from tests.services.letters import SECRET, post, run, with_sender, with_way


def folder(campus: Campus) -> Path:
    return campus.context.settings.data / "outbox"


def test_the_demo_shows_its_letters_newest_first(campus: Campus) -> None:
    post(with_sender(campus), ALICE, "bob@campus.example")
    run(campus)
    newest, oldest = demo_letters(campus.context)
    assert (str(newest.mailbox), str(oldest.mailbox)) == ("bob@campus.example", ALICE)
    assert newest.subject == "Your link to get a certificate at Example University"
    assert newest.links == (f"http://localhost:8000/enrol/{SECRET}",)
    assert SECRET in newest.text
    assert newest.at == campus.clock().replace(microsecond=0)
    assert demo_letters(campus.context, limit=1) == [newest]


@pytest.mark.parametrize("mailbox", ["=?utf-8?q?eve?=@campus.example", "大學@campus.example", '"a <b>"@campus.example'])
def test_an_odd_address_is_shown_as_it_is(campus: Campus, mailbox: str) -> None:
    post(with_sender(campus), mailbox)
    run(campus)
    (letter,) = demo_letters(campus.context)
    assert str(letter.mailbox) == mailbox


def test_nothing_is_shown_where_a_relay_takes_the_letters_or_in_production(campus: Campus) -> None:
    post(with_sender(campus))
    run(campus)
    relay = Relay(Route.from_url("smtp://relay.campus.example"), hello="localhost")
    assert demo_letters(with_way(campus, relay).context) == []
    issuers = replace(campus.context.issuers, campus=replace(campus.context.issuers.campus, demo=False))
    assert demo_letters(replace(campus.context, issuers=issuers)) == []


def test_nothing_is_shown_before_the_first_letter(campus: Campus) -> None:
    assert demo_letters(campus.context) == []


@pytest.mark.parametrize(
    "laid",
    [
        b"",
        b"\x00\xff" * 100,
        b"To: alice@campus.example\r\n\r\nno date",
        b"To: nobody\r\nDate: Mon, 2 Mar 2026 08:30:00 +0000\r\n\r\nno address",
        b"To: a@campus.example\r\nDate: yesterday\r\nContent-Type: text/plain; charset=klingon\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\nContent-Type: multipart/mixed\r\n\r\n" * 1500,
        b"Content-Type: message/rfc822\r\n\r\n" * 2000,
        b"x" * (64 * 1024 + 1),
    ],
    ids=["empty", "noise", "no date", "no address", "no charset", "parts", "deep", "large"],
)
def test_what_is_no_letter_of_ours_is_left_out(campus: Campus, laid: bytes) -> None:
    folder(campus).mkdir(mode=0o700)
    (folder(campus) / f"{'f' * 32}.eml").write_bytes(laid)
    assert demo_letters(campus.context) == []
