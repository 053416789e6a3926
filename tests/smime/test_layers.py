from __future__ import annotations

import pytest

from formats import der, oids
from formats.ber import BerTooLarge
from formats.errors import Refusal
from smime.cms.errors import CmsMalformed, CmsTooLarge
from smime.errors import MessageMalformed
from smime.layers import Layer, find_layers
from smime.message import read_message
from tests.smime.campus import Person
from tests.smime.cms.forging import signed_data, signer_info, usual_attributes
from tests.smime.mails import (
    ENTITY,
    HEAD,
    INNER_FIELDS,
    cms,
    detached,
    mixed,
    opaque,
    signature_part,
    signed_part,
)

SEALED = der.sequence(der.oid(oids.ENVELOPED_DATA), der.explicit(0, der.sequence(der.integer(0))))


def found(data: bytes) -> tuple[Layer, ...]:
    return find_layers(read_message(data)).found


def only(data: bytes) -> Layer:
    (layer,) = found(data)
    return layer


def test_a_plain_message_has_no_layers() -> None:
    assert found(HEAD + b"\r\nhello\r\n") == ()


def test_the_signed_bytes_are_the_first_part_without_the_line_break_before_the_boundary(alice: Person) -> None:
    layer = only(detached(cms(alice)))
    assert layer.part == ""
    assert layer.content == ENTITY
    assert len(layer.signers) == 1
    assert (layer.reasons, layer.findings) == ((), ())


def test_line_feeds_alone_are_read_as_they_were_signed(alice: Person) -> None:
    """RFC 8551 3.1.1; openssl signs CRLF and writes LF."""
    assert only(detached(cms(alice)).replace(b"\r\n", b"\n")).content == ENTITY


def test_opaque_content_is_what_the_signature_holds(alice: Person) -> None:
    layer = only(opaque(cms(alice, detached=False)))
    assert (layer.part, layer.content, layer.reasons, layer.findings) == ("", ENTITY, (), ())


def test_a_binary_signature_keeps_its_line_feeds(alice: Person) -> None:
    """In a body that is not encoded a bare LF is an octet like others."""
    data = signed_data([signer_info(alice, usual_attributes(b"a\nb"))], content=b"a\nb" * 200)
    fields = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    assert only(HEAD + fields + data).content == b"a\nb" * 200


@pytest.mark.parametrize(
    ("kind", "protocol", "findings"),
    [
        ("application/pkcs7-signature", "application/pkcs7-signature", ()),
        ("APPLICATION/PKCS7-Signature", "Application/PKCS7-Signature", ()),
        ("application/x-pkcs7-signature", "application/x-pkcs7-signature", ("content_type_old",)),
        ("application/x-pkcs7-signature", "application/pkcs7-signature", ("content_type_old",)),
        ("application/octet-stream", "application/pkcs7-signature", ("content_type_odd",)),
        ("application/octet-stream", "", ("content_type_odd",)),
        ("application/pkcs7-signature", "application/pgp-signature", ("content_type_odd",)),
        ("application/pkcs7-mime", "application/pkcs7-signature", ("content_type_odd",)),
    ],
)
def test_detached_signatures_of_many_names(alice: Person, kind: str, protocol: str, findings: tuple[str, ...]) -> None:
    """RFC 8551 3.2, 3.10: old names, and octet-stream by its file name."""
    layer = only(detached(cms(alice), kind=kind, protocol=protocol))
    assert (layer.content, layer.findings) == (ENTITY, findings)
    assert layer.is_signed


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "text/plain",
        "message/global",
        "text/html; a b",
        "(text/html) application/pkcs7-signature",
        "(text/html) application/octet-stream",
        "application/pgp-signature",
    ],
)
def test_a_signature_that_a_reader_could_show_is_malformed(alice: Person, kind: str) -> None:
    """HTML in an unsigned attribute would stand beside the signed text."""
    layer = only(detached(cms(alice), kind=kind))
    assert (layer.reasons, layer.signers) == (("signature_malformed",), ())


