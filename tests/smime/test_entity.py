from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.errors import Refusal
from smime.entity import MAX_DEPTH, MAX_FIELDS, MAX_PARTS, Entity, read_entity
from smime.errors import HeaderTooLarge, MessageMalformed, MessageTooLarge, NestedTooDeep, TooManyParts
from smime.source import Source


def read(text: str | bytes) -> Entity:
    return read_entity(Source(text.encode() if isinstance(text, str) else text))


def walk(entity: Entity) -> Iterator[Entity]:
    yield entity
    for child in entity.children:
        yield from walk(child)


def multipart(*parts: str, boundary: str = "b", subtype: str = "mixed") -> str:
    inner = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary={boundary}\n\n{inner}--{boundary}--\n"


def test_header_and_body_are_slices() -> None:
    entity = read("From: a\nSubject: one\n two\n\nbody\n")
    assert [(one.name, one.value) for one in entity.fields] == [("from", b"a"), ("subject", b"one two")]
    assert entity.fields[1].raw == b"Subject: one\r\n two\r\n"
    assert entity.body == b"body\r\n"
    assert entity.raw == b"From: a\r\nSubject: one\r\n two\r\n\r\nbody\r\n"


def test_without_blank_line_all_is_header() -> None:
    entity = read("From: a\nTo: b")
    assert ([one.name for one in entity.fields], entity.body) == (["from", "to"], b"")


def test_a_message_may_begin_with_its_body() -> None:
    entity = read("\nbody")
    assert (entity.fields, entity.body) == ((), b"body")


def test_without_content_type_it_is_plain_text() -> None:
    entity = read("From: a\n\nbody")
    assert (entity.content_type.media, entity.transfer_encoding, entity.part) == ("text/plain", "7bit", "")


def test_the_line_end_before_a_boundary_belongs_to_the_boundary() -> None:
    first, second = read(multipart("\none\n", "X: y\n\ntwo")).children
    assert (first.raw, first.body) == (b"\r\none\r\n", b"one\r\n")
    assert (second.raw, second.body) == (b"X: y\r\n\r\ntwo", b"two")


def test_blanks_behind_a_boundary_are_padding() -> None:
    entity = read("Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\none\n--b-- \n")
    assert [child.body for child in entity.children] == [b"one"]


def test_a_boundary_may_hold_blanks_and_be_quoted() -> None:
    entity = read('Content-Type: multipart/mixed; boundary="a b=c"\n\n--a b=c\n\none\n--a b=c--')
    assert [child.body for child in entity.children] == [b"one"]


def test_a_part_may_be_empty() -> None:
    entity = read("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--\n")
    assert [child.raw for child in entity.children] == [b"", b""]


def test_tells_of_text_around_the_parts() -> None:
    plain = read(multipart("\none"))
    around = read("Content-Type: multipart/mixed; boundary=b\n\nbefore\n--b\n\none\n--b--\nafter\n")
    assert (plain.has_preamble, plain.has_epilogue) == (False, False)
    assert (around.has_preamble, around.has_epilogue) == (True, True)
    assert [child.body for child in around.children] == [b"one"]


def test_what_comes_after_the_closing_boundary_is_no_part() -> None:
    entity = read(multipart("\none") + "--b\n\ntwo\n--b--\n")
    assert [child.body for child in entity.children] == [b"one"]
    assert entity.has_epilogue


def test_parts_are_numbered_by_their_place() -> None:
    inner = multipart("\na", "\nb", boundary="i")
    forwarded = "Content-Type: message/rfc822\n\nFrom: x\n" + multipart("\nc", boundary="f")
    entity = read(multipart("\none", inner, forwarded))
    assert [one.part for one in walk(entity)] == ["", "1", "2", "2.1", "2.2", "3", "3.1", "3.1.1"]


def test_looks_into_forwarded_messages() -> None:
    entity = read("Content-Type: message/rfc822\n\nFrom: inner\n\nbody")
    assert entity.children[0].get("from")[0].value == b"inner"
    assert entity.children[0].body == b"body"


