from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import der, oids
from formats.certificate import Certificate, CertificateMalformed
from smime.path.effort import MAX_COMPARISONS, Effort
from smime.path.evidence import Evidence
from smime.path.judge import REASONS as PATH_REASONS
from smime.path.judge import PathPolicy, PathResult, PathVerdict, judge_path
from smime.report import REASONS
from tests.smime.path import pki
from tests.smime.path.pki import AT, DAY
from tests.smime.path.scenarios import SCENARIOS, Campus, Case


def judged(case: Case) -> PathResult:
    return judge_path(
        case.leaf.certificate,
        intermediates=case.pool,
        anchors=case.trusted,
        evidence=Evidence(crls=tuple(case.crls)),
        policy=case.policy,
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_judges_each_scenario_rightly(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    result = judged(case)
    assert result.reasons == case.reasons
    assert set(result.findings) == set(case.findings)
    assert result.revocation.status == case.status
    expected = REASONS[case.reasons[0]].value if case.reasons else "valid"
    assert result.verdict == expected
    assert (result.verdict is PathVerdict.VALID) == (result.reason is None)


def test_reasons_are_ranked_as_in_the_report() -> None:
    assert [REASONS[reason].value for reason in PATH_REASONS] == [verdict.value for verdict in PATH_REASONS.values()]
    assert list(PATH_REASONS) == [reason for reason in REASONS if reason in PATH_REASONS]


def test_all_reasons_are_told_worst_first(campus: Campus) -> None:
    leaf = pki.person(campus.issuing, not_after=AT - DAY, purposes=(pki.SERVER_AUTH,))
    result = judged(campus.case(leaf=leaf, crls=()))
    assert result.reasons == ("usage_not_allowed", "revocation_unknown", "signer_expired")
    assert (result.verdict, result.reason) == (PathVerdict.INVALID, "usage_not_allowed")


def test_valid_chain_is_found_beside_an_invalid_one(campus: Campus) -> None:
    expired = pki.authority(
        campus.root, subject="Campus CA G1", key=campus.issuing.key, not_after=AT - DAY, path_length=0
    )
    for pool in ((expired, campus.issuing), (campus.issuing, expired)):
        assert judged(campus.case(intermediates=pool)).verdict is PathVerdict.VALID


def test_best_of_several_failures_is_told_whatever_their_order(campus: Campus) -> None:
    expired = pki.authority(
        campus.root, subject="Campus CA G1", key=campus.issuing.key, not_after=AT - DAY, path_length=0
    )
    for pool in ((expired, campus.issuing), (campus.issuing, expired)):
        assert judged(campus.case(intermediates=pool, crls=())).reasons == ("revocation_unknown",)
    twice = pki.authority(campus.root, subject="Campus CA G1", key=campus.issuing.key, path_length=0)
    assert judged(campus.case(intermediates=(twice, campus.issuing), crls=())).reasons == ("revocation_unknown",)


def test_chain_to_an_anchor_tells_more_than_a_signature_that_is_wrong(campus: Campus) -> None:
    twin = pki.authority(campus.root, subject="Campus CA G1", key_ids=False)
    result = judged(campus.case(intermediates=(twin, campus.issuing), crls=()))
    assert result.reasons == ("revocation_unknown",)


def test_unchecked_chain_does_not_hide_why_the_checked_one_fails(campus: Campus) -> None:
    revoked = pki.crl(campus.root, *pki.revoke(campus.issuing))
    other = pki.authority(campus.root, subject="Campus CA G1", key=campus.issuing.key)
    identifier = der.sequence(der.oid("1.2.3.4"))
    unsigned = pki.resigned(other, campus.root, tbs_algorithm=identifier, outer=identifier)
    result = judged(campus.case(intermediates=(unsigned, campus.issuing), crls=(revoked, pki.crl(campus.issuing))))
    assert result.findings == ("ca_revoked",)


def _unchecked(campus: Campus, count: int, *more: tuple[x509.ExtensionType, bool]) -> list[pki.Node]:
    """Authorities between Alice and the root whose own signatures are of no known algorithm."""
    identifier = der.sequence(der.oid("1.2.3.4"))
    made = [pki.authority(campus.root, *more, subject="Campus CA G1", key=campus.issuing.key) for _ in range(count)]
    return [pki.resigned(one, campus.root, tbs_algorithm=identifier, outer=identifier) for one in made]


def test_only_three_unchecked_chains_are_judged(campus: Campus) -> None:
    """A name costs at least one comparison for each chain that is judged."""
    elsewhere = (x509.NameConstraints([x509.DNSName("campus.example")], None), True)
    spent = []
    for count in (3, 12):
        case = campus.case(intermediates=_unchecked(campus, count, elsewhere), crls=())
        effort = Effort()
        result = judge_path(
            case.leaf.certificate,
            intermediates=case.pool,
            anchors=case.trusted,
            evidence=Evidence(),
            policy=case.policy,
            effort=effort,
        )
        assert "unsupported_algorithm" in result.reasons
        spent.append(MAX_COMPARISONS - effort.comparisons)
    assert spent[0] == spent[1] > 0


def test_unchecked_chains_do_not_hide_a_valid_one(campus: Campus) -> None:
    pool = (*_unchecked(campus, 12), campus.issuing)
    assert judged(campus.case(intermediates=pool)).verdict is PathVerdict.VALID


def test_pinned_certificate_is_not_judged_by_itself(campus: Campus) -> None:
    alone = pki.issue(None, (pki.mail_names(pki.ALICE), False), subject="Alice")
    result = judged(campus.case(leaf=alone, intermediates=(), anchors=(alone,)))
    assert result.reasons == ("no_trusted_path",)


def test_purposes_may_be_left_out(campus: Campus) -> None:
    leaf = pki.person(campus.issuing, purposes=(pki.SERVER_AUTH,), bits=("keyAgreement",))
    case = campus.case(leaf=leaf)
    open_policy = replace(case.policy, required_eku=None, key_usage_any_of=frozenset())
    assert judged(replace(case, policy=open_policy)).verdict is PathVerdict.VALID


@pytest.mark.parametrize("option", ["require_explicit_policy", "inhibit_policy_mapping", "inhibit_any_policy"])
def test_policy_options_are_never_valid(campus: Campus, option: str) -> None:
    policy = PathPolicy(at=AT, **{option: True})  # type: ignore[arg-type] # the options are flags
    assert judged(campus.case(policy=policy)).reasons == ("policy_unsupported",)
    assert judged(campus.case(policy=PathPolicy(at=AT, policies=("2.5.29.32.0",)))).reason == "policy_unsupported"


def test_name_constraint_of_an_unknown_form_is_undecided(campus: Campus) -> None:
    upn = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), der.utf8("alice"))
    issuing = pki.authority(campus.root, (x509.NameConstraints([upn], None), True), subject="Campus CA G1")
    leaf = pki.person(issuing, names=x509.SubjectAlternativeName([upn]))
    result = judged(campus.case(leaf=leaf, intermediates=(issuing,)))
    assert (result.reasons, result.findings) == (("no_trusted_path",), ("name_constraint_unsupported",))


