"""How much of a message is signed, and what of it counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from smime.report import Coverage, Verdict, as_json
from smime.trust import Trust
from tests.smime.campus import ALICE, Person, verdict
from tests.smime.mails import (
    ENTITY,
    HEAD,
    INNER_FIELDS,
    cms,
    detached,
    inner,
    mixed,
    signature_part,
    signed_mail,
    signed_part,
)

LIST_FOOTER = b"Content-Type: text/plain\r\n\r\nYou are on this list.\r\n"
PARTIAL = {
    "footer": lambda part: mixed(part, LIST_FOOTER),
    "text before": lambda part: mixed(b"Content-Type: text/html\r\n\r\n<p>Pay Mallory.<!--", part),
    "alone": mixed,
    "deep": lambda part: mixed(b"\r\nhello", mixed(part, head=b"").replace(b"around", b"within")),
    "related": lambda part: mixed(LIST_FOOTER, part).replace(b"multipart/mixed", b"multipart/related"),
}


@pytest.mark.parametrize("around", PARTIAL.values(), ids=PARTIAL.keys())
def test_a_part_that_is_signed_does_not_make_the_message_so(
    alice: Person, trust: Trust, around: Callable[[bytes], bytes]
) -> None:
    """Johnny m1 to m4."""
    report = verdict(around(inner(alice)), trust)
    assert (report.verdict, report.reasons) == (Verdict.INDETERMINATE, ("coverage_partial",))
    assert report.coverage is Coverage.PARTIAL
    assert report.signed_part
    assert report.signers[0].verdict is Verdict.VALID


def test_of_two_signed_parts_the_first_is_the_outermost(alice: Person, mallory: Person, trust: Trust) -> None:
    report = verdict(mixed(inner(alice), inner(mallory)), trust)
    assert report.signed_part == "1"
    assert [nested.part for nested in report.nested] == ["2"]
    assert report.nested[0].reasons == ("address_mismatch",)


def test_of_signed_parts_the_one_further_out_is_the_outermost(alice: Person, mallory: Person, trust: Trust) -> None:
    deeper = mixed(inner(mallory), head=b"").replace(b"around", b"within")
    report = verdict(mixed(deeper, inner(alice)), trust)
    assert report.signed_part == "2"
    assert report.reasons == ("coverage_partial",)


def test_a_forged_signature_in_a_part_is_invalid(alice: Person, trust: Trust) -> None:
    forged = signed_part(INNER_FIELDS, ENTITY + b"more\r\n", signature_part(cms(alice)))
    assert verdict(mixed(forged), trust).reasons == ("message_altered", "coverage_partial")


def test_an_unreadable_signature_in_a_part_is_invalid(trust: Trust) -> None:
    report = verdict(mixed(signed_part(INNER_FIELDS, ENTITY, signature_part(b"garbage"))), trust)
    assert (report.verdict, report.reasons) == (Verdict.INVALID, ("signature_malformed", "coverage_partial"))


def forwarded(data: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + data


def test_a_forwarded_signature_does_not_sign_what_forwards_it(alice: Person, trust: Trust) -> None:
    head = HEAD.replace(b"alice", b"mallory")
    report = verdict(mixed(b"\r\nsee below", forwarded(signed_mail(alice)), head=head), trust)
    assert (report.verdict, report.coverage, report.signers) == (Verdict.NOT_SIGNED, Coverage.NONE, ())
    (nested,) = report.nested
    assert (nested.part, nested.verdict) == ("2.1", Verdict.VALID)
    assert [str(sender) for sender in nested.senders] == [ALICE]


def test_a_forged_attachment_lowers_nothing(alice: Person, mallory: Person, trust: Trust) -> None:
    body = mixed(b"\r\nsee below", forwarded(signed_mail(alice).replace(b"Friday", b"Monday")), head=b"")
    report = verdict(detached(cms(mallory, body), content=body, head=HEAD.replace(b"alice", b"mallory")), trust)
    assert report.verdict is Verdict.VALID
    assert [nested.verdict for nested in report.nested] == [Verdict.INVALID]


def test_a_signature_within_a_signature_is_for_information(alice: Person, mallory: Person, trust: Trust) -> None:
    body = inner(mallory).replace(b"outer", b"within")
    report = verdict(detached(cms(alice, body), content=body), trust)
    assert (report.verdict, report.signed_part) == (Verdict.VALID, "")
    assert [(nested.part, nested.reasons) for nested in report.nested] == [("1", ("address_mismatch",))]


def test_a_nested_signature_is_told_in_the_report(alice: Person, mallory: Person, trust: Trust) -> None:
    body = inner(mallory).replace(b"outer", b"within")
    (nested,) = as_json(verdict(detached(cms(alice, body), content=body), trust), summary=[])["message"]["nested"]
    assert nested["part"] == "1"
    assert nested["verdict"] == "invalid"
    assert nested["reasons"] == ["address_mismatch"]
    assert nested["from"] == [ALICE]
    assert [signer["mailboxes"] for signer in nested["signers"]] == [["mallory@campus.example"]]
