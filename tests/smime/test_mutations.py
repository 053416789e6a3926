"""Whatever is done to a signed message: it is never valid for other bytes, another sender or another signer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.errors import Refusal
from smime.message import read_message
from smime.report import Verdict
from smime.trust import Trust
from smime.verify import judge, read
from tests.smime.campus import ALICE, OpenSsl, Person
from tests.smime.cms.forging import signed_data, signer_info, usual_attributes
from tests.smime.mails import ENTITY, cms, detached, opaque, signed_mail

BOUNDED = settings(max_examples=200, deadline=None)


def holds(data: bytes, trust: Trust, alice: Person) -> bool | None:
    """Whether it is valid, None where it cannot be read; fails where something else than Alice's bytes is valid."""
    try:
        opened = read(read_message(data))
        report = judge(opened, trust=trust)
    except Refusal:
        return None
    if report.verdict is not Verdict.VALID:
        return False
    assert opened.layer is not None
    assert opened.layer.content == ENTITY
    assert [sender.key for sender in report.senders] == [ALICE]
    assert [signer.certificate for signer in report.signers] == [alice.certificate] * len(report.signers)
    assert report.signers
    return True


@pytest.mark.parametrize("is_detached", [True, False])
def test_every_octet_of_the_signature(alice: Person, trust: Trust, *, is_detached: bool) -> None:
    """Thirteen octets are free: the two versions, and the list of digest algorithms that nobody reads."""
    whole = cms(alice, detached=is_detached)
    wrap = detached if is_detached else opaque
    outcomes = []
    for position, octet in enumerate(whole):
        changed = whole[:position] + bytes([octet ^ 1 << position % 8]) + whole[position + 1 :]
        outcomes.append(holds(wrap(changed), trust, alice))
    assert outcomes.count(True) <= 13
    assert outcomes.count(False) > 100


def test_every_octet_of_the_content(alice: Person, trust: Trust) -> None:
    signature = cms(alice)
    for position, octet in enumerate(ENTITY):
        changed = ENTITY[:position] + bytes([octet ^ 1]) + ENTITY[position + 1 :]
        assert not holds(detached(signature, content=changed), trust, alice)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "delete", "copy"]),
        st.integers(0, 20_000),
        st.integers(0, 20_000),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=5,
)


def edited(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, first, second, octets in edits:
        at, other = first % (len(data) + 1), second % (len(data) + 1)
        if kind == "flip":
            data = data[:at] + octets + data[at + len(octets) :]
        elif kind == "insert":
            data = data[:at] + octets + data[at:]
        elif kind == "delete":
            data = data[: min(at, other)] + data[max(at, other) :]
        else:
            data = data[:at] + data[other : other + 200] + data[at:]
    return data


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory, alice: Person) -> bytes:
    """What `openssl cms -sign -stream` writes: indefinite lengths, content in pieces."""
    openssl = OpenSsl(tmp_path_factory.mktemp("streamed"))
    return openssl.sign(ENTITY, [alice], "-outform DER -nodetach -stream")


@BOUNDED
@given(edits=EDITS)
def test_edits_of_a_detached_mail(alice: Person, trust: Trust, edits: list[tuple[str, int, int, bytes]]) -> None:
    holds(edited(signed_mail(alice, body=ENTITY), edits), trust, alice)


@BOUNDED
@given(edits=EDITS)
def test_edits_of_an_opaque_signature_in_ber(
    alice: Person, trust: Trust, streamed: bytes, edits: list[tuple[str, int, int, bytes]]
) -> None:
    holds(opaque(edited(streamed, edits)), trust, alice)


@BOUNDED
@given(edits=EDITS)
def test_edits_of_a_detached_signature(alice: Person, trust: Trust, edits: list[tuple[str, int, int, bytes]]) -> None:
    holds(detached(edited(cms(alice), edits)), trust, alice)


@BOUNDED
@given(data=st.binary(max_size=400))
def test_noise_after_a_header(alice: Person, trust: Trust, data: bytes) -> None:
    assert not holds(b"From: alice@campus.example\r\nContent-Type: application/pkcs7-mime\r\n" + data, trust, alice)


def test_the_untouched_messages_are_valid(alice: Person, trust: Trust, streamed: bytes) -> None:
    infos = [signer_info(alice, usual_attributes(ENTITY))]
    for data in (
        detached(cms(alice)),
        signed_mail(alice, body=ENTITY),
        opaque(streamed),
        detached(signed_data(infos, certificates=[alice.certificate.der, *(one.der for one in alice.chain)])),
    ):
        assert holds(data, trust, alice)
