from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smime.content_type import ContentType, Disposition, read_content_type, read_disposition
from smime.errors import FieldMalformed


def test_reads_type_and_parameters_whatever_their_case() -> None:
    read = read_content_type(b'Multipart/SIGNED; Protocol="application/pkcs7-signature"; MICALG=sha-256; boundary=b')
    assert read.media == "multipart/signed"
    assert read.parameters == {"protocol": "application/pkcs7-signature", "micalg": "sha-256", "boundary": "b"}


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        (b"a/b; x=y;", "x", "y"),
        (b'a/b (why) ; x = "y \\"z\\"" (not)', "x", 'y "z"'),
        (b"multipart/mixed; boundary=----=_Part_1", "boundary", "----=_Part_1"),
        (b"multipart/related; type=text/html", "type", "text/html"),
        ('a/b; name="\u00fc.pdf"'.encode(), "name", "\u00fc.pdf"),
        (b"a/b; name*=utf-8''%C3%BC.pdf", "name", "\u00fc.pdf"),
        (b"a/b; name*=iso-8859-1'de'%FC.pdf", "name", "\u00fc.pdf"),
        (b"a/b; name*0=one; name*1=two", "name", "onetwo"),
        (b"a/b; name*1*=%BC; name*0*=utf-8''%C3; name*2=\"%41\"", "name", "\u00fc%41"),
        (b"a/b; name=old.pdf; name*=utf-8''new.pdf", "name", "new.pdf"),
        (b"a/b", "x", ""),
    ],
)
def test_reads_a_parameter(value: bytes, name: str, expected: str) -> None:
    assert read_content_type(value).get(name) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"text",
        b"text/",
        b"/plain",
        b"text plain",
        b"text/plain charset=x",
        b"a/b; boundary=x; boundary=y",
        b"a/b; boundary=x; BOUNDARY=y",
        b"a/b; boundary=x; boundary*=utf-8''y",
        b"a/b; boundary*0=x; boundary*=utf-8''y",
        b"a/b; boundary*0=x; boundary*0*=utf-8''y",
        b"a/b; boundary*0=x; boundary*2=y",
        b"a/b; boundary*=y",
        b"a/b; boundary*=klingon''y",
        b"a/b; boundary*=utf-8''%FF",
        b"a/b; boundary*=us-ascii''%FF",
        b"a/b; boundary*00=x",
        b"a/b; x=y z",
        b'a/b; x="y',
        b"a/b; x=",
        b"a/b; =y",
        b"a/b; x=(y",
        b"a/b; " + b"; ".join(b"p%d=1" % number for number in range(101)),
        b"a/b; name*=utf-8''a%0Ab",
    ],
)
def test_refuses_what_two_readers_could_read_differently(value: bytes) -> None:
    with pytest.raises(FieldMalformed):
        read_content_type(value)


def test_reads_a_disposition() -> None:
    read = read_disposition(b"Attachment; filename=smime.p7s; size=12")
    assert (read.kind, read.parameters["filename"]) == ("attachment", "smime.p7s")


def test_refuses_a_disposition_without_kind() -> None:
    with pytest.raises(FieldMalformed):
        read_disposition(b"; filename=x")


def test_writes_what_it_can_read_again_in_ascii() -> None:
    written = ContentType(
        type="text", subtype="plain", parameters={"charset": "utf-8", "name": "\u00fc b.txt", "x": 'a "b" \\'}
    )
    unfolded = written.encode().replace(b"\r\n", b"")
    assert written.encode().isascii()
    assert read_content_type(unfolded) == written


def test_writes_short_ones_in_one_line() -> None:
    assert ContentType(type="text", subtype="plain", parameters={"charset": "utf-8"}).encode() == (
        b"text/plain; charset=utf-8"
    )
    assert Disposition(kind="inline", parameters={}).encode() == b"inline"


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=40), max_size=4))
@settings(max_examples=200)
def test_any_parameters_survive_writing_and_reading(parameters: dict[str, str]) -> None:
    printable = {name: "".join(filter(str.isprintable, value)) for name, value in parameters.items()}
    written = ContentType(type="a", subtype="b", parameters=printable)
    assert read_content_type(written.encode().replace(b"\r\n", b"")) == written


@pytest.mark.parametrize("read", [read_content_type, read_disposition])
@given(value=st.text(alphabet="ab/;=\"\\*01'%()<> \u00fc", max_size=60))
@settings(max_examples=200)
def test_nothing_but_its_own_error_escapes(read: Callable[[bytes], object], value: str) -> None:
    try:
        read(b"a/b;" + value.encode())
    except FieldMalformed:
        return
