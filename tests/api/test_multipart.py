from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import multipart
from api.errors import BodyTooLarge, MultipartMalformed, ParameterTwice, UnknownParameter
from api.multipart import Budget
from formats.errors import Refusal

BUDGETS = (Budget(frozenset({"message"}), 100), Budget(frozenset({"a", "b"}), 10, repeats=True))
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


@pytest.mark.parametrize("name", ["Content-Disposition", "Content-Type", "X"])
def test_header_line_of_a_part_is_bounded(name: str) -> None:
    start = b"--xyz\r\nContent-Disposition: form-data; name=a\r\n" if name != "Content-Disposition" else b"--xyz\r\n"
    value = b'form-data; name=a; filename="%s"'
    room = multipart.LINE_OCTETS - len(f"{name}: {(value % b'').decode()}")
    for size, error in ((room, None), (room + 1, MultipartMalformed)):
        body = start + name.encode() + b": " + value % (b"y" * size) + b"\r\n\r\n1\r\n--xyz--\r\n"
        with pytest.raises(error) if error else contextlib.nullcontext():
            assert read(body) == [("a", b"1")]


def test_header_lines_of_a_part_are_counted() -> None:
    line = b"X: y\r\n"
    head = b"--xyz\r\nContent-Disposition: form-data; name=a\r\n"
    for more, error in ((multipart.LINES - 1, None), (multipart.LINES, MultipartMalformed)):
        with pytest.raises(error) if error else contextlib.nullcontext():
            assert read(head + line * more + b"\r\n1\r\n--xyz--\r\n") == [("a", b"1")]


def test_parameters_of_a_part_are_counted() -> None:
    head = b"--xyz\r\nContent-Disposition: form-data; name=a"
    assert read(head + b";" * (multipart.PARAMETERS - 1) + b"\r\n\r\n1\r\n--xyz--\r\n") == [("a", b"1")]
    with pytest.raises(MultipartMalformed, match="parameters"):
        read(head + b";" * multipart.PARAMETERS + b"\r\n\r\n1\r\n--xyz--\r\n")


def test_second_part_of_a_name_is_refused_by_its_header() -> None:
    with pytest.raises(ParameterTwice, match="message"):
        read(form(("message", b"1"), end=b"--xyz\r\nContent-Disposition: form-data; name=message\r\n\r\n"))


def test_delimiters_are_counted_even_where_no_part_begins() -> None:
    with pytest.raises(BodyTooLarge, match="parts"):
        read(b"--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"\r\n--xyzq" * (multipart.PARTS + 2))


def test_blanks_behind_a_boundary_end() -> None:
    assert read(form(("message", b"1"), end=b"--xyz  \r\n" + form(("a", b""))[7:])) == [("message", b"1"), ("a", b"")]
    with pytest.raises(MultipartMalformed, match="blanks"):
        read(form(("message", b"1"), end=b"--xyz" + b" " * 200), size=50)


def test_content_type_without_end_names_no_boundary() -> None:
    with pytest.raises(MultipartMalformed, match="boundary"):
        read(form(("a", b"")), content_type=TYPE + ";" * multipart.LINE_OCTETS)


def test_long_form_is_read_beside_the_loop() -> None:
    readers: list[int] = []

    class Chunk(bytes):
        def count(self, *given: Any) -> int:
            readers.append(threading.get_ident())
            return super().count(*given)

    async def chunks() -> AsyncIterator[bytes]:
        yield Chunk(form(("a", b""), end=b""))
        yield Chunk(b"--xyz\r\nContent-Disposition: form-data; name=message\r\n\r\n" + b"y" * multipart.ON_THE_LOOP)
        yield Chunk(b"\r\n--xyz--\r\n")

    budgets = (Budget(frozenset({"message", "a"}), 1 << 20),)
    parts = asyncio.run(multipart.read_form(chunks(), content_type=TYPE, budgets=budgets))
    assert [len(content) for _, content in parts] == [0, multipart.ON_THE_LOOP]
    here = threading.get_ident()
    assert [reader == here for reader in readers] == [True, False, False]


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
