from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from formats import contents, der


@given(st.lists(st.integers(min_value=0, max_value=2**64), max_size=6), st.integers(0, 2), st.integers(0, 39))
@settings(max_examples=100, deadline=None)
def test_every_identifier_has_one_encoding(arcs: list[int], first: int, second: int) -> None:
    dotted = ".".join(map(str, (first, second, *arcs)))
    assert contents.dotted(der.oid(dotted)[2:]) == dotted


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_octets_are_read_or_none(content: bytes) -> None:
    dotted = contents.dotted(content)
    assert dotted is None or der.oid(dotted)[2:] == content
    assert contents.utc_time(content) is None
    assert contents.generalized_time(content) is None


@given(st.integers(min_value=-(2**70), max_value=2**70))
@settings(max_examples=100, deadline=None)
def test_minimal_integers_have_no_fault_and_padded_ones_have(value: int) -> None:
    content = der.integer(value)[2:]
    assert contents.integer_fault(content) is None
    assert contents.integer_fault((b"\xff" if value < 0 else b"\0") + content) is not None
