from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import ber, der, oids
from formats.errors import Refusal
from smime.cms.ciphers import ContentCipher, ContentEncryption
from smime.cms.content import read_content_info
from smime.cms.enveloped import MAX_OPENING_KEYS, OpeningKey, read_enveloped, seal_content
from smime.cms.errors import DecryptionFailed, NoKeyForMessage
from tests.smime.campus import Authority, Person, person
from tests.smime.cms.conftest import AGREEING
from tests.smime.cms.sealing import (
    CONTENT,
    CONTENT_KEY,
    fails,
    first_content,
    info_for,
    kari,
    ktri,
    opened,
    opening,
    read,
    sealed,
    with_tag,
)

GCM: Final = ContentCipher.AES256_GCM


# --- opening ----------------------------------------------------------------------------------------------------------
def test_every_recipient_opens_the_same(bob: Person, carol: Person, dave: Person) -> None:
    people = [bob, carol, dave]
    data = seal_content(CONTENT, certificates=[one.certificate for one in people])
    assert [opened(data, one) for one in people] == [CONTENT] * 3


def test_others_have_no_key_for_it(bob: Person, carol: Person) -> None:
    data = seal_content(CONTENT, certificates=[bob.certificate])
    for people in ([], [carol]):
        with pytest.raises(NoKeyForMessage):
            opened(data, *people)


def test_a_message_without_recipients_is_for_nobody(bob: Person) -> None:
    with pytest.raises(NoKeyForMessage):
        opened(sealed([]), bob)


def test_only_the_named_certificate_fits(bob: Person, issuing: Authority) -> None:
    """The attacks' table, row 30: a key is never tried on what names another certificate."""
    renewed = person(issuing, bob.key, key_id=b"another identifier!!")
    with pytest.raises(NoKeyForMessage):
        opened(seal_content(CONTENT, certificates=[bob.certificate]), renewed)


def test_the_key_that_fits_is_found_among_many(bob: Person, carol: Person, alice: Person, dave: Person) -> None:
    data = seal_content(CONTENT, certificates=[bob.certificate, alice.certificate])
    assert opened(data, carol, dave, bob) == CONTENT


def test_a_second_key_opens_what_the_first_does_not(bob: Person, carol: Person) -> None:
    """In GCM, where a wrong key never opens by chance."""
    broken = ktri(bob, encrypted_key=bytes(384))
    assert opened(sealed([broken, info_for(carol)], cipher=GCM), bob, carol) == CONTENT


def test_only_the_first_recipient_that_names_a_key_is_tried(bob: Person, carol: Person) -> None:
    """By one identifier or the other, in the order of the message, which SET OF leaves to the sender."""
    key_id = bob.certificate.subject_key_id
    assert key_id is not None
    by_key_id = der.implicit(0, key_id, constructed=False)
    wrong = [ktri(bob, encrypted_key=b"x"), ktri(bob, encrypted_key=b"x", identifier=by_key_id)]
    for one in wrong:
        for infos, opens in (([one, info_for(bob)], False), ([info_for(bob), one], True)):
            whole = ber.read_der(sealed([], cipher=GCM)).children[1].children[0].children
            parts = [whole[0].raw, der.encode(ber.SET, b"".join(infos), constructed=True)]
            envelope = der.sequence(*parts, *(child.raw for child in whole[2:]))
            data = der.sequence(der.oid(oids.AUTH_ENVELOPED_DATA), der.explicit(0, envelope))
            if opens:
                assert opened(data, bob) == CONTENT
            else:
                fails(data, bob)


