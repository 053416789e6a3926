import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smime.errors import FieldMalformed
from smime.tokens import Kind, readable, tokens, unquoted, without_comments


def test_parts_words_and_specials() -> None:
    found = tokens('"A. B" <a.b@c>, d')
    assert [token.text for token in found] == ['"A. B"', "<", "a", ".", "b", "@", "c", ">", ",", "d"]
    assert found[0].kind is Kind.QUOTED
    assert found[1].kind is Kind.SPECIAL
    assert found[2].kind is Kind.ATOM


def test_blanks_and_comments_only_part() -> None:
    assert [(token.text, token.apart) for token in tokens("a(x)b c")] == [("a", False), ("b", True), ("c", True)]


def test_comments_nest_and_may_hold_escaped_brackets() -> None:
    assert [token.text for token in tokens(r"(a (b \) c) d) e")] == ["e"]


@pytest.mark.parametrize("text", ["(", "(()", r"(\)", '"', r'"\"', "[1.2.3.4]", ")", "\\"])
def test_refuses_what_does_not_close_or_is_no_token(text: str) -> None:
    with pytest.raises(FieldMalformed):
        tokens(text)


def test_refuses_comments_nested_without_end() -> None:
    with pytest.raises(FieldMalformed):
        tokens("(" * 3000 + ")" * 3000)


def test_quotes_protect_brackets() -> None:
    assert without_comments('a "(b)" (c) d') == 'a "(b)"   d'


def test_unquotes() -> None:
    assert unquoted(r'"a \"b\" \\c"') == r'a "b" \c'


@pytest.mark.parametrize("value", [b"a\0b", b"a\rb", b"a\x7fb", b"\xff", "a\u2028b".encode(), "a\x85b".encode()])
def test_refuses_controls_and_what_is_not_utf8(value: bytes) -> None:
    with pytest.raises(FieldMalformed):
        readable(value)


@given(st.text(alphabet='()"\\<>@,;:. a[]\u00e9', max_size=60))
@settings(max_examples=200)
def test_nothing_but_its_own_error_escapes(text: str) -> None:
    for read in (tokens, without_comments):
        try:
            read(text)
        except FieldMalformed:
            continue