def test_octets_without_the_name_of_a_signature_are_malformed(alice: Person) -> None:
    layer = only(detached(cms(alice), kind="application/octet-stream").replace(b"smime.p7s", b"smime.htm"))
    assert layer.reasons == ("signature_malformed",)


@pytest.mark.parametrize(
    ("kind", "findings"),
    [
        ("application/pkcs7-mime; smime-type=signed-data", ()),
        ("application/pkcs7-mime; smime-type=enveloped-data", ()),
        ("application/x-pkcs7-mime; name=smime.p7m", ("content_type_old",)),
        ("application/octet-stream; name=smime.p7m", ("recognised_by_name",)),
        ("application/octet-stream; name=SMIME.P7M", ("recognised_by_name",)),
        ("application/octet-stream; name=smime.p7s", ("recognised_by_name",)),
    ],
)
def test_opaque_signatures_of_many_names(alice: Person, kind: str, findings: tuple[str, ...]) -> None:
    layer = only(opaque(cms(alice, detached=False), kind=kind))
    assert (layer.content, layer.findings) == (ENTITY, findings)


def test_a_name_alone_makes_no_signature(alice: Person) -> None:
    for octets in (b"just bytes", cms(alice)):
        layer = only(opaque(octets, kind="application/octet-stream; name=smime.p7s"))
        assert not layer.is_signed
        assert layer.findings == ("named_like_a_signature",)
    assert found(opaque(cms(alice, detached=False), kind="application/octet-stream; name=notes.txt")) == ()


def test_text_around_the_parts_is_a_finding(alice: Person) -> None:
    """RFC 2046 5.1.1: a preamble and an epilogue are no content."""
    layer = only(detached(cms(alice), preamble=b"Signed mail.\r\n\r\n", epilogue=b"Bye.\r\n"))
    assert (layer.content, layer.findings, layer.reasons) == (ENTITY, ("preamble", "epilogue"), ())


def test_micalg_is_advice(alice: Person, alice_p384: Person) -> None:
    assert only(detached(cms(alice_p384))).findings == ("micalg_differs",)
    assert only(detached(cms(alice)).replace(b"sha-256", b"SHA256")).findings == ()
    unknown = signer_info(alice, usual_attributes(ENTITY), digest=der.sequence(der.oid("1.2.3.4")))
    assert only(detached(signed_data([unknown]))).findings == ("micalg_differs",)


def test_a_third_part_is_malformed(alice: Person) -> None:
    layer = only(detached(cms(alice), further=b"\r\n--outer\r\n\r\nPay Mallory."))
    assert layer.reasons == ("signature_malformed",)
    assert layer.findings == ("parts_not_two",)
    assert layer.signers == ()


def test_a_signature_without_content_part_is_malformed(alice: Person) -> None:
    data = HEAD + INNER_FIELDS + b"\r\n--outer\r\n" + signature_part(cms(alice)) + b"\r\n--outer--\r\n"
    assert only(data).reasons == ("signature_malformed",)


def test_content_inside_a_detached_signature_is_malformed(alice: Person) -> None:
    """CVE-2018-18509, CVE-2019-7284: what is shown is the first part, what is signed another."""
    layer = only(detached(cms(alice, detached=False), content=b"Content-Type: text/plain\r\n\r\nPay Mallory.\r\n"))
    assert layer.reasons == ("signature_malformed",)
    assert layer.findings == ("content_in_detached_signature",)
    assert layer.content == b"Content-Type: text/plain\r\n\r\nPay Mallory.\r\n"


def test_empty_content_inside_a_detached_signature_is_content(alice: Person) -> None:
    data = signed_data([signer_info(alice, usual_attributes(ENTITY))], content=b"")
    assert only(detached(data)).reasons == ("signature_malformed",)


def test_an_opaque_signature_without_content_is_malformed(alice: Person) -> None:
    layer = only(opaque(cms(alice)))
    assert (layer.reasons, layer.findings) == (("signature_malformed",), ("content_missing",))


