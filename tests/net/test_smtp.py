from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from formats.errors import Refusal
from net.connection import Times
from net.errors import AddressNotCarried, LetterRefused, RelayDefers, RelayUnreachable, RelayUnwilling, Stopped
from net.smtp import Encryption, Relay, Route
from tests.net.relays import HANG, HANG_UP, TIMES, Tls, let_in, letter, real_relay, scripted_relay, tls

# Far longer than a test takes: what ends sooner was ended by something else.
PATIENT = Times(command=60, prelude=60, answer=60, grace=0.1)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return tls(tmp_path_factory.mktemp("tls"))


def relay_at(url: str, *, believed: Tls | None = None, times: Times = TIMES) -> Relay:
    return Relay(
        Route.from_url(url), hello="mail.campus.example", tls=believed.client if believed else None, times=times
    )


def send(relay: Relay, *recipients: str) -> None:
    with relay.open() as connection:
        for recipient in recipients or ("alice@campus.example",):
            connection.send(letter(recipient))


@contextmanager
def refused(kind: type[Refusal], match: str) -> Iterator[None]:
    """Refused with this, and with nothing that the other side said."""
    with pytest.raises(kind, match=match) as caught:
        yield
    assert "alice" not in caught.value.detail
    assert "SECRET" not in caught.value.detail


def test_hands_over_envelope_and_octets() -> None:
    with real_relay() as real:
        send(relay_at(real.url))
    (taken,) = real.taken
    assert taken.sender == "mailseal@campus.example"
    assert taken.recipients == ["alice@campus.example"]
    assert taken.data == letter().data
    assert not taken.encrypted


@pytest.mark.parametrize("answer", ["200 fine", "251 will forward", "252 cannot verify", "299 yes"])
def test_any_yes_to_the_content_means_that_the_letter_is_taken(answer: str) -> None:
    with real_relay(answer=answer) as real:
        send(relay_at(real.url), "alice@campus.example", "bob@campus.example")
    assert [taken.recipients for taken in real.taken] == [["alice@campus.example"], ["bob@campus.example"]]
    assert len({taken.session for taken in real.taken}) == 1


@pytest.mark.parametrize(
    ("data", "arrives"),
    [
        (b"Subject: a\r\n\r\n.\r\n..\r\nend", b"Subject: a\r\n\r\n.\r\n..\r\nend\r\n"),
        (
            b"Subject: a\n\n.\nMAIL FROM:<eve@evil.example>\r",
            b"Subject: a\r\n\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n",
        ),
    ],
    ids=["dots and no last line end", "half line ends"],
)
def test_no_line_of_a_letter_ends_it(data: bytes, arrives: bytes) -> None:
    with real_relay() as real, relay_at(real.url).open() as connection:
        connection.send(letter(data=data))
        connection.send(letter())
    assert [taken.data for taken in real.taken] == [arrives, letter().data]


def test_one_connection_carries_several_letters() -> None:
    with real_relay() as real:
        send(relay_at(real.url), "alice@campus.example", "bob@campus.example", '"a <b>, c"@campus.example')
    assert [taken.recipients for taken in real.taken] == [
        ["alice@campus.example"],
        ["bob@campus.example"],
        ['"a <b>, c"@campus.example'],
    ]
    assert len({taken.session for taken in real.taken}) == 1


def test_connects_again_where_a_kept_connection_is_broken() -> None:
    with scripted_relay() as relay, relay_at(relay.url).open() as connection:
        connection.send(letter())
        relay.answers["MAIL"] = b"421 idle for too long\r\n"
        with refused(RelayDefers, "421"):
            connection.send(letter())
        relay.answers["MAIL"] = b"250 ok\r\n"
        connection.send(letter())
    assert [line.split()[0] for line in relay.heard].count("EHLO") == 3
    assert len(relay.letters) == 2


def test_encrypts_where_it_is_offered_whoever_signed_the_certificate(identity: Tls) -> None:
    with real_relay(tls_context=identity.server) as real:
        send(relay_at(real.url))
    assert real.taken[0].encrypted


