"""Chains and evidence with what they should be judged: the rules of RFC 5280 6, each with its negative twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from formats import der, oids
from formats.certificate import Certificate
from smime.path.chains import Anchor
from smime.path.judge import PathPolicy
from tests.smime.path import pki
from tests.smime.path.pki import AT, DAY, Node, Revoked

POLICY = PathPolicy(
    at=AT,
    required_eku=frozenset({oids.EMAIL_PROTECTION}),
    key_usage_any_of=frozenset({"digitalSignature", "nonRepudiation"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is judged, and the answer that is right."""

    leaf: Node
    intermediates: Sequence[Node] = ()
    anchors: Sequence[Node] = ()
    crls: Sequence[bytes] = ()
    policy: PathPolicy = POLICY
    reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    status: str = "good"
    openssl_says_no: str | None = None  # why openssl refuses what is valid here

    @property
    def trusted(self) -> tuple[Anchor, ...]:
        return tuple(anchor.anchor for anchor in self.anchors)

    @property
    def pool(self) -> tuple[Certificate, ...]:
        return tuple(node.certificate for node in self.intermediates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campus:
    """The ordinary chain that the scenarios bend."""

    root: Node
    issuing: Node
    alice: Node
    more: dict[str, Node] = field(default_factory=dict)

    def case(self, **changes: object) -> Case:
        """The ordinary case with some changes; CRLs are made for whoever issues in it."""
        given: dict[str, object] = {
            "leaf": self.alice,
            "intermediates": (self.issuing,),
            "anchors": (self.root,),
            **changes,
        }
        if "crls" not in given:
            chain = [*given["anchors"], *given["intermediates"]]  # type: ignore[misc] # they are nodes
            given["crls"] = tuple(pki.crl(node) for node in chain)
        return Case(**given)  # type: ignore[arg-type] # the fields of Case by name


def campus() -> Campus:
    root = pki.authority()
    issuing = pki.authority(root, subject="Campus CA G1", path_length=0)
    return Campus(root=root, issuing=issuing, alice=pki.person(issuing))


Scenario = Callable[[Campus], Case]
SCENARIOS: dict[str, Scenario] = {}


def scenario(make: Scenario) -> Scenario:
    """Enter a scenario under its name."""
    SCENARIOS[make.__name__] = make
    return make


def _invalid(*findings: str) -> dict[str, object]:
    return {"reasons": ("path_invalid",), "findings": findings}


# --- signatures and algorithms ---


@scenario
def ordinary(c: Campus) -> Case:
    return c.case()


@scenario
def leaf_right_under_the_anchor(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.root), intermediates=())


@scenario
def anchor_that_is_not_self_signed(c: Campus) -> Case:
    return c.case(
        intermediates=(), anchors=(c.issuing,), openssl_says_no="it wants a CRL for the anchor too (-crl_check_all)"
    )


@scenario
def signature_by_another_key(c: Campus) -> Case:
    leaf = pki.person(c.issuing, signing_key=pki.new_key())
    return c.case(leaf=leaf, status="not_checked", **_invalid("certificate_signature_wrong"))


@scenario
def ca_signature_by_another_key(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", signing_key=pki.new_key())
    return c.case(
        leaf=pki.person(issuing),
        intermediates=(issuing,),
        status="not_checked",
        **_invalid("certificate_signature_wrong"),
    )


@scenario
def signed_under_another_anchor(c: Campus) -> Case:
    return c.case(anchors=(pki.authority(subject="Other Root"),), reasons=("no_trusted_path",), status="not_checked")


@scenario
def anchor_of_the_same_name_with_another_key(c: Campus) -> Case:
    return c.case(anchors=(pki.authority(),), reasons=("no_trusted_path",), status="not_checked")


@scenario
def intermediate_that_is_missing(c: Campus) -> Case:
    return c.case(intermediates=(), reasons=("no_trusted_path",), status="not_checked")


@scenario
def signed_with_sha1(c: Campus) -> Case:
    weak = pki.resigned(c.alice, c.issuing, tbs_algorithm=_ECDSA_SHA1, outer=_ECDSA_SHA1)
    return c.case(
        leaf=weak,
        reasons=("algorithm_refused",),
        findings=("certificate_algorithm_refused",),
        status="not_checked",
    )


@scenario
def signed_with_rsa_1024(c: Campus) -> Case:
    weak = pki.authority(c.root, subject="Campus CA G1", key=_rsa(1024))
    return c.case(
        leaf=pki.person(weak),
        intermediates=(weak,),
        reasons=("algorithm_refused",),
        findings=("certificate_algorithm_refused",),
        status="not_checked",
    )


@scenario
def signed_with_rsa_2048(c: Campus) -> Case:
    good = pki.authority(c.root, subject="Campus CA G1", key=_rsa(2048))
    return c.case(leaf=pki.person(good), intermediates=(good,))


@scenario
def signed_with_ed25519(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", key=ed25519.Ed25519PrivateKey.generate())
    policy = PathPolicy(at=AT, revocation="off")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), crls=(), policy=policy, status="not_checked")


