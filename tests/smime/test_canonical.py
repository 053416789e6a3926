import base64
import email
import email.policy
from collections.abc import Iterator
from email.message import Message as Parsed

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smime import transfer
from smime.canonical import inner_fields, make_seven_bit_safe, outer_fields
from smime.entity import Entity, read_entity
from smime.errors import PartNotSafe
from smime.source import Source

PLAIN = "Content-Type: text/plain; charset=us-ascii\r\n\r\n"


def read(text: str | bytes) -> Entity:
    return read_entity(Source(text.encode() if isinstance(text, str) else text))


def made(text: str | bytes) -> tuple[bytes, tuple[str, ...]]:
    return make_seven_bit_safe(read(text))


def as_others_read(octets: bytes) -> list[Parsed]:
    """Every entity as the standard library reads it, whose decoding of bodies is a judge from outside."""
    return list(email.message_from_bytes(octets, policy=email.policy.compat32).walk())


@pytest.mark.parametrize(
    "text",
    [
        PLAIN + "plain\r\n",
        PLAIN,
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n",
        "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n",
        "CONTENT-type:text/plain\r\n\r\n",
        "Content-Type: multipart/mixed;\r\n\tboundary = b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n\r\n--b\r\n\r\n--b--\r\n\r\nend",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--",
        "Content-Type: message/rfc822\r\n\r\nFrom: x\r\n\r\nbody",
        "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n",
    ],
)
def test_safe_entities_stay_as_they_are_byte_for_byte(text: str) -> None:
    assert made(text) == (text.encode(), ())


@pytest.mark.parametrize(
    "body",
    [
        "Gr\u00fc\u00dfe\r\n",
        "trailing blank \r\nmore",
        "trailing tab\t",
        "From me to you",
        "two\r\nFrom me",
        ".",
        "two\r\n.\r\nthree",
        "x" * 1200,
        "a lone\rCR",
        "format=flowed \r\n is soft \r\n-- \r\nsignature",
    ],
)
def test_text_at_risk_becomes_quoted_printable(body: str) -> None:
    octets, changes = made("Content-Type: text/plain; charset=utf-8; format=flowed\r\n\r\n" + body)
    assert changes == ("quoted-printable",)
    assert transfer.is_safe(octets)
    (read_back,) = as_others_read(octets)
    assert read_back["Content-Transfer-Encoding"] == "quoted-printable"
    assert read_back["Content-Type"] == "text/plain; charset=utf-8; format=flowed"
    assert read_back.get_payload(decode=True) == body.encode()


@pytest.mark.parametrize("body", [b"\xff\xfe\x00\r\n", b"\0", b"a\rb", b"trailing \r\n", b"x" * 1000])
def test_anything_else_at_risk_becomes_base64(body: bytes) -> None:
    octets, changes = made(b"Content-Type: application/x-thing\r\n\r\n" + body)
    assert changes == ("base64",)
    (read_back,) = as_others_read(octets)
    assert read_back.get_payload(decode=True) == body


def test_text_with_nul_becomes_base64() -> None:
    octets, changes = made(b"Content-Type: text/plain; charset=utf-16le\r\n\r\nh\0i\0")
    assert changes == ("base64",)
    assert as_others_read(octets)[0].get_payload(decode=True) == b"h\0i\0"


@pytest.mark.parametrize("text_type", ["application/octet-stream", "image/x-portable-bitmap"])
def test_a_bare_lf_in_a_binary_part_is_no_line_end(text_type: str) -> None:
    body = b"P4\n1 2\r\n\x00\n\xff\rx"
    head = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n\n--b\nContent-Type: {text_type}\n".encode()
    octets, changes = made(head + b"Content-Transfer-Encoding: binary\n\n" + body + b"\n--b--\n")
    assert changes == ("base64",)
    assert as_others_read(octets)[2].get_payload(decode=True) == body


def test_binary_text_has_lines() -> None:
    octets, changes = made(b"Content-Type: text/plain\nContent-Transfer-Encoding: binary\n\none\ntwo\n")
    assert changes == ("7bit",)
    assert octets.endswith(b"Content-Transfer-Encoding: 7bit\r\n\r\none\r\ntwo\r\n")