def test_parts_of_a_digest_are_messages() -> None:
    entity = read(multipart("\nFrom: x\n\nbody", subtype="digest"))
    assert entity.children[0].content_type.media == "message/rfc822"
    assert entity.children[0].children[0].body == b"body"


def test_an_encoded_message_is_a_leaf() -> None:
    entity = read("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbQ==")
    assert entity.children == ()
    assert entity.decoded_body() == b"From"


@pytest.mark.parametrize(
    "message",
    [
        "no colon here\n\nbody",
        "From : a\n\nbody",
        "From x Tue Nov 24 12:00:00 2026\nFrom: a\n\nbody",
        " folded first\n\nbody",
        "From: a\rBcc: b\n\nbody",
        "From: a\0b\n\nbody",
        "\ufeffFrom: a\n\nbody",
        ": nameless\n\nbody",
        "Content-Type: text/plain\nContent-type: text/html\n\nbody",
        "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nbody",
        "Content-Transfer-Encoding: 7bit base64\n\nbody",
        "Content-Type: multipart/mixed\n\n--b\n\none\n--b--",
        "Content-Type: multipart/mixed; boundary=\n\n--\n\none\n----",
        'Content-Type: multipart/mixed; boundary=""\n\n--\n\none\n----',
        'Content-Type: multipart/mixed; boundary="b "\n\n--b \n\none\n--b --',
        'Content-Type: multipart/mixed; boundary="\u00fc"\n\n--\u00fc\n\none\n--\u00fc--',
        "Content-Type: multipart/mixed; boundary=" + "x" * 201 + "\n\nbody",
        "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n\none\n--b--",
        "Content-Type: multipart/mixed; boundary=b c\n\n--b\n\none\n--b--",
        "Content-Type: multipart\n\n--b\n\none\n--b--",
        "Content-Type: application/pkcs7-mime; name=a b\n\nMIIB",
        "Content-Type: multipart/mixed; boundary=b\n\nno boundary at all",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnever closed\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--bc\n\ntwo\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--x\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\none\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nno header and no blank line\n--b--\n",
        multipart(multipart("\none")),  # one boundary on two levels
        "Content-Type: multipart/mixed; boundary=b\n\n\r--b\r\rother\n--b\n\none\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\nbefore\r\n\r\r\n--b\n\none\n--b--\n",
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\nafter\r--b\r",
        "Content-Type: multipart/mixed (a/b); boundary=b\n\n--b\n\none\n--b--\n",
        "Content-Type: multipart(a/b)/mixed; boundary=b\n\n--b\n\none\n--b--\n",
        "Content-Type: (a/b) multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
        "Content-Type: multipart/mixed; boundary=(a)b\n\n--b\n\none\n--b--\n",
        "Content-Type: message/rfc822 (x)\n\nFrom: a\n\nb",
        'Content-Type: multipart/mixed; boundary="a\\b"\n\n--ab\n\none\n--ab--\n',
        "Content-Type: multipart/mixed; boundary*=us-ascii''a%5Cb\n\n--a\\b\n\none\n--a\\b--\n",
    ],
)
def test_refuses_structure_that_cannot_be_trusted(message: str) -> None:
    with pytest.raises(MessageMalformed):
        read(message)


def test_comments_in_quotes_or_in_the_type_of_a_leaf_are_let_through() -> None:
    quoted = read('Content-Type: multipart/mixed; boundary="(b)"; x="a\\b"\n\n--(b)\n\none\n--(b)--\n')
    assert [child.body for child in quoted.children] == [b"one"]
    assert read("Content-Type: text/html (x)\n\nbody").content_type.media == "text/html"


def test_a_leaf_whose_type_cannot_be_read_is_octets() -> None:
    entity = read("Content-Type: application/pdf; name=my file.pdf\n\nbody")
    assert (entity.content_type.media, entity.is_readable) == ("application/octet-stream", False)


