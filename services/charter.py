"""Charter: what a founding signs, the root, its issuing CA and the root's CRLs, and the rows that keep it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ca import crl, hierarchy, profiles
from ca.issuance import Blueprint, Issuer
from ca.lint import Linter, require_clean
from ca.profiles import Use
from ca.subjects import Subject
from db import authorities, crls, private_keys
from db.authorities import AuthorityRow
from db.crls import CrlRow
from db.engine import Write
from db.private_keys import PrivateKeyRow
from formats.algorithms import KeyKind
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from formats.serial import Serial
from keys import software
from keys.software import PrivateKey
from keys.vault import Vault
from services import access, audit, custody, start
from services.start import ISSUING, ROOT

# Root CRLs are signed ahead, because the root key is not at hand later: 24 months, each overlapping the next.
ROOT_CRL_SPAN: Final = timedelta(days=180)
ROOT_CRL_EVERY: Final = timedelta(days=120)
ROOT_CRLS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What founding makes permanent, to be shown before it does."""

    campus_name: str
    country: str
    organization_id: str
    mail_domains: tuple[str, ...]
    status_url: str
    policy_arc: str
    root_name: str
    issuing_name: str
    name_constraints: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """Everything that is signed at a founding."""

    root: Certificate
    issuing: Certificate
    key_row: PrivateKeyRow
    root_crls: list[CrlRow]


def sign(plan: Plan, *, root_key: PrivateKey, vault: Vault, now: datetime) -> Charter:
    """Sign root, issuing CA and the root's CRLs; nothing is stored."""
    linter = Linter(policy_arc=plan.policy_arc)
    issuing_key = software.generate(KeyKind.RSA3072)
    root, issuing = _certificates(plan, root_key, issuing_key, now=now, linter=linter)
    key_row = custody.seal(
        vault, issuing_key, kind=KeyKind.RSA3072, owner=f"authority:{ISSUING}", purpose="ca", now=now
    )
    root_crls = [_root_crl(root, root_key, number, now=now, linter=linter) for number in range(1, ROOT_CRLS + 1)]
    return Charter(root=root, issuing=issuing, key_row=key_row, root_crls=root_crls)


def rehearse(plan: Plan, *, now: datetime) -> None:
    """Make all that the plan is for once, with throw-away keys; LintRefused if a setting breaks a rule.

    Some settings only show in a department's certificate, and what is founded with them is founded for ever.
    """
    linter = Linter(policy_arc=plan.policy_arc)
    root_key, issuing_key, key = (software.generate(KeyKind.P256) for _ in range(3))
    root, issuing = _certificates(plan, root_key, issuing_key, now=now, linter=linter)
    issuer = Issuer(
        id=ISSUING,
        certificate=issuing,
        key=issuing_key,
        chain=(issuing, root),
        urls=start.status_urls(plan.status_url, ISSUING),
        policy_arc=plan.policy_arc,
        linter=linter,
    )
    subject = Subject(
        country=plan.country, organization=plan.campus_name, organization_id=plan.organization_id, common_name=None
    )
    for domain in plan.mail_domains[:1]:
        blueprint = Blueprint(
            profile=profiles.profile("role"),
            use=Use.DUAL,
            public_key=key.public_key(),
            mailboxes=(Mailbox.parse(f"rehearsal@{domain}"),),
            subject=subject,
            days=None,
            not_after=None,
        )
        issuer.prepare(blueprint, serial=Serial.random(), now=now)


def _certificates(
    plan: Plan, root_key: PrivateKey, issuing_key: PrivateKey, *, now: datetime, linter: Linter
) -> tuple[Certificate, Certificate]:
    root = hierarchy.make_root(
        root_key,
        country=plan.country,
        organization=plan.campus_name,
        common_name=plan.root_name,
        now=now,
        linter=linter,
    )
    issuing = hierarchy.make_issuing_ca(
        issuing_key.public_key(),
        root=root,
        root_key=root_key,
        country=plan.country,
        organization=plan.campus_name,
        common_name=plan.issuing_name,
        mail_domains=plan.mail_domains,
        name_constraints=plan.name_constraints,
        policy_arc=plan.policy_arc,
        urls=start.status_urls(plan.status_url, ROOT),
        now=now,
        linter=linter,
    )
    return root, issuing


def _root_crl(root: Certificate, root_key: PrivateKey, number: int, *, now: datetime, linter: Linter) -> CrlRow:
    this_update = now - timedelta(minutes=5) + (number - 1) * ROOT_CRL_EVERY
    next_update = this_update + ROOT_CRL_SPAN
    der = crl.build_crl([], number=number, issuer=root, key=root_key, this_update=this_update, next_update=next_update)
    require_clean(linter.crl(der))
    return CrlRow(
        authority_id=ROOT, number=number, this_update=this_update, next_update=next_update, der=der, created_at=now
    )


def store(write: Write, charter: Charter, *, now: datetime) -> None:
    """Store it all in the caller's transaction, with an audit entry for each authority."""
    private_keys.insert(write, charter.key_row)
    authorities.insert(write, _authority(ROOT, "root", charter.root, key_id=None, now=now))
    authorities.insert(write, _authority(ISSUING, "issuing", charter.issuing, key_id=charter.key_row.id, now=now))
    for row in charter.root_crls:
        crls.insert(write, row)
    who = access.operator(request_id="founding")
    for authority_id, certificate in ((ROOT, charter.root), (ISSUING, charter.issuing)):
        audit.insert(
            write,
            audit.entry(
                who,
                at=now,
                action="authority.founded",
                object_kind="authority",
                object_id=authority_id,
                details={"serial": str(certificate.serial), "sha256": certificate.sha256},
            ),
        )


def _authority(
    authority_id: str, kind: str, certificate: Certificate, *, key_id: str | None, now: datetime
) -> AuthorityRow:
    return AuthorityRow(
        id=authority_id,
        kind=kind,
        common_name=certificate.subject,
        certificate=certificate.der,
        serial=str(certificate.serial),
        sha256=certificate.sha256,
        key_id=key_id,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        created_at=now,
    )