def test_encrypts_without_fail_where_it_is_required(identity: Tls) -> None:
    with real_relay(tls_context=identity.server) as real:
        send(relay_at(f"{real.url}?starttls=required", believed=identity))
        assert real.taken[0].encrypted
        with refused(RelayUnwilling, "not to be trusted"):
            send(relay_at(f"{real.url}?starttls=required"))
    with real_relay() as plain, refused(RelayUnwilling, "does not offer"):
        send(relay_at(f"{plain.url}?starttls=required", believed=identity))
    assert plain.taken == []


def test_believes_only_a_certificate_that_the_machine_trusts(identity: Tls) -> None:
    with real_relay(ssl_context=identity.server) as real:
        url = f"smtps://127.0.0.1:{real.port}"
        send(relay_at(url, believed=identity))
        with refused(RelayUnwilling, "not to be trusted"):
            send(relay_at(url))
    assert len(real.taken) == 1


def test_logs_in_with_the_credentials_of_the_url(identity: Tls) -> None:
    options = {"authenticator": let_in(b"mail seal", b"p@ss/word"), "auth_required": True, "auth_require_tls": True}
    with real_relay(tls_context=identity.server, **options) as real:
        at = f"127.0.0.1:{real.port}?starttls=required"
        send(relay_at(f"smtp://mail%20seal:p%40ss%2Fword@{at}", believed=identity))
        assert real.taken[0].user == b"mail seal"
        with refused(RelayUnwilling, "535"):
            send(relay_at(f"smtp://mail%20seal:SECRET@{at}", believed=identity))
        with refused(RelayUnwilling, "530"):
            send(relay_at(f"smtp://{at}", believed=identity))
    assert len(real.taken) == 1


def test_shows_no_credential() -> None:
    url = "smtps://user:SECRET@relay.campus.example"
    assert repr(relay_at(url)) == "<Relay relay.campus.example:465>"
    assert "SECRET" not in repr(Route.from_url(url))
    assert "user" not in repr(Route.from_url(url))


def test_reads_ports_and_encryption_from_the_url() -> None:
    assert Route.from_url("smtp://relay") == Route(host="relay", port=25, encryption=Encryption.OFFERED)
    assert Route.from_url("smtp://relay:587?starttls=required").encryption is Encryption.REQUIRED
    assert Route.from_url("smtps://relay").port == 465
    assert Route.from_url("smtp://[::1]:2525").host == "::1"


def test_asks_for_letters_outside_ascii_only_where_they_are_offered() -> None:
    with real_relay(enable_SMTPUTF8=True) as real:
        send(relay_at(real.url), "大學@campus.example", "alice@campus.example")
    assert [taken.recipients for taken in real.taken] == [["大學@campus.example"], ["alice@campus.example"]]
    assert ["SMTPUTF8" in taken.options for taken in real.taken] == [True, False]
    with scripted_relay() as relay, refused(AddressNotCarried, "only addresses in ASCII"):
        send(relay_at(relay.url), "大學@campus.example")
    assert not any(line.startswith("MAIL") for line in relay.heard)


