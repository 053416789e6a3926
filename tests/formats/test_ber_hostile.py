from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import der
from formats.ber import BerError, BerTooLarge, Element, is_der, read, read_der
from tests.formats.conftest import ACCESSORS, READERS, MakeCertificate


def encode_again(element: Element) -> bytes:
    """Write the tree with the DER writer, children first."""
    if not element.constructed:
        return der.encode(element.tag, element.content, constructed=False)
    inner = b"".join(encode_again(child) for child in element.children)
    return der.encode(element.tag, inner, constructed=True)


def test_certificate_is_written_again_octet_by_octet(make_certificate: MakeCertificate) -> None:
    data = make_certificate()
    assert encode_again(read_der(data)) == data


def test_reads_what_openssl_streams(streamed_cms: bytes) -> None:
    root = read(streamed_cms)
    assert root.indefinite
    assert root.raw == streamed_cms
    assert not is_der(root)
    with pytest.raises(BerError):
        read_der(streamed_cms)
    signed = root.children[1].children[0]
    content = signed.children[2].children[1].children[0]
    assert content.constructed
    assert content.octets() == b"Content-Type: text/plain\r\n\r\nfees are due\r\n" * 200


def touch(element: Element) -> None:
    """Ask every question of every element; only BerError may answer no."""
    waiting = [element]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.children)
        assert len(one.raw) == len(one)
        for accessor in ACCESSORS:
            try:
                accessor(one)
            except BerError:
                continue


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_octets_bring_only_our_errors(data: bytes) -> None:
    for reader in READERS:
        try:
            touch(reader(data))
        except (BerError, BerTooLarge):
            continue


tlv = st.recursive(
    st.builds(
        lambda tag, content: der.encode(tag, content, constructed=False),
        st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 19, 23, 24, 30, 0x80, 0x81]),
        st.binary(max_size=20),
    ),
    lambda inner: st.builds(
        lambda tag, parts, indefinite: (
            bytes((tag | 0x20, 0x80)) + b"".join(parts) + b"\0\0"
            if indefinite
            else der.encode(tag, b"".join(parts), constructed=True)
        ),
        st.sampled_from([0x10, 0x11, 0x04, 0x03, 0x0C, 0x80]),
        st.lists(inner, max_size=4),
        st.booleans(),
    ),
    max_leaves=20,
)


@given(tlv)
@settings(max_examples=200, deadline=None)
def test_well_formed_values_are_read_and_cover_their_octets(data: bytes) -> None:
    root = read(data)
    assert root.raw == data
    touch(root)
    if is_der(root):
        assert encode_again(read_der(data)) == data
    else:
        with pytest.raises(BerError):
            read_der(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_structures_bring_only_our_errors(
    seed: int, streamed_cms: bytes, make_certificate: MakeCertificate
) -> None:
    dice = random.Random(seed)
    for original in (streamed_cms[:1500], streamed_cms, make_certificate()):
        for _ in range(60):
            data = bytearray(original)
            for _ in range(dice.randint(1, 4)):
                at = dice.randrange(len(data))
                choice = dice.randrange(3)
                if choice == 0:
                    data[at] = dice.randrange(256)
                elif choice == 1:
                    del data[at : at + dice.randint(1, 8)]
                else:
                    data[at:at] = dice.randbytes(dice.randint(1, 4))
            for reader in READERS:
                try:
                    touch(reader(bytes(data)))
                except (BerError, BerTooLarge):
                    continue
