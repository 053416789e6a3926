from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from formats import der
from formats.certificate import Certificate
from smime.path import effort as effort_
from smime.path.chains import MAX_DEPTH, Anchor, Chain, build_chains
from smime.path.effort import Effort
from smime.path.evidence import Evidence
from smime.path.judge import PathPolicy, PathVerdict, judge_path
from tests.smime.path import pki
from tests.smime.path.pki import AT, Node


def chains(leaf: Node, *above: Node, anchors: tuple[Node, ...], effort: Effort | None = None) -> list[Chain]:
    return list(
        build_chains(
            leaf.certificate,
            intermediates=[node.certificate for node in above],
            anchors=[node.anchor for node in anchors],
            effort=effort or Effort(),
        )
    )


def ladder(steps: int) -> tuple[Node, list[Node]]:
    """A root and so many intermediates, each issued by the one before."""
    root = pki.authority()
    line = [root]
    for step in range(steps):
        line.append(pki.authority(line[-1], subject=f"Step {step}"))
    return root, line[1:]


def mesh(root: Node, *, floors: int, width: int, bridged: bool) -> tuple[list[Node], Node]:
    """Floors of `width` names, each certified by every name above, and one of the lowest.

    There are `width` to the power of `floors` chains from there; only where it is bridged they end at the root.
    """
    above = [root if bridged else pki.authority(subject="Nobody")]
    made: list[Node] = []
    for floor in range(floors):
        keys = [pki.new_key() for _ in range(width)]
        here = [
            [pki.authority(issuer, subject=f"Floor {floor} {number}", key=key) for issuer in above]
            for number, key in enumerate(keys)
        ]
        made.extend(node for nodes in here for node in nodes)
        above = [nodes[0] for nodes in here]
    return made, above[-1]


def test_chain_runs_from_leaf_to_anchor_whatever_the_order() -> None:
    root, line = ladder(4)
    leaf = pki.person(line[-1])
    (found,) = chains(leaf, *line, anchors=(root,))
    expected = [leaf.certificate, *(node.certificate for node in reversed(line))]
    assert list(found.certificates) == expected
    assert found.members == (*found.certificates, root.certificate)
    assert found.is_checked
    assert chains(leaf, *reversed(line), *line, anchors=(root, root)) == [found]


def test_anchor_may_be_only_a_name_and_a_key() -> None:
    root = pki.authority()
    leaf = pki.person(root).certificate
    bare = Anchor(subject_der=root.certificate.subject_der, spki=root.certificate.spki)
    (found,) = build_chains(leaf, intermediates=(), anchors=[bare], effort=Effort())
    assert found.members == (leaf,)


def test_anchor_in_the_middle_ends_the_chain_there() -> None:
    root, (upper, lower) = ladder(2)
    found = chains(pki.person(lower), upper, lower, anchors=(root, upper))
    assert [len(chain.members) for chain in found] == [3, 4]


def test_deepest_chain_allowed_is_found_and_a_deeper_one_is_not() -> None:
    root, line = ladder(MAX_DEPTH)
    assert len(chains(pki.person(line[-2]), *line, anchors=(root,))[0].certificates) == MAX_DEPTH
    assert chains(pki.person(line[-1]), *line, anchors=(root,)) == []


def test_cross_certificates_of_each_other_are_no_loop() -> None:
    one, two = pki.authority(subject="One"), pki.authority(subject="Two")
    cross = [pki.authority(one, subject="Two", key=two.key), pki.authority(two, subject="One", key=one.key)]
    leaf = pki.person(one)
    assert chains(leaf, one, two, *cross, anchors=(pki.authority(),)) == []
    assert [len(chain.certificates) for chain in chains(leaf, one, two, *cross, anchors=(two,))] == [2]


def test_self_signed_copy_of_the_anchor_adds_no_chain() -> None:
    root, (issuing,) = ladder(1)
    twin = pki.authority(key=root.key)
    assert len(chains(pki.person(issuing), issuing, root, twin, anchors=(root,))) == 1