@pytest.mark.parametrize(
    ("at", "answer", "kind", "match"),
    [
        ("greeting", b"421 SECRET\r\n", RelayDefers, "421"),
        ("greeting", b"554 SECRET\r\n", RelayUnwilling, "554"),
        ("greeting", HANG, RelayUnreachable, "in time"),
        ("greeting", HANG_UP, RelayUnreachable, "hung up"),
        ("greeting", b"HTTP/1.1 400 SECRET\r\n", RelayUnreachable, "not SMTP"),
        ("greeting", b"2" * 4_000_000, RelayUnreachable, "not SMTP"),
        ("greeting", b"220-SECRET\r\n" * 400_000, RelayUnreachable, "not SMTP"),
        ("ehlo", HANG, RelayUnreachable, "in time"),
        ("ehlo", b"250-" + b"x" * 4_000_000 + b"\r\n", RelayUnreachable, "not SMTP"),
        ("mail", b"451 alice SECRET\r\n", RelayDefers, "451"),
        ("mail", b"550 SECRET\r\n", RelayUnwilling, "550"),
        ("mail", b"530 SECRET\r\n", RelayUnwilling, "530"),
        ("rcpt", b"451 alice@campus.example SECRET\r\n", RelayDefers, "451"),
        ("rcpt", b"550 alice@campus.example SECRET\r\n", LetterRefused, "550"),
        ("rcpt", b"530 SECRET\r\n", RelayUnwilling, "530"),
        ("rcpt", b"299\xff\xfe\x00 SECRET\r\n", None, ""),
        ("rcpt", b"666 SECRET\r\n", RelayUnreachable, "not SMTP"),
        ("data", b"451 SECRET\r\n", RelayDefers, "451"),
        ("data", b"554 SECRET\r\n", LetterRefused, "554"),
        ("data", b"250 SECRET\r\n", RelayUnreachable, "not SMTP"),
        ("data", HANG, RelayUnreachable, "in time"),
        ("end", b"452 SECRET\r\n", RelayDefers, "452"),
        ("end", b"554 SECRET\r\n", LetterRefused, "554"),
        ("end", b"354 SECRET\r\n", RelayUnreachable, "not SMTP"),
        ("end", HANG, RelayUnreachable, "in time"),
        ("end", HANG_UP, RelayUnreachable, "hung up"),
    ],
)
def test_tells_failures_apart(at: str, answer: bytes | None, kind: type[Refusal] | None, match: str) -> None:
    with scripted_relay(**{at: answer}) as relay:
        if kind is None:
            send(relay_at(relay.url))
        else:
            with refused(kind, match):
                send(relay_at(relay.url))


def test_a_relay_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with refused(RelayUnreachable, "away"):
        send(relay_at(f"smtp://127.0.0.1:{port}"))


def test_a_relay_without_esmtp_is_greeted_the_old_way() -> None:
    with scripted_relay(ehlo=b"502 what\r\n") as relay:
        send(relay_at(relay.url))
    assert "HELO mail.campus.example" in relay.heard
    assert len(relay.letters) == 1


def test_all_that_comes_before_a_letter_s_content_is_bounded_together() -> None:
    hasty = Times(command=60, prelude=0.3, answer=60)
    with scripted_relay(rcpt=HANG) as relay, refused(RelayUnreachable, "in time"):
        send(relay_at(relay.url, times=hasty))


def test_a_broken_challenge_is_no_smtp() -> None:
    with (
        scripted_relay(ehlo=b"250-relay\r\n250 AUTH CRAM-MD5\r\n", auth=b"334 abcde\r\n") as relay,
        refused(RelayUnreachable, "not SMTP"),
    ):
        send(relay_at(relay.url.replace("//", "//user:SECRET@")))
    assert "SECRET" not in " ".join(relay.heard)


def test_a_refused_letter_leaves_the_way_free_for_the_next() -> None:
    with scripted_relay(rcpt=b"550 no\r\n") as relay, relay_at(relay.url).open() as connection:
        with refused(LetterRefused, "550"):
            connection.send(letter())
        relay.answers["RCPT"] = b"250 ok\r\n"
        connection.send(letter())
    assert len(relay.letters) == 1


@pytest.mark.parametrize("at", ["ehlo", "rcpt", "end"])
def test_stopping_ends_what_is_under_way_and_sends_nothing_more(at: str) -> None:
    with scripted_relay(**{at: HANG}) as relay:
        way = relay_at(relay.url, times=PATIENT)

        def stop() -> None:
            assert relay.reached.wait(30)
            way.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with way.open() as connection:
            with pytest.raises(Stopped):
                connection.send(letter())
            with pytest.raises(Stopped):
                connection.send(letter())
        stopper.join()
        with way.open() as late, pytest.raises(Stopped):
            late.send(letter())


def test_stopping_between_letters_takes_back_none() -> None:
    with real_relay() as real:
        way = relay_at(real.url)
        with way.open() as connection:
            connection.send(letter())
            way.stop()
    assert len(real.taken) == 1
