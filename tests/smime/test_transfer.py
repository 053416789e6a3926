import binascii
import quopri
import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smime import transfer
from smime.errors import MessageMalformed

lines = st.lists(
    st.one_of(
        st.binary(max_size=120),
        st.text(alphabet="-From .=x \t", max_size=120).map(str.encode),
        st.sampled_from([b"From ", b".", b"--", b"-- ", b"=", b"x" * 75, b"x" * 76, b"x" * 77, b"x" * 74 + b"\xff"]),
    ),
    max_size=6,
)


@pytest.mark.parametrize("body", [b"", b"text", b"text\r\n", b"\r\n\r\n", b"x" * 998 + b"\r\n", b"..\r\n.x\r\n From"])
def test_takes_plain_lines_as_they_are(body: bytes) -> None:
    assert transfer.is_safe(body)


@pytest.mark.parametrize(
    "body",
    [
        b"Gr\xc3\xbc\xc3\x9fe",
        b"a\0b",
        b"a\rb",
        b"a\r\r\nb",
        b"a\nb",
        b"blank \r\nmore",
        b"tab\t\r\n",
        b"blank at the very end ",
        b"From me",
        b"a\r\nFrom me",
        b".",
        b".\r\n",
        b"a\r\n.",
        b"a\r\n.\r\nb",
        b"x" * 999,
        b"a\r\n" + b"x" * 999 + b"\r\n",
    ],
)
def test_sees_what_a_relay_could_alter(body: bytes) -> None:
    assert not transfer.is_safe(body)


@given(lines)
@settings(max_examples=200)
def test_quoted_printable_is_safe_short_and_means_the_same(parts: list[bytes]) -> None:
    text = b"\r\n".join(parts)
    encoded = transfer.encode_quoted_printable(text)
    assert transfer.is_safe(encoded)
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert not any(line.startswith(b"--") for line in encoded.split(b"\r\n"))
    assert transfer.decode(encoded, encoding="quoted-printable") == text
    assert quopri.decodestring(encoded) == text


@given(st.text(alphabet="-.F rom=\u00fc", min_size=70, max_size=400))
@settings(max_examples=200)
def test_quoted_printable_breaks_long_lines_where_nothing_is_at_risk(text: str) -> None:
    encoded = transfer.encode_quoted_printable(text.encode())
    assert transfer.is_safe(encoded)
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert not any(line.startswith(b"--") for line in encoded.split(b"\r\n"))
    assert quopri.decodestring(encoded) == text.encode()


def test_quoted_printable_keeps_lines_over_many_blocks() -> None:
    text = b"".join(b"line %d \xc3\xbc\r\n" % number for number in range(20_000))
    assert transfer.decode(transfer.encode_quoted_printable(text), encoding="quoted-printable") == text


@pytest.mark.parametrize("unit", [b"\xff", b"-", b" ", b"From ", b"."])
def test_quoted_printable_breaks_a_line_without_end(unit: bytes) -> None:
    text = unit * 150_001
    encoded = transfer.encode_quoted_printable(text)
    assert transfer.is_safe(encoded)
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert not any(line.startswith(b"--") for line in encoded.split(b"\r\n"))
    assert quopri.decodestring(encoded) == text


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_base64_has_lines_of_76_and_means_the_same(octets: bytes) -> None:
    encoded = transfer.encode_base64(octets)
    assert transfer.is_safe(encoded)
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    assert transfer.decode(encoded, encoding="base64") == octets


@pytest.mark.parametrize("body", [b"QUJD", b"QU\r\nJD\r\n", b" Q U\tJD"])
def test_base64_may_be_folded_anyhow(body: bytes) -> None:
    assert transfer.decode(body, encoding="base64") == b"ABC"


@pytest.mark.parametrize("body", [b"QUJ", b"QU==QUJD", b"QUJD!", b"Q-JD", b"QUJD\0", b"="])
def test_refuses_base64_that_readers_end_at_different_places(body: bytes) -> None:
    with pytest.raises(MessageMalformed):
        transfer.decode(body, encoding="base64")


def test_quoted_printable_loses_blanks_that_a_relay_added() -> None:
    assert transfer.decode(b"a=20 \t\r\nb  ", encoding="quoted-printable") == b"a \r\nb"


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary"])
def test_what_is_not_encoded_stands_for_itself(encoding: str) -> None:
    assert transfer.decode(b"=41\xff", encoding=encoding) == b"=41\xff"


def test_refuses_an_encoding_that_is_not_known() -> None:
    with pytest.raises(MessageMalformed):
        transfer.decode(b"", encoding="x-uuencode")


@pytest.mark.parametrize("unit", [b"= \r\n", b"a=\r\n", b"x=20 \t\r\n", b"=41=\rlost", b"y" * 90_000 + b"= \t\r\n"])
def test_quoted_printable_in_blocks_means_the_same(unit: bytes) -> None:
    """Blanks at line ends and soft breaks lie across the places where it is cut."""
    body = unit * (200_000 // len(unit) + 2)
    plain = re.sub(rb"[ \t]+\r\n", b"\r\n", body)
    assert transfer.decode(body, encoding="quoted-printable") == binascii.a2b_qp(plain)


def test_quoted_printable_of_nothing_but_soft_breaks_costs_little_memory() -> None:
    body = b"= \r\n" * 250_000
    tracemalloc.start()
    try:
        assert transfer.decode(body, encoding="quoted-printable") == b""
        assert tracemalloc.get_traced_memory()[1] < 8 * len(body)
    finally:
        tracemalloc.stop()
