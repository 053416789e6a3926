"""What can be wrong with CMS bytes.

Refusal
├── Malformed
│   └── CmsMalformed                 not CMS, or not of the shape that RFC 5652 gives it
├── TooLarge
│   ├── CmsTooLarge                  more signers, certificates or attributes than we are willing to read
│   └── TooManyRecipients            more recipients than one sealed message may have
└── Unacceptable
    ├── ContentRefused               content that must never be signed
    ├── ContentCipherRefused         sealed with a cipher that is old, unknown or out of place
    ├── RecipientCertificateRefused  nothing may be sealed to this certificate
    ├── RecipientsMissing            sealed to nobody
    ├── NoKeyForMessage              sealed to others
    └── DecryptionFailed             it cannot be opened, and nobody learns why
"""

from __future__ import annotations

from typing import ClassVar

from formats.errors import Malformed, TooLarge, Unacceptable


class CmsMalformed(Malformed):
    """The bytes are not CMS, or not of the shape that RFC 5652 gives it."""

    code: ClassVar[str] = "cms_malformed"
    hint: ClassVar[str] = "send the message as it was received, whole and unchanged"


class CmsTooLarge(TooLarge):
    """More signers, certificates or attributes than we are willing to read."""

    code: ClassVar[str] = "cms_too_large"
    hint: ClassVar[str] = "send a message with fewer signers, certificates or attributes"


class ContentRefused(Unacceptable):
    """Content that must never be signed, since its signature would be good for something else."""

    code: ClassVar[str] = "content_refused"
    hint: ClassVar[str] = "send a mail, not an encoded structure"


class TooManyRecipients(TooLarge):
    """More recipients than one sealed message may have."""

    code: ClassVar[str] = "too_many_recipients"
    hint: ClassVar[str] = "seal the message to at most 1,000 certificates, in several messages if need be"


class ContentCipherRefused(Unacceptable):
    """Sealed with a cipher that is old or unknown, or that stands where it must not."""

    code: ClassVar[str] = "content_cipher_refused"
    hint: ClassVar[str] = (
        "ask the sender for AES, in GCM only as authenveloped-data; 3DES and other old ciphers are not switched on"
    )


class RecipientCertificateRefused(Unacceptable):
    """A certificate that nothing may be sealed to, now or ever."""

    code: ClassVar[str] = "recipient_certificate_refused"
    hint: ClassVar[str] = "take a valid mail certificate for encryption, RSA of 2048 to 8192 bits or P-256 or P-384"


class RecipientsMissing(Unacceptable):
    """A message that would be sealed to nobody."""

    code: ClassVar[str] = "recipients_missing"
    hint: ClassVar[str] = "name at least one recipient who has a certificate"


class NoKeyForMessage(Unacceptable):
    """The message is sealed to none of the keys at hand."""

    code: ClassVar[str] = "no_key_for_message"
    hint: ClassVar[str] = "open it as one of its recipients, or ask the sender to seal it to your present certificate"


class DecryptionFailed(Unacceptable):
    """The message cannot be opened: one answer for every cause, since each cause told apart helps an attacker."""

    code: ClassVar[str] = "decryption_failed"
    hint: ClassVar[str] = "ask the sender to send the message again, sealed with AES to your present certificate"

    def __init__(self, detail: str = "the message cannot be opened") -> None:
        super().__init__(detail)