@scenario
def signed_with_an_unknown_algorithm(c: Campus) -> Case:
    identifier = der.sequence(der.oid("1.3.6.1.5.5.7.6.36"))  # id-alg-unsigned, RFC 9925
    leaf = pki.resigned(c.alice, c.issuing, tbs_algorithm=identifier, outer=identifier)
    return c.case(
        leaf=leaf,
        reasons=("unsupported_algorithm",),
        findings=("certificate_unsupported_algorithm",),
        status="not_checked",
    )


@scenario
def issuer_on_an_unknown_curve(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", key=ec.generate_private_key(ec.SECP256K1()))
    return c.case(
        leaf=pki.person(issuing),
        intermediates=(issuing,),
        reasons=("algorithm_refused",),
        findings=("certificate_algorithm_refused",),
        status="not_checked",
    )


@scenario
def algorithms_that_differ_inside_and_outside(c: Campus) -> Case:
    inner = der.sequence(der.oid(oids.ECDSA_WITH_SHA384))
    return c.case(leaf=pki.resigned(c.alice, c.issuing, tbs_algorithm=inner), **_invalid("algorithms_differ"))


# --- validity ---


@scenario
def expired(c: Campus) -> Case:
    leaf = pki.person(c.issuing, not_after=AT - timedelta(seconds=1))
    return c.case(leaf=leaf, reasons=("signer_expired",), findings=("expired",))


@scenario
def in_its_last_second(c: Campus) -> Case:
    policy = PathPolicy(at=AT + timedelta(microseconds=900_000))
    return c.case(
        leaf=pki.person(c.issuing, not_after=AT),
        policy=policy,
        openssl_says_no="it takes the last second as past; RFC 5280 4.1.2.5 includes it",
    )


@scenario
def not_yet_valid(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.issuing, not_before=AT + timedelta(seconds=1)), **_invalid("not_yet_valid"))


@scenario
def issuing_ca_expired(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", not_after=AT - DAY)
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), **_invalid("ca_expired"))


@scenario
def issuing_ca_not_yet_valid(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", not_before=AT + DAY)
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), **_invalid("ca_not_yet_valid"))


@scenario
def anchor_expired(c: Campus) -> Case:
    root = pki.authority(not_after=AT - DAY)
    return c.case(leaf=pki.person(root), intermediates=(), anchors=(root,), **_invalid("ca_expired"))


@scenario
def judged_in_the_past(c: Campus) -> Case:
    then = AT - 50 * DAY
    evidence = tuple(pki.crl(node, this_update=then - DAY, next_update=then + DAY) for node in (c.root, c.issuing))
    leaf = pki.person(c.issuing, not_after=AT - DAY)
    return c.case(leaf=leaf, crls=evidence, policy=_at(then))


# --- names ---


@scenario
def issuer_name_that_differs(c: Campus) -> Case:
    leaf = pki.person(c.issuing, issuer_name=pki.name("Campus CA G2"))
    return c.case(leaf=leaf, reasons=("no_trusted_path",), status="not_checked")


@scenario
def issuer_name_in_other_case_and_blanks(c: Campus) -> Case:
    leaf = pki.person(c.issuing, issuer_name=pki.name("CAMPUS   ca g1 "))
    return c.case(leaf=leaf)


