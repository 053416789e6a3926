"""What the services refuse, each leaf with its stable code.

UnknownCaller  CredentialRefused
Forbidden      ScopeMissing, MailboxNotAllowed, GrantExceedsOwn, ProofInsufficient
NotFound       CertificateNotFound, IdentityNotFound, ApiKeyNotFound, AuditEntryNotFound, AuthorityNotFound,
               LinkRefused, SessionEnded
Conflict       AlreadyRevoked, KeyOfAnotherPerson, MailboxSpelledOtherwise, IdentityKeysDiffer, InProgress,
               AlreadyDelivered, NotCompleted, TwoLiveKeys
Unacceptable   MailDomainRefused, KeyCompromised, InvalidityDateRefused, IdempotencyKeyMalformed, IdempotencyMismatch,
               IdentityUnknown, IdentityPaused, CertificateRevoked, FromNotIdentity, NotValid,
               TooManyCertificates, RecipientWithoutCertificate, SeveralMessages, AlgorithmsNotOffered, ChoiceUnknown,
               ScopeUnknown, NameRefused, NetworkMalformed, ExpiryRefused, OptionsRefused, SettingsDiffer, NotADemo
NotReady       NotInitialised, IssuingTooLate, Overloaded, DataUnsafe, FolderNotWritable
"""

from __future__ import annotations

from formats.errors import Conflict, Forbidden, NotFound, NotReady, Unacceptable, UnknownCaller


class CredentialRefused(UnknownCaller):
    """No credential, or one that is unknown, expired, ended or used from the wrong network: one answer for all."""

    code = "unauthorized"
    hint = "send `Authorization: Bearer ms_live_...` with a key that is valid here and now"


class ScopeMissing(Forbidden):
    """The key lacks the scope that this call needs."""

    code = "scope_missing"
    hint = "ask an administrator for a key with this scope"


class MailboxNotAllowed(Forbidden):
    """The request names a mailbox that the key is not for."""

    code = "mailbox_not_allowed"
    hint = "use a key whose mailboxes cover this address; GET /v1/me lists yours"


class GrantExceedsOwn(Forbidden):
    """Nobody grants over HTTP a scope or mailbox that they lack."""

    code = "grant_exceeds_own"
    hint = "grant only what your own key holds; on the machine, `mailseal api-keys add --local` makes any key"


class ProofInsufficient(Forbidden):
    """A mailed link proves a mailbox, and neither a name nor a department's role."""

    code = "proof_insufficient"
    hint = "ask for a mailbox certificate, or an administrator for one with a name or a role"


class CertificateNotFound(NotFound):
    """There is no such certificate, or none for this key."""

    code = "certificate_not_found"
    hint = "compare the serial with GET /v1/certificates"


class IdentityNotFound(NotFound):
    """There is no such identity, or none for this key."""

    code = "identity_not_found"
    hint = "GET /v1/identities lists the identities of your key"


class ApiKeyNotFound(NotFound):
    """There is no such API key."""

    code = "api_key_not_found"
    hint = "GET /v1/api-keys lists the keys"


class AuditEntryNotFound(NotFound):
    """There is no such audit entry, or none for this key."""

    code = "audit_entry_not_found"
    hint = "GET /v1/audit lists the entries that your key may read"


class AuthorityNotFound(NotFound):
    """There is no such authority here, or nothing of it has been published yet."""

    code = "authority_not_found"
    hint = "GET /v1/authorities lists the authorities"


class LinkRefused(NotFound):
    """The link is used, expired, foreign or truncated: one answer for all."""

    code = "link_refused"
    hint = "ask for a new link: each opens once, within an hour, in the browser that confirms it"


class SessionEnded(NotFound):
    """No session is open in this browser, or it has ended."""

    code = "session_ended"
    hint = "ask for a new link"


class AlreadyRevoked(Conflict):
    """It is revoked already, and revocation is a one-way door."""

    code = "already_revoked"
    hint = "nothing is left to do; only an upgrade to keyCompromise is possible"


class KeyOfAnotherPerson(Conflict):
    """The public key belongs to somebody else's certificate."""

    code = "key_of_another_person"
    hint = "make a new key pair and ask again"


class MailboxSpelledOtherwise(Conflict):
    """The same mailbox is certified already in other upper and lower case."""

    code = "mailbox_spelled_otherwise"
    hint = "use the spelling that is certified already"


class IdentityKeysDiffer(Conflict):
    """The identity exists with keys of another kind."""

    code = "identity_keys_differ"
    hint = "leave `key` and `encryption_key` out to accept the identity as it is"


class InProgress(Conflict):
    """The first request with this Idempotency-Key is still being worked on."""

    code = "in_progress"
    hint = "ask again in a few seconds with the same Idempotency-Key"


class AlreadyDelivered(Conflict):
    """The answer held a secret and was handed out once."""

    code = "already_delivered"
    hint = "if the answer was lost, revoke what it made and ask again with a new Idempotency-Key"


class NotCompleted(Conflict):
    """The first request with this Idempotency-Key was interrupted, and what it had begun was revoked."""

    code = "not_completed"
    hint = "ask again with a new Idempotency-Key"


class TwoLiveKeys(Conflict):
    """Two keys of this rotation are alive already."""

    code = "two_live_keys"
    hint = "delete the older key before rotating again"