def test_an_encoding_that_is_more_than_needed_is_lowered_up_the_tree() -> None:
    octets, changes = made(
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8BIT\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00fc\r\n--b--\r\n"
    )
    assert changes == ("7bit", "quoted-printable")
    outer, inner = as_others_read(octets)
    assert (outer["Content-Transfer-Encoding"], inner["Content-Transfer-Encoding"]) == ("7bit", "quoted-printable")


@pytest.mark.parametrize(
    ("header", "body", "charset", "slug"),
    [
        ("Content-Type: text/plain\r\n", "Gr\u00fc\u00dfe".encode(), "utf-8", "quoted-printable"),
        ("X: y\r\n", "Gr\u00fc\u00dfe".encode(), "utf-8", "quoted-printable"),
        ("Content-Type: text/html; x=y\r\n", b"Gr\xfc\xdfe", "unknown-8bit", "base64"),
    ],
)
def test_a_character_set_that_is_not_named_is_never_guessed(header: str, body: bytes, charset: str, slug: str) -> None:
    octets, changes = made(header.encode() + b"\r\n" + body)
    assert changes == (f"charset-{charset}", slug)
    (read_back,) = as_others_read(octets)
    assert read_back.get_content_charset() == charset
    assert read_back.get_payload(decode=True) == body


def test_a_character_set_that_is_named_stays() -> None:
    octets, changes = made(b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe")
    assert changes == ("quoted-printable",)
    assert b"charset=iso-8859-1" in octets
    assert octets.endswith(b"\r\n\r\nGr=FC=DFe")


@pytest.mark.parametrize(
    ("encoding", "body", "decoded"),
    [
        ("quoted-printable", "From=20\r\nFrom me=FC\r\n", b"From \r\nFrom me\xfc\r\n"),
        ("base64", "QUJD \r\n", b"ABC"),
    ],
)
def test_what_is_encoded_badly_is_encoded_anew(encoding: str, body: str, decoded: bytes) -> None:
    octets, changes = made(f"Content-Transfer-Encoding: {encoding}\r\n\r\n{body}")
    assert changes == (encoding,)
    assert transfer.is_safe(octets)
    assert as_others_read(octets)[0].get_payload(decode=True) == decoded


def test_an_encoded_line_never_reads_as_an_enclosing_boundary() -> None:
    text = (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "=2D-b--\r\ntrailing \r\n--b--\r\n"
    )
    octets, _ = made(text)
    assert as_others_read(octets)[1].get_payload(decode=True) == b"--b--\r\ntrailing"


@pytest.mark.parametrize(
    "text",
    [
        "Content-Transfer-Encoding: x-uuencode\r\n\r\n\u00fc",
        "Content-Transfer-Encoding: base64\r\n\r\nQUJ \r\n",
        "Content-Type: multipart/signed; boundary=b; protocol=x/y; micalg=z\r\n\r\n--b\r\n\r\n\u00fc\r\n--b\r\n\r\ns\r\n--b--",
        "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nblank \r\n--b\r\n\r\ns\r\n--b--",
        "Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\n\u00fc\r\n--b\r\n\r\ns\r\n--b--",
        "Content-Type: message/rfc822\r\n\r\nSubject: Gr\u00fc\u00dfe\r\n\r\nbody",
        "Content-Type: message/rfc822\r\n\r\nnot a header \r\n\r\nbody",
        "Content-Description: \u00fc\r\n\r\nbody",
        "Content-Description: " + "x" * 1000 + "\r\n\r\nbody",
        "Content-Type: application/pdf; name=\u00fc \u00fc.pdf\r\n\r\nbody",
    ],
)
def test_refuses_what_is_at_risk_and_may_not_be_encoded(text: str) -> None:
    with pytest.raises(PartNotSafe):
        made("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n" + text + "\r\n--o--\r\n")


def test_what_somebody_signed_stays_as_it_is() -> None:
    signed = (
        "Content-Type: multipart/signed; boundary=b; protocol=x/y; micalg=z\r\n\r\n--b\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nplain\r\n--b\r\n\r\ns\r\n--b--"
    )
    octets, changes = made(
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\n\u00fc\r\n--o\r\n" + signed + "\r\n--o--\r\n"
    )
    assert signed.encode() in octets
    assert changes == ("charset-utf-8", "quoted-printable")


def test_a_forwarded_message_is_made_safe_inside() -> None:
    octets, changes = made(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        "From: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u00fc"
    )
    assert changes == ("7bit", "quoted-printable")
    outer, inner = as_others_read(octets)
    assert outer["Content-Transfer-Encoding"] == "7bit"
    assert inner["From"] == "x"
    assert inner.get_payload(decode=True) == "\u00fc".encode()


def test_a_global_message_may_be_encoded_whole() -> None:
    inner = "Subject: Gr\u00fc\u00dfe\r\n\r\nbody"
    octets, changes = made("Content-Type: message/global\r\n\r\n" + inner)
    assert changes == ("base64",)
    assert base64.b64decode(octets.partition(b"\r\n\r\n")[2]) == inner.encode()


def test_text_around_parts_that_is_at_risk_is_dropped() -> None:
    octets, changes = made(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\nVorwort f\u00fcr\r\n--b\r\n\r\none\r\n--b--\r\nNachwort \r\n"
    )
    assert changes == ("preamble-dropped", "epilogue-dropped")
    assert octets == b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"


def test_padding_behind_boundaries_goes() -> None:
    octets, _ = made(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \r\n\r\none\r\n--b\t\r\n\r\ntwo\r\n--b-- \r\n"
    )
    assert octets == b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Content-Type: text/plain; \r\n charset=us-ascii\r\n", b"Content-Type: text/plain;\r\n charset=us-ascii\r\n"),
        ("Content-Description: one\r\n \r\n two\r\n", b"Content-Description: one\r\n two\r\n"),
        ("Content-Description: \r\n", b"Content-Description:\r\n"),
        (
            'Content-Disposition: attachment; filename="\u00fc.pdf"\r\n',
            b"Content-Disposition: attachment; filename*=utf-8''%C3%BC%2Epdf\r\n",
        ),
    ],
)
def test_part_headers_lose_blanks_and_8_bit_names(field: str, expected: bytes) -> None:
    octets, changes = made(field + "\r\nbody")
    assert octets == expected + b"\r\nbody"
    assert changes == ("part-header",)


