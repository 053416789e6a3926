"""Encrypt a message to its recipients, on the record: one for all whom its readers see, one for each blind one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from db import audit as records
from db.audit import AuditRow
from formats.certificate import Certificate
from formats.mailbox import Mailbox
from services import access, audit, recipients
from services.access import Principal
from services.context import Context
from services.errors import AlgorithmsNotOffered, ChoiceUnknown, RecipientWithoutCertificate, SeveralMessages
from services.messages import sign
from smime.cms.ciphers import ContentCipher
from smime.cms.errors import RecipientsMissing, TooManyRecipients
from smime.cms.key_transport import KeyTransport
from smime.cms.recipients import MAX_RECIPIENTS
from smime.encrypt import Letter, NamedRecipients, named_recipients, prepare, seal
from smime.message import Message, read_message
from smime.recipient import Recipient

# Above these, sealing takes long enough to be worth a thread hop.
INLINE_OCTETS: Final = 64 * 1024
INLINE_CERTIFICATES: Final = 16
# All messages of one answer together may be so many times as large as one message; they are held in memory.
COPIES: Final = 2
# How often one call seals a content key: an agreement takes half a millisecond.
SEALINGS: Final = 2000

# Octets of a signature with its certificates and of the header, and of one RecipientInfo.
_AROUND: Final = 8 * 1024
_OF_ONE: Final = 1024

_NAMED: Final = 5
_PLACES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithms:
    """What a message is sealed with; an EC key is always sealed to by ECDH."""

    cipher: ContentCipher
    transport: KeyTransport


# What mail programs in use read (docs/clients.md), and what RFC 8551 2.7 demands.
_OFFERED: Final[Mapping[str, Algorithms]] = MappingProxyType(
    {
        "compatible": Algorithms(cipher=ContentCipher.AES256_CBC, transport=KeyTransport.PKCS1),
        "modern": Algorithms(cipher=ContentCipher.AES256_GCM, transport=KeyTransport.OAEP),
    }
)
_LATER: Final = "pqc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the caller wants it sealed.

    `to` None: to everybody in To, Cc and Bcc. `signing` None: without a signature. `certificates` are files of PEM or
    DER. `only_one`: the answer can hold a single message.
    """

    to: tuple[Mailbox, ...] | None = None
    signing: sign.Wish | None = None
    algorithms: str = "compatible"
    missing: str = "refuse"
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    only_one: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One sealed message with the mailboxes that it is for."""

    envelope_to: tuple[str, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """The sealed messages and what the answer's headers say of them; `record` is the audit entry's id.

    `identity` and `serial` are empty where nothing was signed.
    """

    messages: tuple[Sealed, ...]
    skipped: tuple[str, ...]
    record: str
    changes: tuple[str, ...]
    identity: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The message, and to whom it is to go."""

    message: Message
    named: NamedRecipients
    blind: tuple[Mailbox, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Who gets which message: a group of recipients for each."""

    message: Message
    groups: tuple[tuple[Recipient, ...], ...]
    blind: tuple[Mailbox, ...]
    skipped: tuple[str, ...]
    certificates: int

    @property
    def octets(self) -> int:
        """About how large all messages will be, in lines of base64, with signature, header and recipients."""
        return len(self.groups) * (len(self.message.raw) * 7 // 5 + _AROUND) + self.certificates * _OF_ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    """What signing gave: nothing at all where it was not asked for."""

    entries: tuple[AuditRow, ...] = ()
    changes: tuple[str, ...] = ()
    identity: str = ""
    serial: str = ""


def _any(octets: int) -> None:
    """Room for so many octets, wherever nobody else needs it."""


async def encrypt(
    context: Context, principal: Principal, *, data: bytes, wish: Wish, make_room: Callable[[int], None] = _any
) -> Encrypted:
    """Seal a message and answer once its record is durable.

    `make_room` is told about how many octets the messages will have, before anything is computed, and may refuse.

    (1) may the caller encrypt, and sign if that is asked for?
    (2) read the message, find its recipients and their certificates; nothing is computed before that is settled
    (3) sign, once for all, in the sender's name
    (4) seal a message for those whom everybody sees, and one for each blind recipient
    (5) record both in one change, and wait until it is durable
    """
    access.allow(principal, "messages.encrypt")  # (1)
    if wish.signing is not None:
        access.allow(principal, "messages.sign")
    algorithms = _algorithms(wish)
    is_small = len(data) <= INLINE_OCTETS
    asked = _read(context, data, wish) if is_small else await asyncio.to_thread(_read, context, data, wish)
    if not wish.certificates and len(asked.named.all) <= INLINE_CERTIFICATES:
        plan = _plan(context, asked, wish)  # (2)
    else:
        plan = await asyncio.to_thread(_plan, context, asked, wish)
    make_room(plan.octets)
    if is_small and plan.certificates <= INLINE_CERTIFICATES:
        made, entries = _seal(context, principal, plan, wish=wish, algorithms=algorithms)  # (3), (4)
    else:
        made, entries = await asyncio.to_thread(_seal, context, principal, plan, wish=wish, algorithms=algorithms)
    # (5) wait until the record is durable
    await asyncio.wrap_future(context.journal.submit(lambda write: records.insert_many(write, entries)))
    return made


def _algorithms(wish: Wish) -> Algorithms:
    if wish.missing not in {"refuse", "skip"}:
        raise ChoiceUnknown("missing is refuse or skip", pointers=("/missing",))
    if wish.algorithms == _LATER:
        raise AlgorithmsNotOffered("nothing is sealed with post-quantum algorithms yet", pointers=("/algorithms",))
    if wish.algorithms not in _OFFERED:
        raise ChoiceUnknown("algorithms is compatible or modern", pointers=("/algorithms",))
    return _OFFERED[wish.algorithms]


# --- who gets what ----------------------------------------------------------------------------------------------------
def _read(context: Context, data: bytes, wish: Wish) -> _Asked:
    message = read_message(data, limit=context.settings.message_limit)
    written = named_recipients(message)
    named = written if wish.to is None else written.narrowed(wish.to)
    if not named.all:
        raise RecipientsMissing("the message names no recipient")
    if len(named.all) > MAX_RECIPIENTS:
        raise TooManyRecipients(f"more than {MAX_RECIPIENTS} recipients")
    # Whoever stands in Bcc stays hidden, also from a call that is for others.
    return _Asked(message=message, named=named, blind=(*written.blind, *named.blind))


def _plan(context: Context, asked: _Asked, wish: Wish) -> _Plan:
    named = asked.named
    found = recipients.find(context, named.all, given=wish.certificates)
    missing = [one.mailbox for one in found if not one.certificates]
    if missing and (wish.missing == "refuse" or len(missing) == len(found)):
        raise _without_certificate(missing, wish)
    groups = _groups(found, visible=len(named.visible))
    counts = [len(_certificates(group)) for group in groups]
    _refuse_too_much(counts, size=len(asked.message.raw), limit=context.settings.message_limit)
    if wish.only_one and len(groups) > 1:
        raise SeveralMessages(f"blind recipients get messages of their own: it would be {len(groups)}")
    skipped = tuple(map(str, missing))
    return _Plan(message=asked.message, groups=groups, blind=asked.blind, skipped=skipped, certificates=sum(counts))


def _groups(found: Sequence[Recipient], *, visible: int) -> tuple[tuple[Recipient, ...], ...]:
    """Those whom everybody sees share one message, each other one is alone (RFC 8551 7: who else can read it shows)."""
    seen = tuple(one for one in found[:visible] if one.certificates)
    alone = tuple((one,) for one in found[visible:] if one.certificates)
    return ((seen,) if seen else ()) + alone


def _refuse_too_much(certificates: Sequence[int], *, size: int, limit: int) -> None:
    """By how many certificates each message is sealed to."""
    if max(certificates) > MAX_RECIPIENTS:
        raise TooManyRecipients(f"the recipients have more than {MAX_RECIPIENTS} certificates together")
    if sum(certificates) > SEALINGS:
        raise TooManyRecipients(f"all messages together would be sealed to more than {SEALINGS} certificates")
    if len(certificates) * size > COPIES * limit:
        raise TooManyRecipients(f"so large a message is not sealed {len(certificates)} times at once")


def _without_certificate(missing: Sequence[Mailbox], wish: Wish) -> RecipientWithoutCertificate:
    """Who they are: the first in the sentence, up to a hundred in `errors`."""
    shown = ", ".join(map(str, missing[:_NAMED]))
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    asked = [mailbox.key for mailbox in wish.to or ()]
    places = [
        (f"/to/{asked.index(mailbox.key)}" if asked else "/message", f"{mailbox} has no certificate for encryption")
        for mailbox in missing[:_PLACES]
    ]
    return RecipientWithoutCertificate(f"there is no certificate for encryption of {shown}{more}", places=tuple(places))


def _certificates(group: Sequence[Recipient]) -> tuple[Certificate, ...]:
    return tuple(dict.fromkeys(certificate for one in group for certificate in one.certificates))


# --- sealing ----------------------------------------------------------------------------------------------------------
def _seal(
    context: Context, principal: Principal, plan: _Plan, *, wish: Wish, algorithms: Algorithms
) -> tuple[Encrypted, tuple[AuditRow, ...]]:
    message, signature = plan.message, _Signature()
    if wish.signing is not None:
        message, signature = _signed(context, principal, message, wish.signing)
    prepared = prepare(message, blind=plan.blind)
    messages = tuple(_sealed(prepared, group, algorithms) for group in plan.groups)
    entry = _entry(context, principal, plan, messages=messages, algorithms=algorithms)
    made = Encrypted(
        messages=messages,
        skipped=plan.skipped,
        record=entry.id,
        changes=tuple(dict.fromkeys((*signature.changes, *prepared.changes))),
        identity=signature.identity,
        serial=signature.serial,
    )
    return made, (*signature.entries, entry)


def _signed(context: Context, principal: Principal, message: Message, wish: sign.Wish) -> tuple[Message, _Signature]:
    signed, entry, serial = sign.sign_unrecorded(context, principal, data=message.root.source.given, wish=wish)
    signature = _Signature(entries=(entry,), changes=signed.changes, identity=entry.mailbox or "", serial=serial)
    return read_message(signed.data, limit=len(signed.data)), signature


def _sealed(letter: Letter, group: Sequence[Recipient], algorithms: Algorithms) -> Sealed:
    data = seal(
        letter,
        certificates=_certificates(group),
        cipher=algorithms.cipher,
        transport=algorithms.transport,
    )
    return Sealed(envelope_to=tuple(str(one.mailbox) for one in group), data=data)


def _entry(
    context: Context, principal: Principal, plan: _Plan, *, messages: Sequence[Sealed], algorithms: Algorithms
) -> AuditRow:
    """The record: what was sealed by its digest and with what, and never to whom."""
    return audit.entry(
        principal,
        at=context.clock(),
        action="message.encrypted",
        object_kind="message",
        object_id=None,
        details={
            "sealed_sha256": _digest(messages),
            "messages": len(messages),
            "recipients": sum(len(group) for group in plan.groups),
            "skipped": len(plan.skipped),
            "cipher": algorithms.cipher.value,
            "key_transport": algorithms.transport.value,
        },
    )


def _digest(messages: Sequence[Sealed]) -> str:
    """The message's SHA-256; of several, that of their digests one behind the other, in the answer's order."""
    digests = [hashlib.sha256(one.data) for one in messages]
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(one.digest() for one in digests)).hexdigest()
