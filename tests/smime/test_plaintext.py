import pytest

from smime.message import read_message
from smime.plaintext import body_of, write_plaintext

HEAD = b"From: alice@campus.example\r\nSubject: Fees\r\n"


def plaintext(message: bytes) -> bytes:
    return write_plaintext(read_message(message).root)


def test_content_fields_go_with_the_body_and_nothing_else() -> None:
    fields = b"Content-Type: text/html\r\nContent-Language: en\r\nContent-Transfer-Encoding: 8bit\r\n"
    assert (
        plaintext(HEAD + b"MIME-Version: 1.0\r\n" + fields + b"\r\n\xe5\xad\xb8\r\n")
        == fields + b"\r\n\xe5\xad\xb8\r\n"
    )


def test_there_is_always_a_content_type() -> None:
    assert plaintext(HEAD + b"\r\nx") == b"Content-Type: text/plain; charset=us-ascii\r\n\r\nx"
    assert plaintext(HEAD) == b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"


def test_count_of_an_mbox_stays_behind() -> None:
    assert b"Length" not in plaintext(HEAD + b"Content-Length: 7\r\n\r\nx")


@pytest.mark.parametrize("body", [b"a\nb\n", b"a\r\nb\r\n", b"a\nb\r\n"])
def test_lines_end_with_crlf(body: bytes) -> None:
    assert plaintext(HEAD + b"\r\n" + body).endswith(b"\r\n\r\na\r\nb\r\n")


BINARY = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\n\r\n\r\xff\n"


def test_octets_of_a_binary_body_are_no_lines() -> None:
    assert plaintext(HEAD + BINARY).endswith(b"\r\n\r\n\x00\n\r\n\r\xff\n")


def test_binary_part_further_in_keeps_the_whole_body_as_it_was_given() -> None:
    whole = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + BINARY + b"\r\n--b--\r\n"
    root = read_message(whole).root
    assert body_of(root) == whole.partition(b"\r\n\r\n")[2]


def test_binary_text_has_lines() -> None:
    message = HEAD + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\n"
    assert plaintext(message).endswith(b"\r\n\r\na\r\nb\r\n")
