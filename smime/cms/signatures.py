"""One signer's signature, held against the content and a certificate (RFC 5652 5.4 and 5.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from formats import algorithms, oids
from formats.algorithms import AlgorithmRefused, Digest, SignatureWrong, UnsupportedAlgorithm
from formats.ber import BerError
from formats.certificate import Certificate
from smime.cms.attributes import SignedAttributes, read_identifier, reads_as_signed_attributes
from smime.cms.signed import SignerInfo

MESSAGE_ALTERED: Final = "message_altered"
SIGNED_ATTRIBUTES_WRONG: Final = "signed_attributes_wrong"


class Outcome(StrEnum):
    """How one check ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


class Content:
    """The content that is signed and its type, digested once for each algorithm however many signers there are."""

    __slots__ = ("_digests", "octets", "type")

    def __init__(self, octets: bytes, *, content_type: str) -> None:
        self.octets = octets
        self.type = content_type
        self._digests: dict[Digest, bytes] = {}

    def digest(self, digest: Digest) -> bytes:
        """The digest of the content."""
        if digest not in self._digests:
            self._digests[digest] = digest.digest(self.octets)
        return self._digests[digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureResult:
    """What became of one signature.

    `integrity`: the content has the digest that the signer says. `signature`: the certificate's key made it.
    `reasons` are slugs of what keeps it from being valid, `findings` of what else was seen. `algorithm` is a name
    such as `rsa-sha256`, None where it cannot be told.
    """

    integrity: Outcome
    signature: Outcome
    reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    algorithm: str | None = None
    digest: str | None = None


def check(signer: SignerInfo, *, content: Content, certificate: Certificate | None) -> SignatureResult:
    """Check one signature; without a certificate only what needs none.

    (1) signed attributes must be there: without them a signature can be turned into one of other content
    (2) each that must be single is, and stands among the signed ones
    (3) they agree with the content's type, the algorithms and the certificate
    (4) the content has the digest that they name
    (5) the algorithms are known, strong and fit each other; the signature is the key's
    """
    signed = signer.signed_attributes
    if signed is None:  # (1)
        return _without_attributes(content)
    findings = [*signed.faults, *signer.faults, *_contradictions(signer, signed, content)]  # (2), (3)
    reasons = [SIGNED_ATTRIBUTES_WRONG] if findings else []
    if certificate is not None:
        for reason, finding in _other_certificate(signed, certificate):
            reasons.append(reason)
            findings.append(finding)
    digest, refusal = _digest(signer)
    integrity = _integrity(digest, signed, content)  # (4)
    if integrity is Outcome.FAILED:
        reasons.append(MESSAGE_ALTERED)
    signature, algorithm = Outcome.NOT_CHECKED, None
    if refusal is None:  # (5)
        signature, algorithm, refusal = _signature(signer, signed, digest, certificate)
    if refusal is not None:
        reasons.append(refusal)
    return SignatureResult(
        integrity=integrity,
        signature=signature,
        reasons=tuple(dict.fromkeys(reasons)),
        findings=tuple(dict.fromkeys(findings)),
        algorithm=algorithm,
        digest=digest.value if digest is not None else None,
    )


def _without_attributes(content: Content) -> SignatureResult:
    """RFC 5652 5.3 allows it for id-data; draft-ietf-lamps-cms-euf-cma-signeddata tells why we do not."""
    confused = reads_as_signed_attributes(content.octets)
    return SignatureResult(
        integrity=Outcome.NOT_CHECKED,
        signature=Outcome.NOT_CHECKED,
        reasons=(SIGNED_ATTRIBUTES_WRONG,),
        findings=("signed_attributes_absent", *(["signed_attributes_confusion"] if confused else [])),
    )


def _contradictions(signer: SignerInfo, signed: SignedAttributes, content: Content) -> Iterator[str]:
    """RFC 5652 11.1, RFC 8551 2.4.1 (the content of mail is id-data), RFC 6211 4."""
    if signed.content_type is not None and signed.content_type != content.type:
        yield "content_type_differs"
    if content.type != oids.DATA:
        yield "content_type_not_data"
    protection = signed.algorithm_protection
    if protection is None:
        return
    try:
        named = (read_identifier(signer.digest), read_identifier(signer.signature_algorithm))
    except BerError:
        named = None
    if named != (protection.digest, protection.signature):
        yield "algorithm_protection_differs"


def _other_certificate(signed: SignedAttributes, certificate: Certificate) -> Iterator[tuple[str, str]]:
    """RFC 5035 3: a certificate that was swapped for another with the same key."""
    for named in signed.signing_certificates:
        try:
            if not named.names(certificate):
                yield SIGNED_ATTRIBUTES_WRONG, "signing_certificate_differs"
        except UnsupportedAlgorithm as error:
            yield error.code, "signing_certificate_hash_unknown"


def _digest(signer: SignerInfo) -> tuple[Digest | None, str | None]:
    """The signer's digest, and why it will not do."""
    try:
        oid, parameters = read_identifier(signer.digest)
        digest = Digest.by_oid(oid)
    except (BerError, UnsupportedAlgorithm):
        return None, UnsupportedAlgorithm.code
    if parameters:
        return None, UnsupportedAlgorithm.code
    return digest, AlgorithmRefused.code if digest.weak else None


def _integrity(digest: Digest | None, signed: SignedAttributes, content: Content) -> Outcome:
    if digest is None or signed.message_digest is None:
        return Outcome.NOT_CHECKED
    return Outcome.OK if content.digest(digest) == signed.message_digest else Outcome.FAILED


def _signature(
    signer: SignerInfo, signed: SignedAttributes, digest: Digest | None, certificate: Certificate | None
) -> tuple[Outcome, str | None, str | None]:
    """The outcome, the algorithm's name, and the reason where it is not ok."""
    name = None
    try:
        algorithm = algorithms.read_signature_algorithm(signer.signature_algorithm, digest=digest)
        name = algorithm.name
        if certificate is None:
            return Outcome.NOT_CHECKED, name, None
        algorithms.check_public_key_strength(certificate.public_key)
        algorithms.verify(certificate.public_key, signer.signature, signed.encoded, algorithm=algorithm)
    except BerError:
        return Outcome.NOT_CHECKED, name, AlgorithmRefused.code
    except (AlgorithmRefused, UnsupportedAlgorithm) as error:
        return Outcome.NOT_CHECKED, name, error.code
    except SignatureWrong as error:
        return Outcome.FAILED, name, error.code
    return Outcome.OK, name, None