@scenario
def issuer_name_in_another_string_type(c: Campus) -> Case:
    other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Campus CA G1", _type=_PRINTABLE)])
    return c.case(leaf=pki.person(c.issuing, issuer_name=other))


# --- CAs ---


@scenario
def issuer_without_basic_constraints(c: Campus) -> Case:
    issuing = pki.issue(c.root, (pki.usage("keyCertSign", "cRLSign"), True), subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), **_invalid("issuer_not_a_ca"))


@scenario
def issuer_that_is_a_person(c: Campus) -> Case:
    bob = pki.issue(c.issuing, (x509.BasicConstraints(ca=False, path_length=None), True), subject="Bob")
    return c.case(leaf=pki.person(bob), intermediates=(c.issuing, bob), **_invalid("issuer_not_a_ca", "path_too_long"))


@scenario
def issuer_that_may_not_certify(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", bits=("cRLSign", "digitalSignature"))
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), **_invalid("issuer_may_not_certify"))


@scenario
def issuer_without_key_usage(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", bits=None)
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,))


@scenario
def anchor_that_may_not_certify(c: Campus) -> Case:
    root = pki.authority(bits=("digitalSignature", "cRLSign"))
    return c.case(leaf=pki.person(root), intermediates=(), anchors=(root,), **_invalid("issuer_may_not_certify"))


@scenario
def anchor_that_is_no_ca(c: Campus) -> Case:
    root = pki.issue(None, (x509.BasicConstraints(ca=False, path_length=None), True), subject="Root")
    return c.case(leaf=pki.person(root), intermediates=(), anchors=(root,), **_invalid("issuer_not_a_ca"))


@scenario
def path_longer_than_allowed(c: Campus) -> Case:
    below = pki.authority(c.issuing, subject="Campus CA below G1")
    return c.case(leaf=pki.person(below), intermediates=(c.issuing, below), **_invalid("path_too_long"))


@scenario
def path_as_long_as_allowed(c: Campus) -> Case:
    above = pki.authority(c.root, subject="Campus CA", path_length=1)
    below = pki.authority(above, subject="Campus CA below", path_length=0)
    return c.case(leaf=pki.person(below), intermediates=(above, below))


@scenario
def path_length_of_the_anchor(c: Campus) -> Case:
    root = pki.authority(path_length=0)
    issuing = pki.authority(root, subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), anchors=(root,), **_invalid("path_too_long"))


@scenario
def path_length_does_not_count_self_issued(c: Campus) -> Case:
    renewed = pki.authority(c.issuing, subject="Campus CA G1", path_length=0)
    evidence = tuple(pki.crl(node, key_id=True) for node in (c.root, c.issuing, renewed))
    return c.case(leaf=pki.person(renewed), intermediates=(c.issuing, renewed), crls=evidence)


# --- purposes ---


@scenario
def ca_for_mail(c: Campus) -> Case:
    issuing = pki.authority(c.root, (x509.ExtendedKeyUsage([pki.EMAIL_PROTECTION]), False), subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,))


@scenario
def ca_for_web_sites(c: Campus) -> Case:
    issuing = pki.authority(c.root, (x509.ExtendedKeyUsage([pki.SERVER_AUTH]), False), subject="Campus CA G1")
    return c.case(
        leaf=pki.person(issuing),
        intermediates=(issuing,),
        reasons=("usage_not_allowed",),
        findings=("ca_extended_key_usage_not_allowed",),
    )


@scenario
def certificate_for_web_sites(c: Campus) -> Case:
    return c.case(
        leaf=pki.person(c.issuing, purposes=(pki.SERVER_AUTH,)),
        reasons=("usage_not_allowed",),
        findings=("extended_key_usage_not_allowed",),
    )


@scenario
def certificate_for_any_purpose(c: Campus) -> Case:
    return c.case(
        leaf=pki.person(c.issuing, purposes=(pki.ANY_PURPOSE,)),
        openssl_says_no="-purpose smimesign wants emailProtection by name",
    )


@scenario
def certificate_without_purpose(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.issuing, purposes=None))


