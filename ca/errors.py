"""What the X.509 room refuses, and why.

Malformed
├── RequestMalformed        the certificate request cannot be read
└── OcspRequestMalformed    the OCSP request cannot be read, or asks for more than one certificate
TooLarge
└── RequestTooLarge         a certificate request of more than 32 KiB
Conflict
└── PreparedSpent           a prepared certificate was redeemed before, or elsewhere
Unacceptable
├── RequestSignatureWrong   the certificate request is not signed by the key that it names
├── KeyRefused              a key that is weak, or of a kind or size that is not certified here
├── ProfileUnknown          there is no such profile
├── UseNotPossible          this kind of key cannot be used so
├── SubjectRefused          the profile does not allow, or misses, an attribute of the subject
├── MailboxesRefused        no mailbox, too many, or one that cannot be certified
├── ValidityRefused         too long, over already, or longer than the issuer lives
├── AuthorityRefused        a CA certificate that cannot be made from what was given
├── LintRefused             the linters or our own checks have findings
└── ReasonNotAllowed        a reason for revocation that does not exist here
NotReady
├── ProfilesWrong           the tables of profiles contradict the standard
├── IssuerKeyWrong          the private key is not the one of the issuer's certificate
└── TbsDiffers              what was signed is not what was prepared
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from formats.errors import Conflict, Malformed, NotReady, TooLarge, Unacceptable


class RequestMalformed(Malformed):
    """The certificate request cannot be read."""

    code: ClassVar[str] = "csr_malformed"
    hint: ClassVar[str] = "send one PKCS#10 request in DER or PEM, as `openssl req -new` writes it"


class OcspRequestMalformed(Malformed):
    """The OCSP request cannot be read, or asks for more than one certificate."""

    code: ClassVar[str] = "ocsp_request_malformed"
    hint: ClassVar[str] = "send one DER OCSP request of at most 4 KiB that names one certificate"


class RequestTooLarge(TooLarge):
    """A certificate request of more octets than we are willing to read."""

    code: ClassVar[str] = "csr_too_large"
    hint: ClassVar[str] = "send a PKCS#10 request of at most 32 KiB"


class PreparedSpent(Conflict):
    """A prepared certificate was redeemed before, or was prepared by another issuer."""

    code: ClassVar[str] = "prepared_spent"
    hint: ClassVar[str] = "prepare the certificate again and redeem it once, at the same issuer"


class RequestSignatureWrong(Unacceptable):
    """The certificate request is not signed by the key that it names."""

    code: ClassVar[str] = "csr_signature_wrong"
    hint: ClassVar[str] = "make the request again with its own private key and SHA-256, and send it unchanged"


class KeyRefused(Unacceptable):
    """A key that is weak, or of a kind or size that is not certified here."""

    code: ClassVar[str] = "key_refused"
    hint: ClassVar[str] = "make a new key: RSA of 3072 bits with the exponent 65537, or EC on P-256 or P-384"


class ProfileUnknown(Unacceptable):
    """There is no profile of this name."""

    code: ClassVar[str] = "profile_unknown"
    hint: ClassVar[str] = "choose one of the profiles mailbox, person, role"


class UseNotPossible(Unacceptable):
    """A use that this kind of key does not have."""

    code: ClassVar[str] = "use_not_possible"
    hint: ClassVar[str] = "use an RSA key, or one on P-256 or P-384"


class SubjectRefused(Unacceptable):
    """The profile does not allow, or misses, an attribute of the subject."""

    code: ClassVar[str] = "subject_refused"
    hint: ClassVar[str] = "give exactly the names that the profile asks for, each short, visible and not blank"


class MailboxesRefused(Unacceptable):
    """No mailbox, too many, or one that cannot be certified."""

    code: ClassVar[str] = "mailboxes_refused"
    hint: ClassVar[str] = "name each mailbox once, as a plain address"


class ValidityRefused(Unacceptable):
    """A validity that is too long, over already, or longer than the issuer's."""

    code: ClassVar[str] = "validity_refused"
    hint: ClassVar[str] = "ask for fewer days, or leave the days out"


class AuthorityRefused(Unacceptable):
    """A CA certificate that cannot be made from what was given."""

    code: ClassVar[str] = "authority_refused"
    hint: ClassVar[str] = "correct the plan of the authority and try again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a linter or of our own checks: its code, severity, the place in the object, and the words."""

    code: str
    severity: str
    where: str
    message: str


class LintRefused(Unacceptable):
    """The linters or our own checks have findings, whose codes the detail names."""

    code: ClassVar[str] = "lint_refused"
    hint: ClassVar[str] = "change what the findings name: the subject, the mailboxes, the key or the settings"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        codes = sorted({finding.code for finding in findings})
        super().__init__(f"it would break a rule of the standard: {', '.join(codes)}"[:500])
        self.findings = findings


class ReasonNotAllowed(Unacceptable):
    """A reason for revocation that does not exist here."""

    code: ClassVar[str] = "reason_not_allowed"
    hint: ClassVar[str] = (
        "choose one of keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn"
    )


class ProfilesWrong(NotReady):
    """The tables of profiles contradict the standard, so nothing is issued."""

    code: ClassVar[str] = "profiles_wrong"
    hint: ClassVar[str] = "restore ca/profiles.py as it was released"


class IssuerKeyWrong(NotReady):
    """The private key is not the one of the issuer's certificate, or made a signature that does not verify."""

    code: ClassVar[str] = "issuer_key_wrong"
    hint: ClassVar[str] = "give the authority its own key back, from the database or the token it was made in"


class TbsDiffers(NotReady):
    """What was signed is not what was prepared; it is destroyed unsent."""

    code: ClassVar[str] = "tbs_differs"
    hint: ClassVar[str] = "stop issuing and report this as a bug, with the log"