class Counted(ec.EllipticCurvePrivateKey):
    """A key that counts what is asked of it."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.real = key
        self.uses = 0

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        self.uses += 1
        return self.real.exchange(algorithm, peer_public_key)

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.real.curve

    public_key = sign = private_numbers = private_bytes = __copy__ = __deepcopy__ = None  # type: ignore[assignment]
    key_size = 256


def test_at_most_8_keys_are_used_once_each(issuing: Authority, carol: Person) -> None:
    """The attacks' table, rows 25 and 30: the same work whether the first opens, the last, or none."""
    assert isinstance(carol.key, ec.EllipticCurvePrivateKey)
    people = [person(issuing, carol.key, usage=AGREEING, serial=n, key_id=bytes([n]) * 20) for n in range(1, 11)]
    for right in (0, 7, 8, None):
        infos = [kari(one, recipients=3) if n == right else kari(one, stated_bits=128) for n, one in enumerate(people)]
        key = Counted(carol.key)
        keys = [OpeningKey(certificate=one.certificate, key=key) for one in people]
        enveloped = read(sealed(infos, cipher=GCM))
        if right in {0, 7}:
            assert first_content(enveloped, keys=keys) == CONTENT
        else:
            with pytest.raises(DecryptionFailed):
                first_content(enveloped, keys=keys)
        assert key.uses == MAX_OPENING_KEYS == 8


@pytest.mark.parametrize("size", [0, 4, 8, 11, 12, 15, 17])
def test_tags_are_long_enough_and_as_declared(bob: Person, size: int) -> None:
    """The attacks' table, row 27."""
    fresh = ContentEncryption.fresh(GCM)
    pieces, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    body, short = b"".join(pieces), (tag + b"\0")[:size]
    fails(sealed([info_for(bob)], encryption=fresh, encrypted=body, tag=short), bob)
    declared = sealed([info_for(bob)], encryption=with_tag(fresh, size), encrypted=body, tag=short)
    if 12 <= size <= 16:
        assert opened(declared, bob) == CONTENT
    else:
        fails(declared, bob)


def test_an_absent_size_of_the_tag_means_12_octets(bob: Person) -> None:
    fresh = ContentEncryption.fresh(GCM)
    pieces, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    absent = der.sequence(der.oid(GCM.oid), der.sequence(der.octets(fresh.iv)))
    parts = {"encryption": fresh, "identifier": absent, "encrypted": b"".join(pieces)}
    assert opened(sealed([info_for(bob)], tag=tag[:12], **parts), bob) == CONTENT  # type: ignore[arg-type]
    fails(sealed([info_for(bob)], tag=tag, **parts), bob)  # type: ignore[arg-type]


def failures(bob: Person, carol: Person, alice_rsa: Person) -> dict[str, tuple[bytes, OpeningKey]]:
    """Everything that can go wrong behind the choice of a key, each in a way that never opens by chance."""
    fresh = ContentEncryption.fresh(GCM)
    body, tag = fresh.encrypt(CONTENT, key=CONTENT_KEY)
    right = info_for(bob)
    cbc = ContentEncryption(cipher=ContentCipher.AES256_CBC, iv=bytes(16))
    return {
        "wrong key": (sealed([right], cipher=GCM), OpeningKey(certificate=bob.certificate, key=alice_rsa.key)),
        "kind of key": (sealed([right], cipher=GCM), OpeningKey(certificate=bob.certificate, key=carol.key)),
        "content key": (sealed([ktri(bob, encrypted_key=bytes(384))], cipher=GCM), opening(bob)),
        "transport": (sealed([ktri(bob, encrypted_key=b"", algorithm=der.sequence())], cipher=GCM), opening(bob)),
        "unwrap": (sealed([kari(carol, stated_bits=128)], cipher=GCM), opening(carol)),
        "tag": (sealed([right], encryption=fresh, encrypted=b"".join(body), tag=bytes(16)), opening(bob)),
        "short tag": (sealed([right], encryption=fresh, encrypted=b"".join(body), tag=tag[:4]), opening(bob)),
        "padding": (sealed([right], encryption=cbc, encrypted=_unpadded(cbc)), opening(bob)),
        "blocks": (sealed([right], encryption=cbc, encrypted=bytes(17)), opening(bob)),
        "nothing": (sealed([right], encryption=cbc, encrypted=b""), opening(bob)),
    }


