from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from formats import der
from formats.ber import read_der
from smime.path import evidence as evidence_
from smime.path.chains import Anchor
from smime.path.effort import Effort
from smime.path.evidence import Archive, Evidence, RevocationResult, StatusRecord
from smime.path.judge import PathPolicy, PathResult, PathVerdict, judge_path
from tests.smime.path import pki
from tests.smime.path.pki import AT, DAY, Node
from tests.smime.path.scenarios import Campus

LATER = AT + DAY


def record(issuer: Node, of: Node, status: str = "good", **more: object) -> StatusRecord:
    plain = StatusRecord(issuer_sha256=issuer.certificate.sha256, serial=of.certificate.serial, status=status)
    return replace(plain, **more)  # type: ignore[arg-type] # the fields of StatusRecord by name


def good_issuing(campus: Campus) -> StatusRecord:
    return record(campus.root, campus.issuing)


def judged(campus: Campus, evidence: Evidence, *, revocation: str = "hard", leaf: Node | None = None) -> PathResult:
    return judge_path(
        (leaf or campus.alice).certificate,
        intermediates=[campus.issuing.certificate],
        anchors=[campus.root.anchor],
        evidence=evidence,
        policy=PathPolicy(at=AT, revocation=revocation),
    )


def status(campus: Campus, *crls: bytes, leaf: Node | None = None, effort: Effort | None = None) -> RevocationResult:
    issuer = campus.issuing.anchor
    archive = Archive(Evidence(crls=crls), issuers=[issuer])
    leaf = leaf or campus.alice
    return archive.status(leaf.certificate, issuer=issuer, at=AT, effort=effort or Effort())


def test_records_of_leaf_and_issuer_make_a_path_valid(campus: Campus) -> None:
    records = (good_issuing(campus), record(campus.issuing, campus.alice))
    result = judged(campus, Evidence(records=records))
    assert result.verdict is PathVerdict.VALID
    assert result.revocation == RevocationResult(status="good", source="record")
    assert result.chain == (campus.alice.certificate, campus.issuing.certificate, campus.root.certificate)


def test_record_of_the_same_serial_under_another_issuer_says_nothing(campus: Campus) -> None:
    records = (good_issuing(campus), record(campus.root, campus.alice))
    assert judged(campus, Evidence(records=records)).reasons == ("revocation_unknown",)


def test_record_counts_under_every_certificate_of_the_same_name_and_key(campus: Campus) -> None:
    renewed = pki.authority(campus.root, subject="Campus CA G1", key=campus.issuing.key)
    told = record(campus.issuing, campus.alice, "revoked", reason="superseded", revoked_at=AT - DAY)
    archive = Archive(Evidence(records=(told,)), issuers=[renewed.anchor, campus.issuing.anchor])
    known = archive.status(campus.alice.certificate, issuer=renewed.anchor, at=AT, effort=Effort())
    assert known.status == "revoked"


def test_revoked_leaf_is_told_beside_the_verdict(campus: Campus) -> None:
    told = record(
        campus.issuing,
        campus.alice,
        "revoked",
        reason="keyCompromise",
        revoked_at=AT - DAY,
        invalidity_date=AT - 9 * DAY,
    )
    result = judged(campus, Evidence(records=(good_issuing(campus), told)))
    assert result.verdict is PathVerdict.VALID
    assert result.revocation == RevocationResult(
        status="revoked",
        reason="keyCompromise",
        revoked_at=AT - DAY,
        invalidity_date=AT - 9 * DAY,
        source="record",
    )


def test_hold_in_a_record_is_a_hold(campus: Campus) -> None:
    told = record(campus.issuing, campus.alice, "revoked", reason="certificateHold", revoked_at=AT - DAY)
    assert judged(campus, Evidence(records=(good_issuing(campus), told))).revocation.status == "on_hold"


def test_record_that_knows_nothing_is_not_made_good_by_a_crl(campus: Campus) -> None:
    records = (good_issuing(campus), record(campus.issuing, campus.alice, "unknown"))
    result = judged(campus, Evidence(crls=(pki.crl(campus.issuing),), records=records))
    assert result.reasons == ("revocation_unknown",)
    assert result.revocation.status == "unknown"


def test_record_of_another_word_is_unknown(campus: Campus) -> None:
    records = (good_issuing(campus), record(campus.issuing, campus.alice, "fine"))
    assert judged(campus, Evidence(records=records)).revocation.status == "unknown"


def test_worst_of_several_records_counts(campus: Campus) -> None:
    both = [record(campus.issuing, campus.alice), record(campus.issuing, campus.alice, "revoked")]
    for order in (both, both[::-1]):
        result = judged(campus, Evidence(records=(good_issuing(campus), *order)))
        assert result.revocation.status == "revoked"


def test_record_wins_over_crl(campus: Campus) -> None:
    told = record(campus.issuing, campus.alice, "revoked", reason="superseded", revoked_at=AT)
    crls = (pki.crl(campus.root), pki.crl(campus.issuing))
    assert judged(campus, Evidence(crls=crls, records=(told,))).revocation.source == "record"