def test_a_forwarded_message_that_is_cut_off_is_one_piece() -> None:
    cut = "Content-Type: message/rfc822\n\nFrom: x\n" + multipart("\nc", boundary="f").removesuffix("--f--\n")
    entity = read(multipart("\none", cut, "\nthree"))
    forwarded = entity.children[1]
    assert (forwarded.children, forwarded.is_readable) == ((), False)
    assert [child.part for child in entity.children] == ["1", "2", "3"]


def test_refuses_1500_nested_parts_at_once() -> None:
    levels = 1500
    opening = "".join(f"Content-Type: multipart/mixed; boundary=b{n:04}\n\n--b{n:04}\n" for n in range(levels))
    with pytest.raises(NestedTooDeep):
        read(opening + "\nx" + "".join(f"\n--b{n:04}--" for n in reversed(range(levels))))


def test_refuses_messages_within_messages_without_end() -> None:
    with pytest.raises(NestedTooDeep):
        read("Content-Type: message/rfc822\n\n" * (MAX_DEPTH + 1) + "X: y\n\n")


def test_reads_as_deep_as_it_promises() -> None:
    entity = read("Content-Type: message/rfc822\n\n" * MAX_DEPTH + "X: y\n\n")
    assert len(list(walk(entity))) == MAX_DEPTH + 1


def test_counts_parts_over_the_whole_message() -> None:
    assert len(read(multipart(*["\nx"] * MAX_PARTS)).children) == MAX_PARTS
    halves = [multipart(*["\nx"] * (MAX_PARTS // 2), boundary=name) for name in ("c", "d")]
    with pytest.raises(TooManyParts):
        read(multipart(*halves))


@pytest.mark.parametrize(
    "message",
    [
        b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        b"From: " + b"a@b.example, " * 20_000 + b"x@b.example\r\n\r\n",
        b"From: " + b"x" * 500_000 + b"\r\n\r\n",
        b"From: " + b"x" * 8200 + b"\r\n\r\n",
        b"X: y\r\n" * 60_000 + b"\r\nbody",
        b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\nbody",
        b"\xff" * 300_000,
    ],
)
def test_refuses_endless_headers(message: bytes) -> None:
    with pytest.raises(HeaderTooLarge):
        read(message)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('Content-Disposition: attachment; filename="a.p7s"\nContent-Type: x/y; name=b.p7s\n', "a.p7s"),
        ("Content-Disposition: attachment\nContent-Type: x/y; name=b.p7s\n", "b.p7s"),
        ("Content-Disposition: attachment; filename=a b\nContent-Type: x/y; name=b.p7s\n", "b.p7s"),
        ("X: y\n", ""),
    ],
)
def test_knows_a_bodys_file_name(header: str, name: str) -> None:
    assert read(header + "\n").filename == name


def test_decodes_a_body_up_to_a_limit() -> None:
    entity = read("Content-Transfer-Encoding: BASE64\n\nQUJD\n")
    assert entity.decoded_body() == b"ABC"
    with pytest.raises(MessageTooLarge):
        entity.decoded_body(limit=2)
    with pytest.raises(MessageTooLarge):
        read("X: y\n\n" + "x" * 100).decoded_body(limit=20)


@given(
    st.lists(
        st.sampled_from(
            [
                "Content-Type: multipart/mixed; boundary=b\n",
                "Content-Type: multipart/digest; boundary=c\n",
                "Content-Type: message/rfc822\n",
                "Content-Transfer-Encoding: 8bit\n",
                "--b\n",
                "--b--\n",
                "--c\n",
                "--c--\n",
                "\n",
                "X: y\n",
                " z\n",
                "text\n",
                "\r",
                "\0",
            ]
        ),
        max_size=24,
    )
)
@settings(max_examples=200)
def test_whatever_comes_it_is_refused_or_its_parts_lie_within_each_other(pieces: list[str]) -> None:
    try:
        root = read("".join(pieces))
    except Refusal:
        return
    for entity in walk(root):
        assert entity.start <= entity.body_start <= entity.end
        position = entity.body_start
        for child in entity.children:
            assert position <= child.start <= child.end <= entity.end
            position = child.end