class MailDomainRefused(Unacceptable):
    """The address lies outside the mail domains of this campus."""

    code = "mail_domain_not_allowed"
    hint = "only addresses in the mail domains of this campus can be certified; sub-domains count only if listed"


class KeyCompromised(Unacceptable):
    """A certificate with this public key was revoked for keyCompromise."""

    code = "key_compromised"
    hint = "make a new key pair and ask again"


class InvalidityDateRefused(Unacceptable):
    """The invalidity date lies in the future or before the certificate began."""

    code = "invalidity_date_refused"
    hint = "give a time between the start of the certificate and now, or leave it out"


class IdempotencyKeyMalformed(Unacceptable):
    """The Idempotency-Key is empty, too long or not printable ASCII."""

    code = "idempotency_key_malformed"
    hint = "send 1 to 255 printable ASCII characters, for example a UUID"


class IdempotencyMismatch(Unacceptable):
    """The Idempotency-Key was used before with another request."""

    code = "idempotency_mismatch"
    hint = "use a new Idempotency-Key for a new request"


class IdentityUnknown(Unacceptable):
    """No identity is kept here for this mailbox."""

    code = "identity_unknown"
    hint = "make it first: POST /v1/identities"


class IdentityPaused(Unacceptable):
    """The identity is paused."""

    code = "identity_paused"
    hint = "end the pause: DELETE /v1/identities/{mailbox}/pause"


class CertificateRevoked(Unacceptable):
    """The identity's certificate is revoked."""

    code = "certificate_revoked"
    hint = "renew the identity: POST /v1/identities/{mailbox}/renewal"


class FromNotIdentity(Unacceptable):
    """The From address of the message is not the identity's mailbox."""

    code = "from_not_identity"
    hint = "send the message from the identity's own mailbox, or name the identity of its From address"


class NotValid(Unacceptable):
    """The signed bytes were asked for, and the message is not valid; `report` says why."""

    code = "not_valid"
    hint = "read the report: Accept: application/json"

    def __init__(self, detail: str, *, report: object) -> None:
        super().__init__(detail)
        self.report = report


class TooManyCertificates(Unacceptable):
    """A mailbox that has as many valid certificates by links as it may."""

    code = "too_many_certificates"
    hint = "end those that you no longer use, then make a new one"


class RecipientWithoutCertificate(Unacceptable):
    """Recipients to whom nothing can be sealed; `places` are JSON pointers, each with who it is."""

    code = "recipient_without_certificate"
    hint = (
        "send their certificates along in parts named `certificate`, or have them get one; missing=skip leaves them "
        "out, as long as somebody else has one"
    )

    def __init__(self, detail: str, *, places: tuple[tuple[str, str], ...]) -> None:
        super().__init__(detail)
        self.places = places


class SeveralMessages(Unacceptable):
    """Blind recipients need messages of their own, and the answer can hold one."""

    code = "several_messages"
    hint = "take all of them as JSON: Accept: application/json"


class AlgorithmsNotOffered(Unacceptable):
    """These algorithms are not offered yet."""

    code = "algorithms_not_offered"
    hint = "use `compatible`, which every mail program reads, or `modern`"


class ChoiceUnknown(Unacceptable):
    """The value is not one of the choices."""

    code = "choice_unknown"
    hint = "use one of the values that the message names"


class ScopeUnknown(Unacceptable):
    """There is no such scope."""

    code = "scope_unknown"
    hint = "use scopes of the list that the message gives"


class NameRefused(Unacceptable):
    """The name of an API key is empty, too long, or not plain printable text."""

    code = "name_refused"
    hint = "name the key after what it is for, in plain text without blanks at its ends"


class NetworkMalformed(Unacceptable):
    """An entry of `cidrs` is not a network."""

    code = "network_malformed"
    hint = "write networks like 192.0.2.0/24 or 2001:db8::/32"


class ExpiryRefused(Unacceptable):
    """The expiry lies in the past."""

    code = "expiry_refused"
    hint = "give a time in the future, or leave it out"


class OptionsRefused(Unacceptable):
    """The verification options cannot be read."""

    code = "options_refused"
    hint = "send a JSON object with the members that the API's description names"


class SettingsDiffer(Unacceptable):
    """A setting differs from what the CA certificates say."""

    code = "settings_differ"
    hint = "set it back to the value of the CA, or make a new CA in another data folder: mailseal init"


class NotADemo(Unacceptable):
    """A demo never becomes production, and production never a demo."""

    code = "demo_and_production"
    hint = "use another MAILSEAL_DATA folder and database: mailseal init"


class NotInitialised(NotReady):
    """There is no CA in this database yet."""

    code = "not_initialised"
    hint = "run `mailseal init`"


class IssuingTooLate(NotReady):
    """Signing took longer than its deadline; the certificate was destroyed unsent and its serial is revoked."""

    code = "issuing_too_late"
    hint = "send the request again"


class Overloaded(NotReady):
    """More is waiting here to be taken in or written down than we keep in memory."""

    code = "overloaded"
    hint = "ask again in a few seconds"
    retry_after = 1


class DataUnsafe(NotReady):
    """The data folder, or a secret file in it, is open to others or not what it should be."""

    code = "data_unsafe"
    hint = "let only the service's user write the folder and read the file, or take the file away: init makes a new one"


class FolderNotWritable(NotReady):
    """The data folder cannot be written."""

    code = "folder_not_writable"
    hint = "let the service's user own the folder, or name another one: MAILSEAL_DATA"
