"""Johnny, you are fired: whom a signed message is from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smime.report import AddressBinding, Verdict
from smime.trust import Options, Trust
from tests.smime.campus import Person, verdict
from tests.smime.mails import DATE, HEAD, cms, detached

MALLORY = "mallory@campus.example"
SPOOFS = {
    "i1 plain": ("From: alice@campus.example", ("address_mismatch",)),
    "i1 display name before": ("From: Alice <alice@campus.example>", ("address_mismatch",)),
    "i1 signer as Sender": (f"From: alice@campus.example\r\nSender: {MALLORY}", ("address_mismatch",)),
    "i1 signer as Reply-To": (f"From: alice@campus.example\r\nReply-To: {MALLORY}", ("address_mismatch",)),
    "i2 bare address as name": (f"From: alice@campus.example <{MALLORY}>", ("from_unparseable",)),
    "i2 two angles": (f"From: <alice@campus.example> <{MALLORY}>", ("from_unparseable",)),
    "i2 angle after address": (f"From: <{MALLORY}> alice@campus.example", ("from_unparseable",)),
    "i2 no domain": ("From: alice", ("from_unparseable",)),
    "i2 route": (f"From: <@campus.example:{MALLORY}>", ("from_unparseable",)),
    "i2 nothing": ("From:", ("from_absent",)),
    "i2 only a name": ('From: "Alice Lindgren"', ("from_unparseable",)),
    "i2 no field": ("To: bob@campus.example", ("from_absent",)),
    "i2 only Sender": (f"Sender: {MALLORY}", ("from_absent",)),
    "i3 two fields": (f"From: alice@campus.example\r\nFrom: {MALLORY}", ("from_ambiguous",)),
    "i3 two fields turned": (f"From: {MALLORY}\r\nFrom: alice@campus.example", ("from_ambiguous",)),
    "i3 two fields alike": (f"From: {MALLORY}\r\nfrom: {MALLORY}", ("from_ambiguous",)),
    "i3 two mailboxes": (f"From: alice@campus.example, {MALLORY}", ("address_mismatch",)),
    "i3 two mailboxes turned": (f"From: {MALLORY}, alice@campus.example", ("address_mismatch",)),
    "look-alike domain": ("From: mallory@\u0441\u0430mpus.example", ("address_mismatch",)),
    "sub-domain": ("From: mallory@sub.campus.example", ("address_mismatch",)),
    "quoted at": ('From: "mallory@campus.example"@example.org', ("address_mismatch",)),
}


@pytest.mark.parametrize(("head", "reasons"), SPOOFS.values(), ids=SPOOFS.keys())
def test_a_spoofed_sender(mallory: Person, trust: Trust, head: str, reasons: tuple[str, ...]) -> None:
    data = detached(cms(mallory), head=f"{head}\r\n".encode() + DATE)
    report = verdict(data, trust)
    assert (report.verdict, report.reasons) == (Verdict.INVALID, reasons)
    assert report.signers[0].verdict is Verdict.VALID, "the signature is good, it is the sender that is not"


HONEST = {
    "name": f"From: Mallory <{MALLORY}>",
    "address in the name": f'From: "alice@campus.example" <{MALLORY}>',
    "encoded address in the name": f"From: =?utf-8?q?alice=40campus.example?= <{MALLORY}>",
    "address in a comment": f"From: {MALLORY} (alice@campus.example)",
    "case": "From: MALLORY@CAMPUS.EXAMPLE",
    "folded": f"From: Mallory\r\n <{MALLORY}>",
}


@pytest.mark.parametrize("head", HONEST.values(), ids=HONEST.keys())
def test_the_report_names_the_address_and_no_other(mallory: Person, trust: Trust, head: str) -> None:
    report = verdict(detached(cms(mallory), head=f"{head}\r\n".encode() + DATE), trust)
    assert report.verdict is Verdict.VALID
    assert [str(sender).lower() for sender in report.senders] == [MALLORY]


def test_binding_can_be_switched_off(mallory: Person, trust: Trust) -> None:
    loose = replace(trust, options=Options(address_binding="off"))
    for head in (HEAD, DATE, HEAD + HEAD):
        report = verdict(detached(cms(mallory), head=head), loose)
        assert report.verdict is Verdict.VALID
        assert report.signers[0].address_binding is AddressBinding.NOT_CHECKED


@pytest.mark.parametrize(
    ("name", "findings"), [("alice@campus.example", ("display_name_is_address",)), ("Mallory", ())]
)
def test_a_name_that_is_another_address_is_told(
    mallory: Person, trust: Trust, name: str, findings: tuple[str, ...]
) -> None:
    head = f'From: "{name}" <{MALLORY}>\r\n'.encode() + DATE
    assert verdict(detached(cms(mallory), head=head), trust).findings == findings
