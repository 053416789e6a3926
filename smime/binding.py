"""Binding, whether the certificates of the signers name who the message is from (RFC 8550 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from formats.certificate import Certificate
from formats.mailbox import Mailbox, MailboxError
from smime.report import AddressBinding

_FAULTS: Final[Mapping[str, AddressBinding]] = MappingProxyType(
    {
        "from_absent": AddressBinding.ABSENT,
        "from_ambiguous": AddressBinding.AMBIGUOUS,
        "from_unparseable": AddressBinding.UNPARSEABLE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The mailboxes of the From field, or the slug of why there are none to rely on."""

    mailboxes: tuple[Mailbox, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The mailboxes that a certificate names.

    `in_subject` says that they come from its subject, which counts only where the subjectAltName names none.
    """

    mailboxes: tuple[Mailbox, ...] = ()
    in_subject: bool = False
    any: bool = False

    @classmethod
    def of(cls, certificate: Certificate) -> Addresses:
        """The addresses of a certificate; one that cannot be read is there all the same, and matches nothing."""
        if certificate.mailboxes or certificate.odd_names:
            return cls(mailboxes=certificate.mailboxes, any=True)
        texts = certificate.subject_emails
        return cls(mailboxes=tuple(_readable(texts)), in_subject=bool(texts), any=bool(texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How each signer stands to the sender, and the reasons that follow for the message."""

    signers: tuple[AddressBinding, ...]
    reasons: tuple[str, ...] = ()


def bind(sender: Sender, certificates: Sequence[Certificate | None]) -> Binding:
    """Compare every From mailbox with the certificates of all signers: each must be named by one of them.

    A signer without certificate is not checked and covers nothing. That the covering signer is valid needs no look
    here: a message is valid only if all its signers are.
    """
    fault = sender.fault if sender.mailboxes else sender.fault or "from_absent"  # never bound to nobody
    if fault is not None:
        return Binding(signers=(_FAULTS[fault],) * len(certificates), reasons=(fault,))
    addresses = [Addresses.of(certificate) if certificate is not None else None for certificate in certificates]
    signers = tuple(_stand(sender, one) for one in addresses)
    named = {mailbox.key for one in addresses if one is not None for mailbox in one.mailboxes}
    if all(mailbox.key in named for mailbox in sender.mailboxes):
        return Binding(signers=signers)
    if any(one is not None and one.any for one in addresses):
        return Binding(signers=signers, reasons=("address_mismatch",))
    return Binding(signers=signers, reasons=("address_absent",) if AddressBinding.ABSENT in signers else ())


def unchecked(count: int) -> Binding:
    """The binding of so many signers where the rules say that it is not looked at."""
    return Binding(signers=(AddressBinding.NOT_CHECKED,) * count)


def _stand(sender: Sender, addresses: Addresses | None) -> AddressBinding:
    if addresses is None:
        return AddressBinding.NOT_CHECKED
    if not addresses.any:
        return AddressBinding.ABSENT
    named = {mailbox.key for mailbox in addresses.mailboxes}
    return AddressBinding.MATCH if any(one.key in named for one in sender.mailboxes) else AddressBinding.MISMATCH


def _readable(texts: Sequence[str]) -> list[Mailbox]:
    found = []
    for text in texts:
        try:
            found.append(Mailbox.parse(text))
        except MailboxError:
            continue
    return found
