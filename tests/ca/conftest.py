"""A root, issuing CAs and keys, each made once per session, and the golden campus they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca import hierarchy, profiles
from ca.issuance import Blueprint, Issuer, StatusUrls
from ca.lint import Linter
from ca.profiles import Use
from formats.certificate import Certificate
from formats.serial import Serial
from tests.ca.golden import ADA, ARC, COUNTRY, DOMAIN, NOW, ORGANIZATION, ROOT_URLS, SUBJECTS, URLS

Keys = dict[str, Any]
MakeIssuing = Callable[..., Issuer]


@pytest.fixture(scope="session")
def keys() -> Keys:
    return {
        "rsa4096": rsa.generate_private_key(public_exponent=65537, key_size=4096),
        "rsa3072": rsa.generate_private_key(public_exponent=65537, key_size=3072),
        "ca-rsa3072": rsa.generate_private_key(public_exponent=65537, key_size=3072),
        "rsa2048": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "ca-p384": ec.generate_private_key(ec.SECP384R1()),
        "delegate": ec.generate_private_key(ec.SECP256R1()),
    }


@pytest.fixture(scope="session")
def linter() -> Linter:
    return Linter(policy_arc=ARC)


@pytest.fixture(scope="session")
def root(keys: Keys, linter: Linter) -> Certificate:
    return hierarchy.make_root(
        keys["rsa4096"],
        country=COUNTRY,
        organization=ORGANIZATION,
        common_name="Campus Example Mail Root",
        now=NOW,
        linter=linter,
    )


@pytest.fixture(scope="session")
def make_issuing(keys: Keys, root: Certificate, linter: Linter) -> MakeIssuing:
    """Makes an issuing CA; every part of its plan can be given another value."""

    def make(key: str = "ca-p384", *, urls: StatusUrls = URLS, ca_urls: StatusUrls = ROOT_URLS, **plan: Any) -> Issuer:
        private_key = keys[key]
        filled: dict[str, Any] = {
            "root": root,
            "root_key": keys["rsa4096"],
            "country": COUNTRY,
            "organization": ORGANIZATION,
            "common_name": "Campus Example S/MIME CA G1",
            "mail_domains": (DOMAIN,),
            "name_constraints": "critical",
            "policy_arc": ARC,
            "urls": ca_urls,
            "now": NOW,
            "linter": linter,
        }
        certificate = hierarchy.make_issuing_ca(private_key.public_key(), **(filled | plan))
        return Issuer(
            id="g1",
            certificate=certificate,
            key=private_key,
            chain=(certificate, root),
            urls=urls,
            policy_arc=ARC,
            linter=linter,
        )

    return make


@pytest.fixture(scope="session")
def issuer(make_issuing: MakeIssuing) -> Issuer:
    return make_issuing("ca-p384")


@pytest.fixture(scope="session", params=["ca-rsa3072", "ca-p384"])
def each_issuer(request: pytest.FixtureRequest, make_issuing: MakeIssuing) -> Issuer:
    return make_issuing(request.param)


@pytest.fixture(scope="session")
def delegate(issuer: Issuer, keys: Keys) -> Certificate:
    prepared = issuer.prepare_delegate(keys["delegate"].public_key(), serial=Serial.random(), now=NOW, days=30)
    return issuer.issue(prepared)


Plan = Callable[..., Blueprint]


@pytest.fixture(scope="session")
def blueprint(keys: Keys) -> Plan:
    """A blueprint for ada's mailbox with a P-256 key; every part of it can be given another value."""

    def make(profile: str = "mailbox", *, key: str = "p256", use: Use = Use.DUAL, **parts: Any) -> Blueprint:
        filled: dict[str, Any] = {
            "profile": profiles.profile(profile),
            "use": use,
            "public_key": keys[key].public_key(),
            "mailboxes": (ADA,),
            "subject": SUBJECTS[profile],
        }
        return Blueprint(**(filled | parts))

    return make
