from hypothesis import given, settings
from hypothesis import strategies as st

from smime.source import Source


def test_reads_a_bare_lf_as_crlf_and_leaves_a_lone_cr() -> None:
    assert Source(b"a\nb\r\nc\rd\r\r\n").raw == b"a\r\nb\r\nc\rd\r\r\n"


def test_is_the_same_bytes_where_nothing_changes() -> None:
    given_bytes = b"a\r\nb\r\n"
    assert Source(given_bytes).raw is given_bytes


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"x", b"y" * 3000]), max_size=30), st.data())
@settings(max_examples=200)
def test_finds_what_was_given_for_any_slice_between_lines_or_letters(pieces: list[bytes], data: st.DataObject) -> None:
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(pieces))] * 2)))
    before, middle = b"".join(pieces[:first]), b"".join(pieces[first:second])
    source = Source(b"".join(pieces))
    if before.endswith(b"\r") and b"".join(pieces[first:])[:1] == b"\n":
        return  # a slice that begins inside a CRLF
    if (before + middle).endswith(b"\r") and b"".join(pieces[second:])[:1] == b"\n":
        return
    start = len(Source(before).raw)
    end = len(Source(before + middle).raw)
    assert source.as_given(start, end) == middle
