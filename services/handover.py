"""A certificate with a key that is made here and handed over once, as PKCS#12; the key is not kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from db.engine import AlreadyThere, Write
from formats.algorithms import KeyKind
from formats.certificate import Certificate
from keys import pkcs12, software
from services import access, certificates, idempotency, intents
from services.access import Principal
from services.certificates import CertificateView, Order
from services.context import Context
from services.errors import AlreadyDelivered, ChoiceUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The certificate, the file with its key, and the passphrase that opens it; none of the last two is stored."""

    view: CertificateView
    pkcs12: bytes
    passphrase: str

    def __repr__(self) -> str:
        return f"Handover(serial={self.view.serial})"


def issue(
    context: Context,
    principal: Principal,
    *,
    order: Order,
    key: str,
    file_format: str,
    idempotency_key: str | None = None,
) -> Handover:
    """Make a key, issue its certificate by the six steps, and wrap both; AlreadyDelivered when repeated."""
    # (1) may they have it?
    access.allow(principal, "certificates.issue")
    kind, wanted = key_kind(key), _format(file_format)
    request = certificates.definite_form(order) + f"{kind.value} {wanted.value}".encode()
    claimed = idempotency.claim(principal, idempotency_key, operation="certificates.issue_pkcs12", request=request)
    if claimed is not None and certificates.made_before(context, claimed) is not None:
        raise AlreadyDelivered("the file for this Idempotency-Key was handed out")

    # (2) read the request
    mailboxes = certificates.agree_on_mailboxes(order.mailboxes, asked=())
    certificates.refuse_foreign_domains(context, mailboxes)
    access.allow(principal, "certificates.issue", mailboxes=mailboxes)

    # (3) prepare
    private_key = software.generate(kind)
    draft = certificates.prepare(
        context, principal, order=replace(order, request=None), public_key=private_key.public_key(), mailboxes=mailboxes
    )

    # (4) to (6)
    def remember(write: Write) -> None:
        if claimed is not None:
            idempotency.record(write, claimed, kind="pkcs12", object_id=str(draft.prepared.serial), now=context.clock())

    try:
        (row,) = intents.issue_together(context, principal, [draft], with_intent=remember)
    except AlreadyThere:
        # The same Idempotency-Key came twice at once, and the other was faster.
        if claimed is None or certificates.made_before(context, claimed) is None:
            raise
        raise AlreadyDelivered("the file for this Idempotency-Key was handed out") from None

    view = certificates.view(context, row)
    passphrase = pkcs12.generate_passphrase()
    wrapped = pkcs12.write_pkcs12(
        private_key,
        certificate=Certificate.from_der(row.certificate or b""),
        chain=view.chain,
        passphrase=passphrase,
        format=wanted,
        friendly_name=str(mailboxes[0]),
    )
    return Handover(view=view, pkcs12=wrapped, passphrase=passphrase)


def key_kind(text: str) -> KeyKind:
    """The kind of key by its name in the API; ChoiceUnknown names the kinds."""
    try:
        return KeyKind(text)
    except ValueError:
        kinds = ", ".join(kind.value for kind in KeyKind)
        raise ChoiceUnknown(f"the kind of a key is one of {kinds}", pointers=("/key",)) from None


def _format(text: str) -> pkcs12.Format:
    try:
        return pkcs12.Format(text)
    except ValueError:
        raise ChoiceUnknown("format is modern or compatible", pointers=("/format",)) from None