def _unpadded(cbc: ContentEncryption) -> bytes:
    pieces, _ = cbc.encrypt(b"x" * 32, key=CONTENT_KEY)
    return b"".join(pieces)[:32]  # the padding is a block of its own, and cut off


def test_every_failure_is_told_in_the_same_words(bob: Person, carol: Person, alice_rsa: Person) -> None:
    """The attacks' table, rows 25 and 26: no oracle."""
    answers = set()
    for data, key in failures(bob, carol, alice_rsa).values():
        with pytest.raises(DecryptionFailed) as refusal:
            first_content(read(data), keys=[key])
        answers.add((refusal.value.code, refusal.value.detail, refusal.value.hint, refusal.value.pointers))
        assert refusal.value.__cause__ is None
        assert refusal.value.__context__ is None
    assert len(answers) == 1


def test_a_wrong_key_opens_cbc_to_nothing_but_garbage(bob: Person, alice_rsa: Person) -> None:
    key = OpeningKey(certificate=bob.certificate, key=alice_rsa.key)
    enveloped = read(seal_content(CONTENT, certificates=[bob.certificate]))
    outcomes = [_outcome(lambda: first_content(enveloped, keys=[key])) for _ in range(40)]
    assert CONTENT not in outcomes
    assert outcomes.count(None) > 20


def _outcome(call: Callable[[], bytes]) -> bytes | None:
    try:
        return call()
    except DecryptionFailed:
        return None


# --- mutations --------------------------------------------------------------------------------------------------------
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def attempt(data: bytes, *people: Person) -> bytes | None:
    """The content; None for one of our own errors. Everything else escapes, and so fails the test."""
    try:
        return first_content(read_enveloped(*read_content_info(data)), keys=[opening(one) for one in people])
    except Refusal:
        return None


@pytest.mark.parametrize("recipient", ["carol", "dave"], indirect=True)
def test_every_octet_of_authenticated_content(recipient: Person) -> None:
    """Nothing opens to anything else; what is free are versions, and the unused form of the originator's key."""
    data = seal_content(CONTENT, certificates=[recipient.certificate], cipher=GCM)
    outcomes = [
        attempt(data[:place] + bytes([octet ^ 1 << place % 8]) + data[place + 1 :], recipient)
        for place, octet in enumerate(data)
    ]
    assert set(outcomes) == {None, CONTENT}
    assert outcomes.count(CONTENT) <= 4


@pytest.mark.parametrize("cipher", [ContentCipher.AES256_CBC, GCM])
@QUICK
@given(place=st.integers(0, 10_000), octet=st.integers(1, 255))
def test_any_changed_octet(bob: Person, carol: Person, cipher: ContentCipher, place: int, octet: int) -> None:
    data = bytearray(seal_content(CONTENT, certificates=[bob.certificate, carol.certificate], cipher=cipher))
    data[place % len(data)] ^= octet
    found = attempt(bytes(data), carol)
    assert found in {None, CONTENT} or not cipher.is_authenticated


@QUICK
@given(start=st.integers(0, 2000), length=st.integers(0, 400), inserted=st.binary(max_size=40))
def test_any_cut_and_insertion(carol: Person, start: int, length: int, inserted: bytes) -> None:
    data = seal_content(CONTENT, certificates=[carol.certificate], cipher=GCM)
    start %= len(data)
    assert attempt(data[:start] + inserted + data[start + length :], carol) in {None, CONTENT}


@QUICK
@given(st.binary(max_size=200))
def test_any_octets_as_the_body_of_an_envelope(carol: Person, body: bytes) -> None:
    for oid in (oids.ENVELOPED_DATA, oids.AUTH_ENVELOPED_DATA):
        assert attempt(der.sequence(der.oid(oid), der.explicit(0, der.sequence(body))), carol) is None