def issuing_revoked(campus: Campus, **more: object) -> PathResult:
    told = record(campus.root, campus.issuing, "revoked", **more)
    return judged(campus, Evidence(records=(told, record(campus.issuing, campus.alice))))


def test_revoked_issuer_makes_the_path_invalid(campus: Campus) -> None:
    result = issuing_revoked(campus, reason="superseded", revoked_at=AT)
    assert (result.reasons, result.findings) == (("path_invalid",), ("ca_revoked",))


def test_issuer_revoked_later_was_good_at_that_moment(campus: Campus) -> None:
    result = issuing_revoked(campus, reason="superseded", revoked_at=LATER)
    assert (result.reasons, result.findings) == ((), ("ca_revoked_later",))


@pytest.mark.parametrize("reason", ["keyCompromise", "cACompromise", "aACompromise"])
def test_issuer_compromised_later_is_invalid_at_any_moment(campus: Campus, reason: str) -> None:
    assert issuing_revoked(campus, reason=reason, revoked_at=LATER).reasons == ("path_invalid",)


def test_issuer_on_hold_makes_the_path_invalid(campus: Campus) -> None:
    assert issuing_revoked(campus, reason="certificateHold", revoked_at=AT).findings == ("ca_on_hold",)


def test_soft_does_not_excuse_a_revoked_issuer(campus: Campus) -> None:
    crls = (pki.crl(campus.root, *pki.revoke(campus.issuing)),)
    assert judged(campus, Evidence(crls=crls), revocation="soft").reasons == ("path_invalid",)


def test_off_looks_at_nothing(campus: Campus) -> None:
    crls = (pki.crl(campus.root, *pki.revoke(campus.issuing)), b"junk")
    result = judged(campus, Evidence(crls=crls), revocation="off")
    assert result.verdict is PathVerdict.VALID
    assert result.revocation == evidence_.NOT_CHECKED


def test_word_that_is_no_mode_is_hard(campus: Campus) -> None:
    assert judged(campus, Evidence(), revocation="sotf").reasons == ("revocation_unknown",)


def test_crl_entry_is_told_whole(campus: Campus) -> None:
    listed = pki.revoke(campus.alice, reason=x509.ReasonFlags.key_compromise, at=AT - 3 * DAY)
    assert status(campus, pki.crl(campus.issuing, *listed)) == RevocationResult(
        status="revoked", reason="keyCompromise", revoked_at=AT - 3 * DAY, source="crl"
    )


def test_crl_with_a_bad_signature_is_never_believed_whatever_else_is_given(campus: Campus) -> None:
    bad = pki.crl(campus.issuing, signing_key=pki.new_key())
    others = [pki.authority(subject=f"Other {number}") for number in range(3)]
    unrelated = [pki.crl(node) for node in others]
    assert status(campus, *unrelated, bad).status == "unknown"
    assert status(campus, bad, *unrelated).status == "unknown"


def test_forged_crl_cannot_hide_a_revocation(campus: Campus) -> None:
    good = pki.crl(campus.issuing, *pki.revoke(campus.alice), this_update=AT - 2 * DAY)
    forged = pki.crl(campus.issuing, signing_key=pki.new_key(), this_update=AT - DAY)
    assert status(campus, forged, good).status == "revoked"


def test_crl_whose_algorithms_differ_is_not_believed(campus: Campus) -> None:
    whole = read_der(pki.crl(campus.issuing)).children
    outer = der.sequence(whole[0].raw, der.sequence(der.oid("1.2.840.10045.4.3.3")), whole[2].raw)
    assert status(campus, outer).status == "unknown"


def test_crl_of_another_authority_says_nothing(campus: Campus) -> None:
    other = pki.authority(subject="Campus CA G2")
    assert status(campus, pki.crl(other, *pki.revoke(campus.alice))).status == "unknown"


def test_crl_that_names_another_key_is_not_used(campus: Campus) -> None:
    other = x509.AuthorityKeyIdentifier(b"another key", None, None)
    crl = pki.crl(campus.issuing, key_id=False, extensions=[(other, False)])
    assert status(campus, crl).findings == ("crl_issuer_not_allowed",)
    assert status(campus, pki.crl(campus.issuing, key_id=False)).status == "good"


def test_of_two_crls_of_one_moment_the_worse_counts(campus: Campus) -> None:
    clean, listing = pki.crl(campus.issuing, number=8), pki.crl(campus.issuing, *pki.revoke(campus.alice))
    assert status(campus, clean, listing).status == "revoked"
    assert status(campus, listing, clean).status == "revoked"


def test_newer_crl_that_is_not_usable_leaves_the_older_one(campus: Campus) -> None:
    older = pki.crl(campus.issuing, *pki.revoke(campus.alice), this_update=AT - 2 * DAY)
    newer = pki.crl(campus.issuing, extensions=[(pki.unknown(), True)])
    assert status(campus, newer, older).status == "revoked"