def test_no_signers_claim_nothing(alice: Person) -> None:
    """Johnny c3: a multipart/signed that nobody signed."""
    layer = only(detached(signed_data([], certificates=[alice.certificate.der])))
    assert not layer.is_signed
    assert layer.findings == ("no_signers",)


def test_certificates_alone_claim_nothing(alice: Person) -> None:
    layer = only(opaque(signed_data([], certificates=[alice.certificate.der])))
    assert not layer.is_signed
    assert layer.findings == ("certificates_only",)


def test_another_kind_of_signature_is_none_of_ours(alice: Person) -> None:
    layer = only(detached(b"-----BEGIN", kind="application/pgp-signature", protocol="application/pgp-signature"))
    assert not layer.is_signed
    assert layer.findings == ("signature_of_another_kind",)


@pytest.mark.parametrize(
    "kind", ["application/pkcs7-mime; smime-type=signed-data", "application/octet-stream; name=a.p7m"]
)
def test_a_sealed_message_is_known_by_what_it_is(kind: str) -> None:
    assert only(opaque(SEALED, kind=kind)).is_sealed


# --- further in -------------------------------------------------------------------------------------------------------
def test_parts_are_numbered(alice: Person) -> None:
    inner = signed_part(INNER_FIELDS, ENTITY, signature_part(cms(alice)))
    (layer,) = found(mixed(b"\r\nhello", inner))
    assert layer.part == "2"
    assert layer.content == ENTITY


def test_layers_within_layers_are_found_from_the_outside_in(alice: Person) -> None:
    """A triple wrap without its middle (RFC 8551 3.7): detached around opaque around detached."""
    innermost = signed_part(INNER_FIELDS, ENTITY, signature_part(cms(alice))).replace(b"outer", b"inner")
    middle = opaque(cms(alice, innermost, detached=False), head=b"")
    layers = found(detached(cms(alice, middle.removesuffix(b"\r\n")), content=middle.removesuffix(b"\r\n")))
    assert [layer.part for layer in layers] == ["", "1", "1.1"]
    assert layers[2].content == ENTITY


def test_an_attached_message_is_somebody_elses(alice: Person) -> None:
    forwarded = detached(cms(alice))
    part = b"Content-Type: message/rfc822\r\n\r\n" + forwarded
    (layer,) = found(mixed(b"\r\nsee below", part, head=HEAD.replace(b"alice", b"mallory")))
    assert layer.is_attached
    assert layer.part == "2.1"
    assert [str(sender) for sender in layer.sender.mailboxes] == ["alice@campus.example"]


def test_what_stands_beside_the_signed_part_is_not_looked_into(alice: Person) -> None:
    second = opaque(cms(alice, detached=False), head=b"")
    assert [layer.part for layer in found(detached(cms(alice), further=b"\r\n--outer\r\n" + second))] == [""]


def test_a_malformed_signature_further_in_is_told(alice: Person) -> None:
    inner = signed_part(INNER_FIELDS, ENTITY, signature_part(b"no CMS at all"))
    (layer,) = found(mixed(inner))
    assert (layer.part, layer.reasons) == ("1", ("signature_malformed",))
    assert layer.is_signed


def test_only_so_many_signatures_are_looked_at(alice: Person) -> None:
    inner = opaque(cms(alice, detached=False), head=b"")
    result = find_layers(read_message(mixed(*[inner] * 20)))
    assert len(result.found) == 16
    assert result.findings == ("signatures_not_looked_at",)


def holding(alice: Person, count: int) -> bytes:
    """An opaque signature with one certificate so many times."""
    info = signer_info(alice, usual_attributes(ENTITY))
    return opaque(signed_data([info], certificates=[alice.certificate.der] * count, content=ENTITY), head=b"")


