"""openssl as the judge outside: what it refuses is never valid here, but for what a scenario explains."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from formats import pem
from smime.path.judge import PathPolicy
from tests.smime.path import pki
from tests.smime.path.pki import AT
from tests.smime.path.scenarios import SCENARIOS, Campus, Case
from tests.smime.path.test_constraints import INSIDE, OUTSIDE, UNREADABLE
from tests.smime.path.test_judge import judged


def openssl_accepts(case: Case, folder: Path) -> bool:
    """Whether `openssl verify` accepts the same chain with the same evidence at the same moment."""
    words = ["openssl", "verify", "-partial_chain", "-no-CApath", "-no-CAstore", "-purpose", "smimesign"]
    words += ["-attime", str(int(case.policy.at.timestamp()))]
    if case.policy.revocation != "off":
        words.append("-crl_check_all")
    texts = {
        "-CAfile": [anchor.certificate.pem for anchor in case.anchors],
        "-untrusted": [node.certificate.pem for node in case.intermediates],
        "-CRLfile": [pem.encode("X509 CRL", crl) for crl in case.crls],
    }
    for option, blocks in texts.items():
        if blocks:
            (folder / option[1:]).write_text("".join(blocks))
            words += [option, option[1:]]
    (folder / "leaf").write_text(case.leaf.certificate.pem)
    return subprocess.run([*words, "leaf"], cwd=folder, capture_output=True, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_is_valid_only_where_openssl_agrees(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    result = judged(case)
    valid = not result.reasons and result.revocation.status in {"good", "not_checked", "unknown"}
    accepted = openssl_accepts(case, tmp_path)
    if case.openssl_says_no is not None:
        assert valid
        assert not accepted
    elif valid:
        assert accepted


def constrained(campus: Campus, name: x509.GeneralName, constraints: x509.NameConstraints) -> Case:
    issuing = pki.authority(campus.root, (constraints, True), subject="Campus CA G1")
    names = x509.SubjectAlternativeName([name])
    leaf = pki.person(issuing, names=names, subject=x509.Name([]))
    policy = PathPolicy(at=AT, revocation="off")
    return campus.case(leaf=leaf, intermediates=(issuing,), crls=(), policy=policy)


def is_explained(subtree: x509.GeneralName, name: x509.GeneralName) -> bool:
    """openssl 3.0 takes an SmtpUTF8Mailbox under a constraint of the form `host` in ASCII only (RFC 9598 6)."""
    return isinstance(name, x509.OtherName) and (subtree.value.startswith(".") or "xn--" in subtree.value)


@pytest.mark.parametrize(("subtree", "name"), [*INSIDE, *OUTSIDE, *UNREADABLE])
def test_name_is_permitted_only_where_openssl_agrees(
    campus: Campus, subtree: x509.GeneralName, name: x509.GeneralName, tmp_path: Path
) -> None:
    for constraints in (x509.NameConstraints([subtree], None), x509.NameConstraints(None, [subtree])):
        case = constrained(campus, name, constraints)
        if not judged(case).reasons and not is_explained(subtree, name):
            assert openssl_accepts(case, tmp_path)
