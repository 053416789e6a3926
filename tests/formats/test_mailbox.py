from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import mailbox as of_mailbox
from formats.errors import Malformed
from formats.mailbox import Mailbox, MailboxError, MailboxPattern, parse_domain

# --- reading ---


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("alice@campus.example", "alice@campus.example"),
        ("Alice.Lindgren@CAMPUS.Example", "Alice.Lindgren@campus.example"),
        ("o'neil+list=x@a-b.example", "o'neil+list=x@a-b.example"),
        ("!#$%&'*+-/=?^_`{|}~@campus.example", "!#$%&'*+-/=?^_`{|}~@campus.example"),
        ("zo\xeb@campus.example", "zo\xeb@campus.example"),
        ("registrar@h\xf6gskola.example", "registrar@xn--hgskola-90a.example"),
        ("registrar@xn--hgskola-90a.example", "registrar@xn--hgskola-90a.example"),
        ("registrar@XN--HGSKOLA-90A.example", "registrar@xn--hgskola-90a.example"),
        ("a@1.2.3.example", "a@1.2.3.example"),
        ('"alice"@campus.example', "alice@campus.example"),
        ('"al\\ice"@campus.example', "alice@campus.example"),
        ('"alice b"@campus.example', '"alice b"@campus.example'),
        ('"a\\@\\"b\\\\"@campus.example', '"a@\\"b\\\\"@campus.example'),
        ('"a..b"@campus.example', '"a..b"@campus.example'),
        ('""@campus.example', '""@campus.example'),
        ("a" * 64 + "@campus.example", "a" * 64 + "@campus.example"),
        ("a@" + "b" * 63 + ".example", "a@" + "b" * 63 + ".example"),
    ],
)
def test_reads_mailboxes(text: str, written: str) -> None:
    assert str(Mailbox.parse(text)) == written
    assert str(Mailbox.parse(written)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@campus.example",
        "alice@",
        "alice@localhost",
        "alice@campus.example.",
        "alice@.example",
        "alice@campus..example",
        "alice@-campus.example",
        "alice@campus-.example",
        "alice@cam_pus.example",
        "alice@[192.0.2.1]",
        "alice@[IPv6:2001:db8::1]",
        "alice@192.0.2.1",
        "alice@campus.example\n",
        "alice@campus.example ",
        " alice@campus.example",
        "alice @campus.example",
        "alice\n@campus.example",
        "alice\0@campus.example",
        "alice@campus.example\0.evil.example",
        "Alice <alice@campus.example>",
        "<alice@campus.example>",
        "alice(work)@campus.example",
        "alice@campus.example, bob@campus.example",
        "alice@bob@campus.example",
        ".alice@campus.example",
        "alice.@campus.example",
        "al..ice@campus.example",
        '"alice@campus.example',
        '"a"b"@campus.example',
        '"a\\"@campus.example',
        '"a\nb"@campus.example',
        '"a\\\nb"@campus.example',
        '"alice".b@campus.example',
        "*@campus.example",
        '"*"@campus.example',
        "a" * 65 + "@campus.example",
        "\xe9" * 33 + "@campus.example",
        "a@" + "b" * 64 + ".example",
        "a@" + ".".join(["b" * 60] * 5),
        "a@" + "b." * 5000 + "example",
        "a" * 100_000,
        # nobody can see these
        "\ufeffalice@campus.example",
        "al\u200bice@campus.example",
        "al\u202eice@campus.example",
        "al\u00a0ice@campus.example",
        "al\u2028ice@campus.example",
        "al\u0085ice@campus.example",
        "al\ud800ice@campus.example",
        # IDNA2008 without mappings (RFC 9598 4)
        "alice@H\xd6GSKOLA.example",
        "alice@ho\u0308gskola.example",
        "alice@campus\u3002example",
        "alice@\uff43ampus.example",
        "alice@cam\u00adpus.example",
        "alice@\u2603.example",
        "alice@xn--.example",
        "alice@xn--a.example",
        "alice@xn--campus-.example",
        "alice@xn--\xf6.example",
        "alice@xn--ls8h.example",
        "alice@xn---bbk.example",  # another spelling of xn--bbk
        "alice@" + "\xe9" * 60 + ".example",
        "alice@" + "\xe9." * 60 + "example",
    ],
)
def test_refuses_what_is_no_plain_mailbox(text: str) -> None:
    with pytest.raises(MailboxError):
        Mailbox.parse(text)


def test_error_is_malformed_and_names_no_address() -> None:
    assert issubclass(MailboxError, Malformed)
    with pytest.raises(MailboxError) as caught:
        Mailbox.parse("secret.person@@campus.example")
    assert "secret" not in caught.value.detail


def test_sharp_s_stays_another_domain_than_double_s() -> None:
    """The standard library's IDNA2003 codec would make one domain of the two (RFC 9598 4)."""
    sharp = Mailbox.parse("a@stra\xdfe.example")
    assert sharp.domain == "xn--strae-oqa.example"
    assert not sharp.same_as(Mailbox.parse("a@strasse.example"))


def test_domains_are_shown_with_u_labels() -> None:
    mailbox = Mailbox.parse("registrar@xn--hgskola-90a.example")
    assert mailbox.unicode == "registrar@h\xf6gskola.example"
    assert Mailbox.parse("alice@campus.example").unicode == "alice@campus.example"


