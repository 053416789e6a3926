from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import multipart
from api.errors import BodyTooLarge, MultipartMalformed, UnknownParameter
from api.multipart import Budget
from formats.errors import Refusal

BUDGETS = (Budget(frozenset({"message"}), 100), Budget(frozenset({"a", "b"}), 10))
TYPE = "multipart/form-data; boundary=xyz"


def form(*parts: tuple[str, bytes], end: bytes = b"--xyz--\r\n") -> bytes:
    made = [
        b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), content)
        for name, content in parts
    ]
    return b"".join(made) + end


def read(body: bytes, *, content_type: str = TYPE, size: int = 1 << 16) -> list[tuple[str, bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    return asyncio.run(multipart.read_form(chunks(), content_type=content_type, budgets=BUDGETS))


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 16])
def test_parts_are_the_same_however_they_are_cut(size: int) -> None:
    parts = [("message", b"From: x\r\n\r\n--xy\r\n\n"), ("a", b""), ("b", b"\x00\xff"), ("a", b"2")]
    assert read(form(*parts), size=size) == parts


@pytest.mark.parametrize("cut", [1, 8, 20, 60, 80, 95])
def test_cut_short_is_malformed(cut: int) -> None:
    whole = form(("message", b"0123456789" * 3))
    assert cut < len(whole)
    with pytest.raises(MultipartMalformed):
        read(whole[:cut])


@pytest.mark.parametrize("body", [b"", b"x", b"--other--", b"--xyz\r\nno header\r\n\r\n"])
def test_other_bytes_are_malformed(body: bytes) -> None:
    with pytest.raises(MultipartMalformed):
        read(body)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", f"x; boundary={'y' * 500}"])
def test_boundary_is_needed(kind: str) -> None:
    with pytest.raises(MultipartMalformed):
        read(form(("a", b"")), content_type=kind)


def test_part_without_a_name() -> None:
    with pytest.raises(MultipartMalformed, match="no name"):
        read(b"--xyz\r\nContent-Type: text/plain\r\n\r\nx\r\n--xyz--\r\n")


def test_unknown_name_is_named() -> None:
    with pytest.raises(UnknownParameter, match="'colour'"):
        read(form(("colour", b"red")))


def test_budget_counts_its_parts_together() -> None:
    assert read(form(("a", b"x" * 5), ("b", b"x" * 5)))
    with pytest.raises(BodyTooLarge):
        read(form(("a", b"x" * 5), ("b", b"x" * 6)))


def test_parts_are_counted() -> None:
    with pytest.raises(BodyTooLarge, match="parts"):
        read(form(*[("a", b"")] * (multipart.PARTS + 1)))


def test_headers_of_a_part_are_bounded() -> None:
    with pytest.raises(MultipartMalformed):
        read(b"--xyz\r\nX: " + b"y" * 1_000_000)


def test_groups_keep_the_order() -> None:
    assert multipart.grouped([("a", b"1"), ("b", b"2"), ("a", b"3")]) == {"a": (b"1", b"3"), "b": (b"2",)}


@given(
    st.lists(
        st.sampled_from([b"--xyz", b"\r\n", b"--", b"Content-Disposition: form-data; name=a", b":", b"x"]), max_size=20
    )
)
@settings(max_examples=200)
def test_only_our_refusals_escape(pieces: list[bytes]) -> None:
    with contextlib.suppress(Refusal):
        read(b"".join(pieces), size=5)