def test_parts_the_header_between_body_and_rest() -> None:
    entity = read("From: a\nContent-Type: text/html\nX: y\nContent-Length: 9\nContent-Language: de\n\nbody")
    assert [one.name for one in outer_fields(entity)] == ["from", "x"]
    assert [one.name for one in inner_fields(entity)] == ["content-type", "content-language"]


def test_a_body_without_type_is_told_to_be_text() -> None:
    octets, _ = make_seven_bit_safe(read("From: a\n\nbody"), fields=inner_fields(read("From: a\n\nbody")))
    assert octets == b"Content-Type: text/plain; charset=us-ascii\r\n\r\nbody"


def leaves(octets: bytes) -> Iterator[tuple[str, bytes]]:
    for one in as_others_read(octets):
        if not one.is_multipart():
            body = one.get_payload(decode=True)
            yield one.get_content_type(), body if isinstance(body, bytes) else b""


bodies = st.lists(
    st.sampled_from(["\u00fc", "From ", "\r\n", ".", "-- ", "x", "=", "\t", "y" * 80, "z" * 990, "\r\n\r\n"]),
    max_size=10,
).map("".join)


@given(
    st.lists(
        st.tuples(st.sampled_from(["text/plain", "text/html", "application/json"]), bodies), min_size=1, max_size=3
    )
)
@settings(max_examples=200)
def test_whatever_the_bodies_are_others_read_the_same_and_nothing_is_at_risk(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"--b\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{body}\r\n" for kind, body in parts)
    octets, _ = made("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + text + "--b--\r\n")
    assert transfer.is_safe(octets)
    assert list(leaves(octets)) == [(kind, body.encode()) for kind, body in parts]
    assert make_seven_bit_safe(read(octets)) == (octets, ())