def test_local_part_decides_whether_ascii_can_hold_it() -> None:
    assert Mailbox.parse("alice@h\xf6gskola.example").is_ascii
    assert not Mailbox.parse("zo\xeb@campus.example").is_ascii


# --- comparing ---


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("alice@campus.example", "ALICE@Campus.Example", True),
        ("alice@campus.example", '"alice"@campus.example', True),
        ("a@h\xf6gskola.example", "A@xn--hgskola-90a.example", True),
        ("alice@campus.example", "alice@dept.campus.example", False),
        ("zo\xeb@campus.example", "zoe\u0308@campus.example", False),  # never normalised
        ("zo\xeb@campus.example", "ZO\xcb@campus.example", False),  # folded in ASCII only
        ("\u0131@campus.example", "i@campus.example", False),  # Turkish i
        ("\u0130@campus.example", "i\u0307@campus.example", False),
        ("\u212aelvin@campus.example", "kelvin@campus.example", False),  # the Kelvin sign
        ("stra\xdfe@campus.example", "strasse@campus.example", False),
        ("a.b@campus.example", "ab@campus.example", False),
        ("a+x@campus.example", "a@campus.example", False),
    ],
)
def test_compares_ascii_letters_without_case_and_all_else_as_it_is(one: str, other: str, *, same: bool) -> None:
    left, right = Mailbox.parse(one), Mailbox.parse(other)
    assert left.same_as(right) is same
    assert right.same_as(left) is same
    assert (left.key == right.key) is same


# --- patterns ---


@pytest.mark.parametrize(
    ("pattern", "mailbox", "covered"),
    [
        ("alice@campus.example", "ALICE@campus.example", True),
        ("alice@campus.example", "bob@campus.example", False),
        ("*@campus.example", "alice@campus.example", True),
        ("*@CAMPUS.example", "zo\xeb@campus.example", True),
        ("*@campus.example", "alice@dept.campus.example", False),
        ("*@dept.campus.example", "alice@campus.example", False),
        ("*@campus.example", "alice@evilcampus.example", False),
        ("*@h\xf6gskola.example", "a@xn--hgskola-90a.example", True),
        ("*@campus.example", '"a@b"@campus.example', True),
        ("*@campus.example", '"*@campus.example"@evil.example', False),
    ],
)
def test_pattern_covers_one_mailbox_or_exactly_one_domain(pattern: str, mailbox: str, *, covered: bool) -> None:
    assert MailboxPattern.parse(pattern).covers(Mailbox.parse(mailbox)) is covered


@pytest.mark.parametrize(
    ("pattern", "other", "covered"),
    [
        ("*@campus.example", "*@campus.example", True),
        ("*@campus.example", "alice@campus.example", True),
        ("alice@campus.example", "Alice@campus.example", True),
        ("alice@campus.example", "*@campus.example", False),
        ("*@campus.example", "*@dept.campus.example", False),
        ("*@campus.example", "alice@dept.campus.example", False),
    ],
)
def test_pattern_covers_narrower_patterns(pattern: str, other: str, *, covered: bool) -> None:
    assert MailboxPattern.parse(pattern).covers_pattern(MailboxPattern.parse(other)) is covered


@pytest.mark.parametrize("text", ["*", "*@", "*@*", "*@*.example", "a*@campus.example", "**@campus.example", "", "*@x"])
def test_refuses_other_stars(text: str) -> None:
    with pytest.raises(MailboxError):
        MailboxPattern.parse(text)


@pytest.mark.parametrize("text", ["*@campus.example", "alice@campus.example"])
def test_pattern_is_written_as_it_is_read(text: str) -> None:
    assert str(MailboxPattern.parse(text)) == text


# --- domains ---


def test_reads_domains_for_settings() -> None:
    assert parse_domain("Campus.Example") == "campus.example"
    assert parse_domain("h\xf6gskola.example") == "xn--hgskola-90a.example"
    for text in ("", "campus", "*.campus.example", ".campus.example", "campus.example\n", "a b.example"):
        with pytest.raises(MailboxError):
            parse_domain(text)


# --- any text ---

letters = st.sampled_from(
    [*'ab.@*"\\ <>()-_1\n\0', "xn--", "\xe9", "e\u0301", "\u0430", "\u200d", ".example", "\ud800"]
)


@given(st.one_of(st.text(max_size=60), st.lists(letters, max_size=20).map("".join)))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_with_our_error(text: str) -> None:
    for candidate in (text, f"{text}@campus.example", f"alice@{text}.example", f"alice@xn--{text}.example"):
        try:
            mailbox = Mailbox.parse(candidate)
        except MailboxError:
            continue
        assert Mailbox.parse(str(mailbox)) == mailbox
        assert mailbox.domain.isascii()
        assert mailbox.unicode
        assert MailboxPattern(None, mailbox.domain).covers(mailbox)


def test_a_label_is_looked_at_once() -> None:
    of_mailbox._a_label.cache_clear()
    for number in range(50):
        Mailbox.parse(f"a{number}@h\xf6gskola.example")
    assert of_mailbox._a_label.cache_info().misses == 2


def test_refuses_labels_of_more_than_63_characters() -> None:
    for label in ("b" * 64, "\xf6" * 64, "xn--" + "b" * 60):
        with pytest.raises(MailboxError):
            parse_domain(f"{label}.example")