@scenario
def certificate_to_encrypt_with(c: Campus) -> Case:
    return c.case(
        leaf=pki.person(c.issuing, bits=("keyAgreement",)),
        reasons=("usage_not_allowed",),
        findings=("key_usage_not_allowed",),
    )


@scenario
def certificate_for_non_repudiation(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.issuing, bits=("nonRepudiation",)))


@scenario
def certificate_without_key_usage(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.issuing, bits=None))


@scenario
def ca_as_signer(c: Campus) -> Case:
    leaf = pki.authority(c.root, subject="Alice CA", bits=("digitalSignature", "keyCertSign"))
    return c.case(leaf=leaf, intermediates=(), reasons=("usage_not_allowed",), findings=("signer_is_a_ca",))


# --- extensions ---


@scenario
def unknown_critical_extension(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.issuing, (pki.unknown(), True)), **_invalid("critical_extension_unknown"))


@scenario
def unknown_extension(c: Campus) -> Case:
    return c.case(leaf=pki.person(c.issuing, (pki.unknown(), False)))


@scenario
def unknown_critical_extension_of_a_ca(c: Campus) -> Case:
    issuing = pki.authority(c.root, (pki.unknown(), True), subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), **_invalid("critical_extension_unknown"))


@scenario
def certificate_policies(c: Campus) -> Case:
    policies = x509.CertificatePolicies([x509.PolicyInformation(_POLICY, None)])
    issuing = pki.authority(c.root, (policies, True), subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing, (policies, True)), intermediates=(issuing,))


def _policy_case(c: Campus, extension: x509.ExtensionType) -> Case:
    issuing = pki.authority(c.root, (extension, True), subject="Campus CA G1")
    return c.case(
        leaf=pki.person(issuing),
        intermediates=(issuing,),
        reasons=("policy_unsupported",),
        findings=("policy_extension",),
    )


@scenario
def policy_constraints(c: Campus) -> Case:
    return _policy_case(c, x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None))


@scenario
def inhibit_any_policy(c: Campus) -> Case:
    return _policy_case(c, x509.InhibitAnyPolicy(0))


@scenario
def policy_mappings(c: Campus) -> Case:
    pair = der.sequence(der.oid(_POLICY.dotted_string), der.oid("1.3.6.1.4.1.55555.2"))
    return _policy_case(c, pki.unknown(der.sequence(pair), oid=oids.POLICY_MAPPINGS))


@scenario
def policy_option(c: Campus) -> Case:
    policy = PathPolicy(at=AT, require_explicit_policy=True)
    return c.case(policy=policy, reasons=("policy_unsupported",), findings=("policy_options",))


# --- name constraints (the forms in detail: test_constraints.py) ---


def _constrained(c: Campus, *, host: str, **changes: object) -> Case:
    permitted = x509.NameConstraints([x509.RFC822Name(host)], None)
    issuing = pki.authority(c.root, (permitted, True), subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), **changes)


@scenario
def mailbox_permitted(c: Campus) -> Case:
    return _constrained(c, host="campus.example")


@scenario
def mailbox_not_permitted(c: Campus) -> Case:
    return _constrained(c, host="other.example", **_invalid("name_constraint_violated"))


@scenario
def mailbox_excluded_by_the_anchor(c: Campus) -> Case:
    root = pki.authority(None, (x509.NameConstraints(None, [x509.RFC822Name("campus.example")]), True))
    return c.case(leaf=pki.person(root), intermediates=(), anchors=(root,), **_invalid("name_constraint_violated"))


@scenario
def address_in_the_subject_not_permitted(c: Campus) -> Case:
    permitted = x509.NameConstraints([x509.RFC822Name("campus.example")], None)
    issuing = pki.authority(c.root, (permitted, True), subject="Campus CA G1")
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "mallory@other.example")])
    return c.case(
        leaf=pki.person(issuing, subject=subject),
        intermediates=(issuing,),
        **_invalid("name_constraint_violated"),
    )