def test_name_constraints_that_cannot_be_read_make_the_path_invalid(campus: Campus) -> None:
    broken = pki.unknown(der.sequence(), oid=oids.NAME_CONSTRAINTS)
    issuing = pki.authority(campus.root, (broken, True), subject="Campus CA G1")
    result = judged(campus.case(leaf=pki.person(issuing), intermediates=(issuing,)))
    assert (result.reasons, result.findings) == (("path_invalid",), ("name_constraints_malformed",))


def test_nothing_given_is_no_trusted_path(campus: Campus) -> None:
    case = campus.case(intermediates=(), anchors=(), crls=())
    result = judged(case)
    assert (result.reasons, result.chain) == (("no_trusted_path",), (campus.alice.certificate,))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_order_and_repetition_of_what_is_given_do_not_matter(data: st.DataObject, cases: dict[str, Case]) -> None:
    case = cases[data.draw(st.sampled_from(sorted(SCENARIOS)))]
    extra = [other for name in ("ordinary", "mailbox_permitted", "issuing_ca_expired") for other in cases[name].pool]
    pool = data.draw(st.permutations([*case.pool, *extra, *case.pool]))
    crls = data.draw(st.permutations([*case.crls, *case.crls]))
    once, again = (
        judge_path(
            case.leaf.certificate,
            intermediates=given_pool,
            anchors=case.trusted,
            evidence=Evidence(crls=tuple(given_crls)),
            policy=case.policy,
        )
        for given_pool, given_crls in ((sorted({*pool}, key=lambda one: one.sha256), case.crls), (pool, crls))
    )
    assert once == again


@settings(max_examples=150, deadline=None)
@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_leaf_with_a_flipped_bit_is_never_valid(campus: Campus, at: int, bit: int) -> None:
    mutated = bytearray(campus.alice.certificate.der)
    mutated[at % len(mutated)] ^= 1 << bit
    try:
        leaf = Certificate.from_der(bytes(mutated))
    except CertificateMalformed:
        return
    case = campus.case(leaf=pki.Node(certificate=leaf, key=campus.alice.key))
    assert judged(case).verdict is not PathVerdict.VALID
