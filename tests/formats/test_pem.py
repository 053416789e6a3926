from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import pem
from formats.errors import Malformed, TooLarge
from formats.pem import Block, PemError, PemTooLarge
from tests.formats.conftest import MakeCertificate

BODY = "AQIDBA=="
BLOCK = f"-----BEGIN CERTIFICATE-----\n{BODY}\n-----END CERTIFICATE-----\n"


def test_text_around_the_blocks_is_passed_over() -> None:
    text = f"subject: CN=Alice\n{BLOCK}\n--- between ---\n-- \n{BLOCK.replace('CERTIFICATE', 'X509 CRL')}bye"
    assert pem.read_blocks(text.encode()) == [
        Block(label="CERTIFICATE", der=b"\1\2\3\4"),
        Block(label="X509 CRL", der=b"\1\2\3\4"),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", " \t\n", "\n\n"])
def test_line_endings_and_blanks_do_not_matter(ending: str) -> None:
    assert pem.read_blocks(BLOCK.replace("\n", ending).encode())[0].der == b"\1\2\3\4"


def test_blanks_inside_a_line_do_not_matter() -> None:
    assert pem.read_blocks(BLOCK.replace(BODY, "  AQ ID\tBA = =").encode())[0].der == b"\1\2\3\4"


def test_no_blocks_in_other_text() -> None:
    assert pem.read_blocks(b"") == []
    assert pem.read_blocks(b"Dear all,\n-- \nthe bursar") == []


@pytest.mark.parametrize(
    "text",
    [
        BLOCK.replace("-----END CERTIFICATE-----", ""),
        BLOCK.replace("END CERTIFICATE", "END X509 CRL"),
        BLOCK.replace("END CERTIFICATE", "BEGIN CERTIFICATE"),
        BLOCK.replace("-----BEGIN CERTIFICATE-----\n", ""),
        BLOCK.replace("BEGIN CERTIFICATE", "BEGIN "),
        BLOCK.replace("BEGIN CERTIFICATE", "BEGIN  CERTIFICATE"),
        BLOCK.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE---"),
        BLOCK.replace(BODY, ""),
        BLOCK.replace(BODY, "AQIDBA="),
        BLOCK.replace(BODY, "AQIDBA"),
        BLOCK.replace(BODY, "AQIDBA==AQID"),
        BLOCK.replace(BODY, "AQ\u00efBA=="),
        BLOCK.replace(BODY, "AQ-_BA=="),
        BLOCK.replace(BODY, f"Proc-Type: 4,ENCRYPTED\n\n{BODY}"),
    ],
)
def test_refuses_broken_blocks(text: str) -> None:
    with pytest.raises(PemError):
        pem.read_blocks(text.encode())


def test_counts_blocks_to_the_limit() -> None:
    assert len(pem.read_blocks(BLOCK.encode() * 3, max_blocks=3)) == 3
    with pytest.raises(PemTooLarge):
        pem.read_blocks(BLOCK.encode() * 4, max_blocks=3)
    with pytest.raises(PemTooLarge):
        pem.read_blocks(b"\n" * (pem.MAX_SIZE + 1))


def test_errors_are_of_the_two_kinds() -> None:
    assert issubclass(PemError, Malformed)
    assert issubclass(PemTooLarge, TooLarge)


def test_repr_of_a_block_shows_no_content() -> None:
    assert repr(Block(label="PRIVATE KEY", der=b"secret")) == "<Block 'PRIVATE KEY', 6 octets>"


def test_tells_pem_from_der(make_certificate: MakeCertificate) -> None:
    assert pem.is_pem(BLOCK.encode())
    assert pem.is_pem(b"some text\r\n  " + BLOCK.encode())
    assert pem.is_pem(b"0 is a number\n" + BLOCK.encode())
    assert not pem.is_pem(make_certificate())
    assert not pem.is_pem(b"\x30\x82\x01\x00\n" + BLOCK.encode())
    assert not pem.is_pem(b"text with -----BEGIN inside")


def test_unwraps_der_as_it_is_and_pem_by_label() -> None:
    assert pem.unwrap(b"\x30\x00", "CERTIFICATE") == [b"\x30\x00"]
    assert pem.unwrap(BLOCK.encode() * 2, "X509 CRL", "CERTIFICATE") == [b"\1\2\3\4"] * 2
    with pytest.raises(PemError, match="X509 CRL"):
        pem.unwrap(BLOCK.encode(), "X509 CRL")
    with pytest.raises(PemError):
        pem.unwrap(b"", "CERTIFICATE")


@given(st.binary(min_size=1, max_size=300))
@settings(max_examples=100, deadline=None)
def test_what_is_written_reads_back(der: bytes) -> None:
    text = pem.encode("PKCS7", der)
    assert max(map(len, text.splitlines())) <= 64
    assert pem.read_blocks(text.encode()) == [Block(label="PKCS7", der=der)]


@given(st.lists(st.sampled_from([*BLOCK.splitlines(keepends=True), "-----", "-----BEGIN", "A", "=", " ", "\xff"])))
@settings(max_examples=200, deadline=None)
def test_shuffled_lines_bring_only_our_error(parts: list[str]) -> None:
    try:
        assert all(block.der for block in pem.read_blocks("".join(parts).encode("latin-1")))
    except PemError:
        return


def test_openssl_reads_what_we_write(make_certificate: MakeCertificate) -> None:
    der = make_certificate()
    text = pem.encode("CERTIFICATE", der).encode()
    done = subprocess.run(
        ["openssl", "x509", "-outform", "DER"], input=text, capture_output=True, check=True, timeout=60
    )
    assert done.stdout == der
    back = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-text"], input=der, capture_output=True, check=True, timeout=60
    )
    assert pem.unwrap(back.stdout, "CERTIFICATE") == [der]