def test_crl_is_judged_by_whole_seconds_at_both_ends(campus: Campus) -> None:
    assert status(campus, pki.crl(campus.issuing, this_update=AT, next_update=LATER)).status == "good"
    assert status(campus, pki.crl(campus.issuing, next_update=AT)).status == "good"


def test_crl_that_cannot_be_read_is_told_and_does_no_harm(campus: Campus) -> None:
    assert status(campus, b"junk").findings == ("crl_malformed",)
    assert status(campus, b"junk", pki.crl(campus.issuing)).status == "good"


def test_crl_without_entries_counts(campus: Campus) -> None:
    assert status(campus, pki.crl(campus.issuing)) == RevocationResult(status="good", source="crl")


def test_leaf_without_distribution_point_takes_only_the_implied_one(campus: Campus) -> None:
    implied = pki.scope(names=[x509.DirectoryName(pki.name("CAMPUS CA G1"))])
    assert status(campus, pki.crl(campus.issuing, extensions=[(implied, True)])).status == "good"


def test_crl_left_untried_lets_no_older_one_speak(campus: Campus) -> None:
    older = pki.crl(campus.issuing, this_update=AT - 2 * DAY)
    newer = pki.crl(campus.issuing, *pki.revoke(campus.alice))
    effort = Effort()
    status(campus, older, effort=effort)
    effort.signature_checks = 0
    told = status(campus, newer, older, effort=effort)
    assert (told.status, told.findings) == ("unknown", ("budget_exhausted",))


def test_search_of_crls_is_bounded(campus: Campus) -> None:
    effort = Effort()
    effort.crl_octets = 10
    told = status(campus, pki.crl(campus.issuing, *pki.revoke(campus.issuing)), effort=effort)
    assert told.findings == ("budget_exhausted",)


def test_soft_does_not_excuse_what_was_left_untried(campus: Campus) -> None:
    effort = Effort()
    effort.signature_checks = 2
    result = judge_path(
        campus.alice.certificate,
        intermediates=[campus.issuing.certificate],
        anchors=[campus.root.anchor],
        evidence=Evidence(crls=(pki.crl(campus.root), pki.crl(campus.issuing))),
        policy=PathPolicy(at=AT, revocation="soft"),
        effort=effort,
    )
    assert result.reasons == ("no_trusted_path",)
    assert "budget_exhausted" in result.findings


def test_bare_anchor_vouches_for_crls_too(campus: Campus) -> None:
    root = campus.root.certificate
    result = judge_path(
        campus.alice.certificate,
        intermediates=[campus.issuing.certificate],
        anchors=[Anchor(subject_der=root.subject_der, spki=root.spki)],
        evidence=Evidence(crls=(pki.crl(campus.root), pki.crl(campus.issuing))),
        policy=PathPolicy(at=AT),
    )
    assert result.verdict is PathVerdict.VALID
    assert result.chain == (campus.alice.certificate, campus.issuing.certificate)


def test_entry_dated_after_the_crl_is_revoked_when_the_crl_is_made(campus: Campus) -> None:
    crl = pki.crl(campus.issuing, *pki.revoke(campus.alice, at=LATER))
    assert status(campus, crl).revoked_at == AT - DAY


def test_status_is_looked_up_once(campus: Campus) -> None:
    archive = Archive(Evidence(crls=(pki.crl(campus.issuing),)), issuers=[])
    effort, issuer = Effort(), campus.issuing.anchor
    first = archive.status(campus.alice.certificate, issuer=issuer, at=AT, effort=effort)
    left = effort.crl_octets, effort.signature_checks
    assert archive.status(campus.alice.certificate, issuer=issuer, at=AT, effort=effort) is first
    assert (effort.crl_octets, effort.signature_checks) == left


def broken_name(prefix: bytes) -> bytes:
    """A distribution point whose directoryName is none."""
    name = der.explicit(4, der.integer(1))
    return der.sequence(der.explicit(0, der.implicit(0, name, constructed=True)), prefix)


def test_distribution_point_that_cannot_be_read_covers_nothing(campus: Campus) -> None:
    value = der.sequence(broken_name(b""))
    leaf = pki.person(campus.issuing, (pki.unknown(value, oid="2.5.29.31"), False))
    own = pki.scope(names=[x509.UniformResourceIdentifier(pki.POINT)])
    assert status(campus, pki.crl(campus.issuing, extensions=[(own, True)]), leaf=leaf).findings == ("crl_other_scope",)


def test_scope_that_cannot_be_read_makes_the_crl_unusable(campus: Campus) -> None:
    odd = pki.unknown(broken_name(b""), oid="2.5.29.28")
    assert status(campus, pki.crl(campus.issuing, extensions=[(odd, True)])).findings == ("crl_malformed",)


def test_scope_named_relative_to_the_issuer_is_not_matched(campus: Campus) -> None:
    relative = der.explicit(0, der.implicit(1, b"", constructed=True))
    odd = pki.unknown(der.sequence(relative), oid="2.5.29.28")
    assert status(campus, pki.crl(campus.issuing, extensions=[(odd, True)])).findings == ("crl_other_scope",)