@scenario
def root_that_excludes_all_web_sites(c: Campus) -> Case:
    excluded = x509.NameConstraints(None, [x509.DNSName(""), *_ALL_ADDRESSES])
    root = pki.authority(None, (excluded, True))
    issuing = pki.authority(root, subject="Campus CA G1")
    return c.case(leaf=pki.person(issuing), intermediates=(issuing,), anchors=(root,))


@scenario
def web_site_under_a_root_that_excludes_all(c: Campus) -> Case:
    excluded = x509.NameConstraints(None, [x509.DNSName(""), *_ALL_ADDRESSES])
    root = pki.authority(None, (excluded, True))
    names = x509.SubjectAlternativeName([x509.RFC822Name(pki.ALICE), x509.DNSName("www.campus.example")])
    return c.case(
        leaf=pki.person(root, names=names),
        intermediates=(),
        anchors=(root,),
        **_invalid("name_constraint_violated"),
    )


@scenario
def constraints_bind_a_leaf_that_is_self_issued(c: Campus) -> Case:
    permitted = x509.NameConstraints([x509.RFC822Name("other.example")], None)
    issuing = pki.authority(c.root, (permitted, True), subject="Campus CA G1")
    leaf = pki.person(issuing, subject="Campus CA G1")
    return c.case(leaf=leaf, intermediates=(issuing,), **_invalid("name_constraint_violated"))


@scenario
def constraints_spare_a_ca_that_is_self_issued(c: Campus) -> Case:
    permitted = x509.NameConstraints([x509.DirectoryName(pki.name("People"))], None)
    issuing = pki.authority(c.root, (permitted, True), subject="Campus CA G1")
    renewed = pki.authority(issuing, subject="Campus CA G1")
    return c.case(leaf=pki.person(renewed, subject="People"), intermediates=(issuing, renewed))


# --- revocation ---


@scenario
def revoked(c: Campus) -> Case:
    listed = pki.revoke(c.alice, reason=x509.ReasonFlags.key_compromise)
    return c.case(crls=(pki.crl(c.root), pki.crl(c.issuing, *listed)), status="revoked")


@scenario
def on_hold(c: Campus) -> Case:
    listed = pki.revoke(c.alice, reason=x509.ReasonFlags.certificate_hold)
    return c.case(crls=(pki.crl(c.root), pki.crl(c.issuing, *listed)), status="on_hold")


@scenario
def somebody_else_revoked(c: Campus) -> Case:
    other = Revoked(serial=c.alice.certificate.serial.value ^ 1)
    return c.case(crls=(pki.crl(c.root), pki.crl(c.issuing, other)))


@scenario
def issuing_ca_revoked(c: Campus) -> Case:
    return c.case(crls=(pki.crl(c.root, *pki.revoke(c.issuing)), pki.crl(c.issuing)), **_invalid("ca_revoked"))


@scenario
def without_crl(c: Campus) -> Case:
    return c.case(
        crls=(pki.crl(c.root),),
        reasons=("revocation_unknown",),
        findings=("revocation_unknown",),
        status="unknown",
    )


@scenario
def without_crl_of_the_root(c: Campus) -> Case:
    return c.case(crls=(pki.crl(c.issuing),), reasons=("revocation_unknown",), findings=("ca_revocation_unknown",))


@scenario
def without_crl_when_that_is_allowed(c: Campus) -> Case:
    return c.case(
        crls=(),
        policy=PathPolicy(at=AT, revocation="soft"),
        findings=("revocation_unknown", "ca_revocation_unknown"),
        status="unknown",
        openssl_says_no="-crl_check_all knows no soft failure",
    )


def _with_crl(c: Campus, crl: bytes, finding: str, **changes: object) -> Case:
    return c.case(
        crls=(pki.crl(c.root), crl),
        reasons=("revocation_unknown",),
        findings=(finding, "revocation_unknown"),
        status="unknown",
        **changes,
    )


@scenario
def stale_crl(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, this_update=AT - 9 * DAY, next_update=AT - DAY), "crl_stale")


@scenario
def crl_of_the_future(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, this_update=AT + DAY, next_update=AT + 2 * DAY), "crl_stale")


@scenario
def crl_by_another_key(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, signing_key=pki.new_key()), "crl_signature_wrong")