def test_the_layers_of_a_message_share_64_certificates(alice: Person) -> None:
    result = find_layers(read_message(mixed(holding(alice, 32), holding(alice, 32))))
    assert (len(result.found), result.findings) == (2, ())
    result = find_layers(read_message(mixed(holding(alice, 32), holding(alice, 32), holding(alice, 1))))
    assert (len(result.found), result.findings) == (2, ("signatures_not_looked_at",))


def test_certificates_are_counted_in_what_is_only_named_like_a_signature(alice: Person) -> None:
    named = opaque(
        signed_data([signer_info(alice, usual_attributes(ENTITY))], certificates=[alice.certificate.der] * 40),
        head=b"",
        kind="application/octet-stream; name=a.p7m",
    )
    result = find_layers(read_message(mixed(named, named)))
    assert (len(result.found), result.findings) == (1, ("signatures_not_looked_at",))


def test_a_layer_with_more_certificates_than_any_may_have_is_malformed(alice: Person) -> None:
    result = find_layers(read_message(mixed(holding(alice, 65), holding(alice, 64))))
    assert [layer.reasons for layer in result.found] == [("signature_malformed",), ()]
    assert result.findings == ()


def test_many_elements_are_read_at_the_root_alone(alice: Person) -> None:
    """Content may come in many pieces; a message of many such parts would cost as many times as much."""
    pieces = b"\x24\x80" + der.octets(b"12345678") * 25_000 + b"\0\0"
    whole = signed_data([signer_info(alice, usual_attributes(ENTITY))], content=b"12345678" * 25_000)
    content = der.octets(b"12345678" * 25_000)
    data = whole[: whole.index(content)] + pieces + whole[whole.index(content) + len(content) :]
    indefinite = relengthened(data, len(pieces) - len(content))
    assert only(opaque(indefinite)).content == b"12345678" * 25_000
    (layer,) = found(mixed(opaque(indefinite, head=b"")))
    assert layer.reasons == ("signature_malformed",)


def relengthened(data: bytes, more: int) -> bytes:
    """The structure with the lengths of its outer levels made longer, down to the content."""
    position = 0
    for tag in (0x30, 0xA0, 0x30, 0x30, 0xA0):
        position = data.index(bytes([tag, 0x83]), position)
        length = int.from_bytes(data[position + 2 : position + 5], "big") + more
        data = data[: position + 2] + length.to_bytes(3, "big") + data[position + 5 :]
        position += 5
    return data


def test_opaque_signatures_within_each_other_are_bounded(alice: Person) -> None:
    content = ENTITY
    for _ in range(12):
        content = opaque(cms(alice, content, detached=False), head=b"")
    result = find_layers(read_message(HEAD + content))
    assert len(result.found) == 9
    assert result.findings == ("signatures_not_looked_at",)


# --- the root is read strictly ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("signature", "error"),
    [
        (b"no CMS at all", CmsMalformed),
        (b"", CmsMalformed),
        (SEALED, CmsMalformed),
        (b"\x30\x80" * 10_000, BerTooLarge),
        (b"\x30\x84\x7f\xff\xff\xff\x06\x01", CmsMalformed),
    ],
)
def test_a_signature_at_the_root_must_be_readable(signature: bytes, error: type[Refusal]) -> None:
    with pytest.raises(error):
        found(detached(signature))


def test_other_content_types_at_the_root_are_refused() -> None:
    data = der.sequence(der.oid(oids.DIGESTED_DATA), der.explicit(0, der.sequence()))
    with pytest.raises(CmsMalformed):
        found(opaque(data))


def test_too_many_signers_at_the_root_are_refused(alice: Person) -> None:
    info = signer_info(alice, usual_attributes(ENTITY))
    with pytest.raises(CmsTooLarge):
        found(detached(signed_data([info] * 65)))


def test_a_broken_transfer_encoding_at_the_root_is_refused(alice: Person) -> None:
    with pytest.raises(MessageMalformed):
        found(opaque(cms(alice, detached=False)).replace(b"base64\r\n\r\n", b"base64\r\n\r\n!!=!!"))
