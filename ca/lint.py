"""Linter, pkilint kept warm: certificates, CRLs and OCSP answers held against the standards before they leave.

A container of pkilint's validators costs some 150 ms to build and 4 ms to use, so each is built once, when it is
first needed.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from pkilint import document, loader, pkix, validation
from pkilint.cabf import smime
from pkilint.cabf.smime import smime_constants
from pkilint.pkix import certificate, crl, extension, name, ocsp
from pkilint.pkix.certificate import certificate_extension
from pyasn1_alt_modules import rfc5280

from ca.errors import Finding, LintRefused
from ca.profiles import Profile
from formats.certificate import Certificate, CertificateMalformed

# What a validator of pkilint stumbles over comes back as a FATAL finding; its log line would carry a traceback, and
# in it what a caller sent.
logging.getLogger("pkilint").setLevel(logging.CRITICAL + 1)

_RESERVED_NAME: Final = re.compile(
    r'Internal domain name: "(?:(?:[a-z0-9-]+\.)*(?:example|test)|localhost|127(?:\.\d{1,3}){3}|::1)"', re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policies that a linted certificate asserts, and the campus's own arc."""

    asserted: tuple[str, ...]
    arc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A finding that is no fault here, why, and exactly when."""

    code: str
    reason: str
    applies: Callable[[Finding, Policies], bool]


def _only_own_policies(_: Finding, policies: Policies) -> bool:
    return bool(policies.asserted) and all(oid.startswith(f"{policies.arc}.") for oid in policies.asserted)


def _reserved_for_demos(finding: Finding, _: Policies) -> bool:
    return _RESERVED_NAME.fullmatch(finding.message) is not None


def _always(_finding: Finding, _policies: Policies) -> bool:
    return True


ALLOWANCES: Final = (
    Allowance(
        code="cabf.smime.no_required_reserved_policy_oid",
        reason="the reserved identifiers assert audits that a campus does not have (SBR 1.2); ours are its own",
        applies=_only_own_policies,
    ),
    Allowance(
        code="cabf.internal_domain_name",
        reason="a demo has names that RFC 2606 and 6761 reserve, and no others",
        applies=_reserved_for_demos,
    ),
    Allowance(
        code="pkix.certificate_name_constraints_extension_not_critical",
        reason="the operator's choice at founding, for programs that refuse what they do not know; RFC 5280 4.2.1.10"
        " says critical, and our own checks hold each certificate against that choice",
        applies=_always,
    ),
)

_WORST_HARMLESS: Final = validation.ValidationFindingSeverity.NOTICE
_UNREADABLE: Final = "own.unreadable"


class Linter:
    """Lints for one campus; safe to share between threads. Each call returns what is WARNING or worse."""

    def __init__(self, *, policy_arc: str) -> None:
        self._policy_arc = policy_arc
        self._lock = threading.Lock()
        self._containers: dict[str, Any] = {}

    def certificate(self, der: bytes, *, profile: Profile | None, issuer: Certificate | None) -> tuple[Finding, ...]:
        """Lint a certificate as PKIX, with a profile also as S/MIME BR, with an issuer also as its issue.

        The signature is not looked at, so that a look-alike passes.
        """
        try:
            policies = Policies(asserted=Certificate.from_der(der).policies, arc=self._policy_arc)
        except CertificateMalformed as error:
            return (_unreadable(error),)
        found: list[Finding] = []
        if profile is not None:
            kind = profile.smime_type
            found += self._lint(loader.load_der_certificate, der, kind=kind, build=lambda: _smime_container(kind))
        found += self._lint(loader.load_der_certificate, der, kind="pkix", build=_pkix_container)
        if issuer is not None:
            found += self._chain(der, issuer)
        return tuple(finding for finding in dict.fromkeys(found) if not _allowed(finding, policies))

    def crl(self, der: bytes) -> tuple[Finding, ...]:
        """Lint a CRL as PKIX."""
        return tuple(self._lint(loader.load_der_crl, der, kind="crl", build=_crl_container))

    def ocsp(self, der: bytes) -> tuple[Finding, ...]:
        """Lint an OCSP answer."""
        return tuple(self._lint(loader.load_der_ocsp_response, der, kind="ocsp", build=_ocsp_container))

    def _container(self, kind: str, build: Callable[[], Any]) -> Any:
        with self._lock:
            if kind not in self._containers:
                self._containers[kind] = build()
            return self._containers[kind]

    def _lint(self, load: Callable[..., Any], der: bytes, *, kind: str, build: Callable[[], Any]) -> list[Finding]:
        try:
            root = load(der, kind).root
        except ValueError as error:  # pkilint's one error for what it cannot decode
            return [_unreadable(error)]
        return _findings(self._container(kind, build).validate(root))

    def _chain(self, der: bytes, issuer: Certificate) -> list[Finding]:
        documents: dict[str, Any] = {}
        try:
            documents["issuer"] = loader.load_der_certificate(issuer.der, "issuer", "issuer", documents)
            documents["subject"] = loader.load_der_certificate(der, "subject", "subject", documents)
        except ValueError as error:
            return [_unreadable(error)]
        decoders = self._container("decoders", _decoders)
        results = [*decoders.validate(documents["issuer"].root), *decoders.validate(documents["subject"].root)]
        results += self._container("chain", _chain_container).validate(documents["issuer"].root)
        return _findings(results)


def require_clean(findings: tuple[Finding, ...]) -> None:
    """LintRefused with the findings, if there are any."""
    if findings:
        raise LintRefused(findings)


def _findings(results: Iterable[Any]) -> list[Finding]:
    return [
        Finding(
            code=description.finding.code,
            severity=str(description.finding.severity),
            where=result.node.path,
            message=description.message or "",
        )
        for result in results
        for description in result.finding_descriptions
        if description.finding.severity < _WORST_HARMLESS
    ]


def _allowed(finding: Finding, policies: Policies) -> bool:
    return any(one.code == finding.code and one.applies(finding, policies) for one in ALLOWANCES)


def _unreadable(error: Exception) -> Finding:
    return Finding(code=_UNREADABLE, severity="FATAL", where="", message=str(error)[:200])


def _smime_container(kind: str) -> Any:
    level, generation = kind.split("-")
    return certificate.create_pkix_certificate_validator_container(
        smime.create_decoding_validators(),
        smime.create_subscriber_validators(
            smime_constants.ValidationLevel[level], smime_constants.Generation[generation]
        ),
    )


def _pkix_container() -> Any:
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


def _crl_container() -> Any:
    return crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )


def _ocsp_container() -> Any:
    return ocsp.create_pkix_ocsp_response_validator_container(
        [
            ocsp.create_response_decoder(),
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [],
    )


def _decoders() -> Any:
    return validation.ValidatorContainer(
        validators=[
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        path="certificate",
    )


def _chain_container() -> Any:
    """What lint_pkix_signer_signee_cert_chain asks of the issuer; the signature is checked where it is made."""
    return validation.ValidatorContainer(
        validators=[
            name.IssuerSubjectNameBinaryEqualValidator(
                path="certificate.tbsCertificate.subject",
                subject_document_issuer_dn_path="subject:certificate.tbsCertificate.issuer",
            ),
            extension.IssuerSubjectKeyIdentifierBinaryEqualValidator(
                subject_auth_key_id_retriever=lambda node: document.get_document_by_name(
                    node, "subject"
                ).get_extension_by_oid(rfc5280.id_ce_authorityKeyIdentifier)
            ),
            certificate_extension.IssuerSubjectPolicyChainValidator(),
        ]
    )