@scenario
def crl_of_a_ca_that_may_not_sign_any(c: Campus) -> Case:
    issuing = pki.authority(c.root, subject="Campus CA G1", bits=("keyCertSign",))
    leaf = pki.person(issuing)
    return _with_crl(c, pki.crl(issuing), "crl_issuer_not_allowed", leaf=leaf, intermediates=(issuing,))


@scenario
def crl_with_an_unknown_critical_extension(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, extensions=[(pki.unknown(), True)]), "crl_critical_extension")


@scenario
def crl_with_an_unknown_critical_extension_of_another_entry(c: Campus) -> Case:
    other = Revoked(serial=99, extensions=((pki.unknown(), True),))
    return _with_crl(c, pki.crl(c.issuing, other), "crl_critical_extension")


@scenario
def delta_crl(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, extensions=[(x509.DeltaCRLIndicator(3), True)]), "crl_delta")


@scenario
def indirect_crl(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, extensions=[(pki.scope(indirect=True), True)]), "crl_indirect")


@scenario
def crl_for_some_reasons(c: Campus) -> Case:
    some = pki.scope(reasons=frozenset({x509.ReasonFlags.key_compromise}))
    return _with_crl(c, pki.crl(c.issuing, extensions=[(some, True)]), "crl_some_reasons")


@scenario
def crl_for_authorities_only(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, extensions=[(pki.scope(authorities=True), True)]), "crl_other_scope")


@scenario
def crl_for_attribute_certificates_only(c: Campus) -> Case:
    return _with_crl(c, pki.crl(c.issuing, extensions=[(pki.scope(attributes=True), True)]), "crl_other_scope")


@scenario
def crl_for_people_only(c: Campus) -> Case:
    own = pki.crl(c.issuing, extensions=[(pki.scope(users=True), True)])
    return c.case(crls=(pki.crl(c.root), own))


@scenario
def crl_of_the_named_distribution_point(c: Campus) -> Case:
    leaf = pki.person(c.issuing, (pki.points(pki.POINT), False))
    own = pki.scope(names=[x509.UniformResourceIdentifier(pki.POINT)], users=True)
    return c.case(leaf=leaf, crls=(pki.crl(c.root), pki.crl(c.issuing, extensions=[(own, True)])))


@scenario
def crl_of_another_distribution_point(c: Campus) -> Case:
    leaf = pki.person(c.issuing, (pki.points(pki.POINT), False))
    other = pki.scope(names=[x509.UniformResourceIdentifier("http://pki.campus.example/g1-2.crl")])
    return _with_crl(c, pki.crl(c.issuing, extensions=[(other, True)]), "crl_other_scope", leaf=leaf)


@scenario
def crl_of_a_distribution_point_for_some_reasons(c: Campus) -> Case:
    some = frozenset({x509.ReasonFlags.key_compromise})
    leaf = pki.person(c.issuing, (pki.points(pki.POINT, reasons=some), False))
    own = pki.scope(names=[x509.UniformResourceIdentifier(pki.POINT)])
    return _with_crl(c, pki.crl(c.issuing, extensions=[(own, True)]), "crl_other_scope", leaf=leaf)


@scenario
def crl_without_number(c: Campus) -> Case:
    return c.case(crls=(pki.crl(c.root), pki.crl(c.issuing, number=None)), findings=("crl_without_number",))


@scenario
def newer_crl_decides(c: Campus) -> Case:
    older = pki.crl(c.issuing, number=6, this_update=AT - 2 * DAY)
    newer = pki.crl(c.issuing, *pki.revoke(c.alice), number=7)
    return c.case(crls=(newer, pki.crl(c.root), older), status="revoked")


def _at(moment: datetime) -> PathPolicy:
    return PathPolicy(at=moment, required_eku=POLICY.required_eku, key_usage_any_of=POLICY.key_usage_any_of)


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


_ECDSA_SHA1 = der.sequence(der.oid(oids.ECDSA_WITH_SHA1))
_PRINTABLE = x509.name._ASN1Type.PrintableString
_POLICY = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")
_ALL_ADDRESSES = [x509.IPAddress(network) for network in pki.ALL_NETWORKS]