def test_renewed_authority_of_the_same_name_is_told_apart_by_its_key() -> None:
    root = pki.authority()
    old, new = pki.authority(root, subject="CA"), pki.authority(root, subject="CA")
    (found,) = chains(pki.person(new), old, new, anchors=(root,))
    assert found.certificates[1] == new.certificate
    (found,) = chains(pki.person(new, key_ids=False), old, new, anchors=(root,))
    assert found.certificates[1] == new.certificate


def test_serial_number_alone_is_never_who_issued() -> None:
    root = pki.authority(serial=7)
    issuing = pki.authority(root, subject="CA", serial=7)
    assert len(chains(pki.person(issuing, serial=7), issuing, anchors=(root,))) == 1


def test_issuer_without_name_is_none() -> None:
    nameless = pki.authority(subject=x509.Name([]))
    assert chains(pki.person(nameless), anchors=(nameless,)) == []


def test_anchor_that_cannot_be_read_is_passed_over() -> None:
    root = pki.authority()
    junk = [
        Anchor(subject_der=b"junk", spki=b"junk"),
        Anchor(subject_der=root.certificate.subject_der, spki=b"junk"),
        root.anchor,
    ]
    found = list(build_chains(pki.person(root).certificate, intermediates=(), anchors=junk, effort=Effort()))
    assert [chain.is_checked for chain in found].count(True) == 1


def judged(leaf: Certificate, above: list[Node], anchor: Node, effort: Effort) -> tuple[PathVerdict, tuple[str, ...]]:
    result = judge_path(
        leaf,
        intermediates=[node.certificate for node in above],
        anchors=[anchor.anchor],
        evidence=Evidence(),
        policy=PathPolicy(at=AT, revocation="off"),
        effort=effort,
    )
    return result.verdict, result.findings


def test_mesh_without_way_out_ends_within_the_budget() -> None:
    root = pki.authority()
    made, lowest = mesh(root, floors=7, width=3, bridged=False)
    effort = Effort()
    verdict, findings = judged(pki.person(lowest).certificate, made, root, effort)
    assert (verdict, findings) == (PathVerdict.INDETERMINATE, ("budget_exhausted",))
    assert effort.links == 0
    assert effort.signature_checks >= 0


def test_mesh_with_a_way_out_is_valid() -> None:
    root = pki.authority()
    made, lowest = mesh(root, floors=3, width=2, bridged=True)
    assert judged(pki.person(lowest).certificate, made, root, Effort())[0] is PathVerdict.VALID


def test_junk_under_the_issuers_name_costs_at_most_the_budget() -> None:
    root = pki.authority()
    issuing = pki.authority(root, subject="CA")
    junk = [pki.authority(root, subject="CA", key_ids=False) for _ in range(effort_.MAX_SIGNATURE_CHECKS + 20)]
    leaf = pki.person(issuing, key_ids=False).certificate
    effort = Effort()
    assert judged(leaf, junk, root, effort) == (PathVerdict.INDETERMINATE, ("budget_exhausted",))
    assert effort.signature_checks == 0
    fitting = pki.person(issuing).certificate
    assert judged(fitting, [*junk, issuing], root, Effort())[0] is PathVerdict.VALID


def test_several_leaves_share_one_effort_and_repeat_no_check() -> None:
    root, line = ladder(3)
    effort = Effort()
    for _ in range(3):
        judged(pki.person(line[-1]).certificate, line, root, effort)
    assert effort_.MAX_SIGNATURE_CHECKS - effort.signature_checks == 3 + 3  # each leaf once, each CA once


def test_key_of_a_kind_that_cannot_sign_is_no_issuer() -> None:
    root = pki.authority()
    spki = der.sequence(der.sequence(der.oid("1.3.101.110")), der.bits(bytes(32)))
    assert isinstance(root.key, ec.EllipticCurvePrivateKey)
    bare = Anchor(subject_der=root.certificate.subject_der, spki=spki)
    (found,) = build_chains(pki.person(root).certificate, intermediates=(), anchors=[bare], effort=Effort())
    assert not found.is_checked


def test_issuer_of_an_endless_name_is_not_looked_for() -> None:
    long = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a" * 60 + str(number)) for number in range(70)])
    root = pki.authority(subject=long)
    leaf = pki.person(root).certificate
    assert not list(build_chains(leaf, intermediates=(), anchors=(root.anchor,), effort=Effort()))
